//! `convrnn-export validate`

use super::inspect::read_program;
use super::{Outcome, say, say_json, warn};
use convrnn_export::device;
use convrnn_export::engines::{EngineKind, Network, Programs};
use convrnn_export::onnx::Source;
use convrnn_export::program::{AlignedBytes, ProgramOptions, Target};
use convrnn_export::validate::{self, Identity, Options};
use convrnn_models::checkpoint::locate;
use convrnn_models::{Checkpoint, Trace};
use convrnn_runtime::{Numerics, Program};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Replay a libtorch trace on every engine and compare the answers at every step.
///
/// Where the trace records the values of operations, each is judged on its own operands, in the trace and in every float
/// engine: docs/VALIDATION.md derives the limits. Ends with exit code 0 if every engine that was run is right; 1 if one is
/// not, or if the trace is of other weights; 3 if nothing is wrong but an engine of others gave no answer.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Checkpoint directory that convrnn-train wrote, or run folder (its best checkpoint, or else its last).
    checkpoint: PathBuf,
    /// Trace of this checkpoint, from `convrnn-train trace`.
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,
    /// Images of the trace for float engines, every class in its share; int8 engines take all of it.
    #[arg(long, default_value_t = 1000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    images: usize,
    /// Largest difference of the logits, relative to their range, that float engines may have.
    #[arg(long, default_value_t = 1e-4, value_parser = positive)]
    tolerance: f64,
    /// Device program to run instead of one made for this; may be given once for f32 and once for int8.
    #[arg(long = "program", value_name = "FILE.crnn")]
    programs: Vec<PathBuf>,
    /// Training frames for int8; those in the checkpoint if not given.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Only engines whose name contains this, for instance "tract"; may be repeated.
    #[arg(long = "engine", value_name = "NAME")]
    engines: Vec<String>,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        Ok(_) | Err(_) => Err("expected a number above 0".into()),
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    let (kinds, missing) = select(&arguments.engines)?;
    let trained = Checkpoint::read(&locate(&arguments.checkpoint))?;
    let (trace, graph) = Trace::read(&arguments.trace)?;
    validate::check(&trained, &trace, &graph)?;
    let identity = Identity::new(&trained, &trace);
    let checkpoint = trained.clone().fold()?;
    let programs = programs(arguments, &checkpoint, &kinds)?;
    let presentation = trace.description.presentation;
    let exported = checkpoint.clone().fold_constants()?;
    let network = Network {
        source: Source::from(&trained),
        exported: Source::from(&exported),
        presentation,
        programs: &programs,
    };
    let options = Options { tolerance: arguments.tolerance, images: arguments.images };
    if !arguments.json {
        say(format!("{}, {} steps, {} images in the trace", graph.name, network.presentation.steps, trace.images()))?;
    }
    let examined = validate::examine(identity, &network, &trace);
    if !arguments.json {
        say(validate::trace_lines(&examined))?;
        say(validate::header())?;
    }
    let mut reports = Vec::new();
    for &kind in &kinds {
        let report = validate::validate(kind, &network, &trace, &examined, &options);
        if !arguments.json {
            say(validate::row(&report))?;
        }
        reports.push(report);
    }
    match arguments.json {
        true => {
            reports.extend(missing.iter().map(|&kind| validate::validate(kind, &network, &trace, &examined, &options)));
            say_json(&reports)?;
        }
        false => {
            for line in left_out(&missing) {
                say(line)?;
            }
            say(validate::footer(&options, trace.recorded, &kinds))?;
        }
    }
    Ok(ExitCode::from(validate::exit_code(&examined, &reports)))
}

/// The programs asked for, and fresh ones for the other engines.
fn programs(
    arguments: &Arguments,
    checkpoint: &Checkpoint,
    kinds: &[EngineKind],
) -> Result<Programs, Box<dyn std::error::Error>> {
    let mut programs = Programs::default();
    let calibration =
        arguments.calibration.clone().unwrap_or_else(|| device::calibration_path(&locate(&arguments.checkpoint)));
    let fresh = |numerics: Numerics, kind: EngineKind, calibration: &Path| {
        // What prevents a program is this engine's failure, not that of the others.
        kinds.contains(&kind).then(|| {
            let options = ProgramOptions { target: Target::HOST, ..ProgramOptions::default() };
            device::program(checkpoint, numerics, &options, calibration, warn).map_err(|error| error.to_string())
        })
    };
    let mut given = [None, None];
    for path in &arguments.programs {
        let bytes = AlignedBytes::copy_of(&read_program(path)?);
        let slot = match Program::new_checked(&bytes)?.numerics() {
            Numerics::Real => 0,
            Numerics::Integer => 1,
        };
        given[slot] = Some(Ok(bytes));
    }
    let [real, integer] = given;
    if let Some(real) = real.or_else(|| fresh(Numerics::Real, EngineKind::RuntimeReal, &calibration)) {
        programs.real = real;
    }
    if let Some(integer) = integer.or_else(|| fresh(Numerics::Integer, EngineKind::RuntimeInteger, &calibration)) {
        programs.integer = integer;
    }
    Ok(programs)
}

/// The engines that are wanted and there, and those that are wanted and were left out of this program.
///
/// # Errors
/// A name that no engine has; one that only engines have that were left out.
fn select(names: &[String]) -> Result<(Vec<EngineKind>, Vec<EngineKind>), String> {
    let matches = |kind: &EngineKind, name: &str| kind.name().to_lowercase().contains(&name.to_lowercase());
    for name in names {
        if !EngineKind::ALL.iter().any(|kind| matches(kind, name)) {
            let known: Vec<&str> = EngineKind::ALL.iter().map(|kind| kind.name()).collect();
            return Err(format!("no engine's name contains \"{name}\"; the engines are: {}", known.join(", ")));
        }
    }
    for name in names {
        let mut named = EngineKind::ALL.iter().filter(|kind| matches(kind, name)).peekable();
        let first = named.peek().and_then(|kind| kind.left_out());
        if let (Some(feature), true) = (first, named.all(|kind| kind.left_out().is_some())) {
            return Err(format!(
                "--engine {name}: this program was built without {feature}; build it with `cargo build -p convrnn-export \
                 --features {feature}`"
            ));
        }
    }
    let wanted = |kind: &EngineKind| names.is_empty() || names.iter().any(|name| matches(kind, name));
    Ok(EngineKind::ALL.into_iter().filter(wanted).partition(|kind| kind.left_out().is_none()))
}

/// `left out: tract (this program was built without it; …)`, a line a feature.
fn left_out(kinds: &[EngineKind]) -> Vec<String> {
    let mut features: Vec<&str> = kinds.iter().filter_map(|kind| kind.left_out()).collect();
    features.dedup();
    let line = |feature: &&str| {
        format!(
            "left out: {feature} (this program was built without it; `cargo build -p convrnn-export --features {feature}` \
             builds it in)"
        )
    };
    features.iter().map(line).collect()
}
