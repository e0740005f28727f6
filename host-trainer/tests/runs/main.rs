//! Whole runs: how image files are read, which images choose the best epoch, splits that do not fit, data that moved, longer runs, last batches, learning on,
//! memory that runs out.

mod common;
mod decoding;
mod last_batch;
mod learnt;
#[cfg(target_os = "linux")]
mod memory;
mod moved;
mod selection;
mod splits;
