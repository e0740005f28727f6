//! Whole runs: which images choose the best epoch, data that moved, longer runs, last batches, memory that runs out.

mod common;
mod last_batch;
#[cfg(target_os = "linux")]
mod memory;
mod moved;
mod selection;
