//! Tests of quantisation as a whole.

mod edges;
mod properties;
mod structure;
