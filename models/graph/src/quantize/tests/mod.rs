//! Tests of quantisation as a whole.

mod choices;
mod edges;
mod properties;
mod structure;
