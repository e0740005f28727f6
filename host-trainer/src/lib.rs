//! Trains ConvRNNs with libtorch.

pub mod cli;
