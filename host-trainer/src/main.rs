//! The command `convrnn-train`.

use std::process::ExitCode;

fn main() -> ExitCode {
    convrnn_trainer::cli::main()
}
