//! Writes an int8 program, or an f32 one, of a catalogue network with random weights, for checks that need a program but
//! no trained one. `parallel` is the plan whose layers may run at once; a number of rows behind the kind computes layers
//! in bands of so many.
//!
//! `cargo run -p convrnn-export --example untrained_program -- rgc-28-m4 net.crnn [f32|cortex-m4|cortex-m55|parallel [ROWS]]`

mod common;

use common::Untrained;
use convrnn_export::program::{ProgramDescription, ProgramOptions, Target, write_integer, write_real};
use convrnn_models::catalogue;
use convrnn_models::files::write_whole;
use convrnn_runtime::{Numerics, Plan};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rows = words.get(3).and_then(|rows| rows.parse().ok());
    if rows.is_some() {
        words.truncate(3);
    }
    let usual = ProgramOptions { band_rows: rows, ..ProgramOptions::default() };
    let packed_for = |target| (Numerics::Integer, ProgramOptions { target, ..usual });
    let (architecture, output, (numerics, options)) = match words[..] {
        [architecture, output] => (architecture, output, (Numerics::Integer, usual)),
        [architecture, output, "f32"] => (architecture, output, (Numerics::Real, usual)),
        [architecture, output, "cortex-m4"] => (architecture, output, packed_for(Target::CortexM4)),
        [architecture, output, "cortex-m55"] => (architecture, output, packed_for(Target::CortexM55)),
        [architecture, output, "parallel"] => {
            (architecture, output, (Numerics::Integer, ProgramOptions { plan: Plan::Parallel, ..usual }))
        }
        _ => {
            eprintln!(
                "usage: untrained_program ARCHITECTURE FILE.crnn [f32 | cortex-m4 | cortex-m55 | parallel [ROWS]]"
            );
            return ExitCode::from(2);
        }
    };
    match write(architecture, Path::new(output), numerics, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(
    architecture: &str,
    output: &Path,
    numerics: Numerics,
    options: &ProgramOptions,
) -> Result<(), Box<dyn Error>> {
    let architecture = catalogue::find(architecture)?;
    let (network, parameters) = Untrained::new(&architecture)?;
    let class_names: Vec<String> = (0..network.graph.classes()).map(|class| class.to_string()).collect();
    let description = ProgramDescription {
        class_names: &class_names,
        preprocessing: Some(&network.preprocessing),
        presentation: architecture.presentation,
    };
    let program = match numerics {
        Numerics::Integer => write_integer(&network.quantized, &description, options)?,
        Numerics::Real => {
            let (graph, parameters) = convrnn_graph::passes::fold_constants(&network.graph, &parameters)?;
            write_real(&graph, &parameters, &description, options)?
        }
    };
    write_whole(output, &program)?;
    Ok(())
}
