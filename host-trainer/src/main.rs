//! The command `convrnn-train`.

use std::process::ExitCode;

mod allocator;

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    convrnn_trainer::cli::main()
}
