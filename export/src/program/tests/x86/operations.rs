//! Random operations other than convolutions.
