//! Writes an int8 program of a catalogue network with random weights, for checks that need a program but no trained one.
//!
//! `cargo run -p convrnn-export --example untrained_program -- rgc-28-m4 net.crnn [cortex-m55]`

mod common;

use common::Untrained;
use convrnn_export::program::{ProgramDescription, ProgramOptions, Target, write_integer};
use convrnn_models::catalogue;
use convrnn_models::files::write_whole;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (architecture, output, target) = match arguments.as_slice() {
        [architecture, output] => (architecture, output, Target::default()),
        [architecture, output, target] if target == "cortex-m4" => (architecture, output, Target::CortexM4),
        [architecture, output, target] if target == "cortex-m55" => (architecture, output, Target::CortexM55),
        _ => {
            eprintln!("usage: untrained_program ARCHITECTURE FILE.crnn [cortex-m4 | cortex-m55]");
            return ExitCode::from(2);
        }
    };
    match write(architecture, Path::new(output), target) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(architecture: &str, output: &Path, target: Target) -> Result<(), Box<dyn Error>> {
    let architecture = catalogue::find(architecture)?;
    let network = Untrained::new(&architecture)?;
    let class_names: Vec<String> = (0..network.graph.classes()).map(|class| class.to_string()).collect();
    let description = ProgramDescription {
        class_names: &class_names,
        preprocessing: Some(&network.preprocessing),
        presentation: architecture.presentation,
    };
    let options = ProgramOptions { target, ..ProgramOptions::default() };
    let program = write_integer(&network.graph, &network.quantized, &description, &options)?;
    write_whole(output, &program)?;
    Ok(())
}
