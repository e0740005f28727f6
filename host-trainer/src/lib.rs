//! Trains ConvRNNs with libtorch.
