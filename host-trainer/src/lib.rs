//! Trains ConvRNNs with libtorch.
//!
//! [`executor::Executor`] runs a step graph unrolled, with autograd and exact trimming; the rest of
//! the crate is what a researcher needs around it: data sets, optimizer and schedule, training with
//! checkpoints that resume to the bit, evaluation, traces for other engines, plots.

pub mod checkpoint;
pub mod cli;
pub mod decoders;
pub mod error;
pub mod evaluation;
pub mod executor;
pub mod features;
pub mod gradient;
pub mod initial;
pub mod loss;
pub mod measurement;
mod memory;
pub mod metrics;
pub mod optimizer;
pub mod parameters;
pub mod plots;
pub mod run_folder;
pub mod schedule;
pub mod selection;
pub mod sequence;
pub mod settings;
pub mod state_norms;
pub mod study;
pub mod tensorboard;
pub mod tracing;
pub mod training;
pub mod unroll;
pub mod workers;

pub use convrnn_data as data;
