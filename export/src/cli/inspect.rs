//! `convrnn-export inspect`

use super::{Outcome, bytes, grouped, say, say_json};
#[cfg(feature = "plots")]
use convrnn_export::program::ArenaDrawing;
use convrnn_export::program::ProgramReport;
use convrnn_models::checkpoint::locate;
#[cfg(feature = "plots")]
use convrnn_models::files::write_whole;
use convrnn_models::{Architecture, Checkpoint, FileError, Report};
use convrnn_runtime::Program;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Show what a checkpoint or a device program costs and when it answers.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Checkpoint directory or .crnn file.
    path: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    /// Draw the arena of a device program over one step, and write its numbers beside the picture as CSV.
    #[arg(long, value_name = "FILE.svg")]
    arena: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Outcome {
    match arguments.path.is_dir() {
        true if arguments.arena.is_some() => {
            let path = arguments.path.display();
            return Err(
                format!("{path} is a checkpoint, and only a device program (.crnn) has an arena to draw").into()
            );
        }
        true => checkpoint(arguments)?,
        false => program(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// No part has so much flash: a larger file is no program. Keeps memory bounded.
const LARGEST_PROGRAM: u64 = 256 << 20;

/// Bytes of a program file, with an error that names the file.
pub fn read_program(path: &Path) -> Result<Vec<u8>, FileError> {
    let read = |source| FileError::Read { path: path.into(), source };
    let content = |message: String| FileError::Content { path: path.into(), message };
    let metadata = std::fs::metadata(path).map_err(read)?;
    // Devices and pipes may never end.
    if !metadata.is_file() {
        return Err(content("is no regular file, expected a device program (.crnn)".into()));
    }
    if metadata.len() > LARGEST_PROGRAM {
        let found = metadata.len();
        return Err(content(format!("has {found} bytes, expected a device program of at most {LARGEST_PROGRAM}")));
    }
    let bytes = std::fs::read(path).map_err(read)?;
    match Program::new_checked(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(content(error.to_string())),
    }
}

fn program(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = read_program(&arguments.path)?;
    let program = Program::new_checked(&bytes)?;
    let report = ProgramReport::new(&program);
    if let Some(path) = &arguments.arena {
        draw(&program, path)?;
    }
    match arguments.json {
        true => say_json(&report),
        false => Ok(say(program_text(&report))?),
    }
}

#[cfg(not(feature = "plots"))]
fn draw(_program: &Program<'_>, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let path = path.display();
    Err(format!(
        "{path} cannot be drawn: this program was built without plots; build it with `cargo build -p convrnn-export \
         --features plots`"
    )
    .into())
}

/// Writes the picture and the numbers.
#[cfg(feature = "plots")]
fn draw(program: &Program<'_>, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let drawing = ArenaDrawing::new(program);
    let numbers = path.with_extension("csv");
    if path.extension().is_none_or(|extension| extension != "svg") {
        return Err(
            format!("the drawing is an SVG, expected a name that ends with .svg, found {}", path.display()).into()
        );
    }
    let image = drawing.svg().map_err(|error| format!("{} cannot be drawn: {error}", path.display()))?;
    write_whole(path, image.as_bytes())?;
    Ok(write_whole(&numbers, drawing.csv().as_bytes())?)
}

fn checkpoint(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let checkpoint = Checkpoint::read_folded(&locate(&arguments.path))?;
    let report = Report::new(&checkpoint.architecture)?;
    match arguments.json {
        true => say_json(&report),
        false => Ok(say(checkpoint_text(&checkpoint.architecture, &report))?),
    }
}

/// One line of `name  value`.
fn entry(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name:<28} {value}")
}

fn sides([channels, height, width]: [u32; 3]) -> String {
    format!("{channels}x{height}x{width}")
}

fn program_text(report: &ProgramReport) -> String {
    let [steps, image_steps] = report.presentation;
    let mut lines = vec![
        format!("{}: {} program, plan {}", report.name, report.numerics, report.plan),
        entry("frame", sides(report.frame)),
        entry("classes", report.classes),
        entry("presentation", format!("{steps} steps, the image in the first {image_steps}")),
        entry("first image-driven logits", report.first_image_step_in_words()),
        entry("MACs a step", grouped(report.multiply_accumulates)),
        entry("RAM (arena)", bytes(report.arena as u64)),
        entry("  states", bytes(report.states as u64)),
        entry("  frame", bytes(report.frame_bytes as u64)),
        entry(
            "  transients",
            format!("{} (most in use at once {})", bytes(report.transients as u64), bytes(report.largest_live as u64)),
        ),
        entry("  skipping", format!("{} ({})", bytes(report.cache as u64), report.skipping)),
        entry("copied when a step ends", bytes(report.committed as u64)),
        entry("flash", bytes(report.flash as u64)),
    ];
    lines.extend(
        report.sections.iter().map(|section| entry(&format!("  {}", section.name), bytes(section.bytes as u64))),
    );
    if report.layers.iter().any(|layer| layer.first_step > 1) {
        let stored = format!("{} of the constants", bytes(report.initial_states as u64));
        lines.push(entry("  states that it starts from", stored));
    }
    lines.push(String::new());
    lines.push(format!("{:<26} {:<15} {:>12} {:>12}", "operation", "kind", "output", "MACs"));
    for layer in &report.layers {
        let mut notes = Vec::new();
        if layer.first_step > 1 {
            notes.push(format!("from step {}", layer.first_step));
        }
        if layer.runs.len() > layer.operations.len() {
            notes.push("in bands".to_owned());
        }
        let first = notes.join(", ");
        lines.push(format!("{:<26} {first:<15} {:>12} {:>12}", layer.name, "", grouped(layer.multiply_accumulates)));
        lines.extend(layer.operations.iter().map(|operation| {
            let macs = grouped(operation.multiply_accumulates);
            let name = operation.name.strip_prefix(&format!("{}.", layer.name)).unwrap_or(&operation.name);
            format!("  {name:<24} {:<15} {:>12} {macs:>12}", operation.kind, sides(operation.shape))
        }));
    }
    lines.push(String::new());
    lines.push(format!("{:<26} {:<15} {:>12} {:>12}", "state", "element", "shape", "RAM"));
    lines.extend(report.state_list.iter().map(|state| {
        let copied = if state.is_committed { "  copied when the step ends" } else { "" };
        format!(
            "{:<26} {:<15} {:>12} {:>12}{copied}",
            state.name,
            state.element,
            sides(state.shape),
            bytes(state.bytes as u64)
        )
    }));
    lines.join("\n")
}

fn checkpoint_text(architecture: &Architecture, report: &Report) -> String {
    let step = |step: Option<usize>| step.map_or("never".into(), |step| step.to_string());
    let mut lines = vec![
        format!("{}: {}", report.name, architecture.description),
        entry("frame", &report.frame),
        entry("classes", report.classes),
        entry("parameters", grouped(report.parameters as u64)),
        entry("MACs a step", grouped(report.multiply_accumulates)),
        entry("state values", grouped(report.state_elements as u64)),
        entry("first image-driven logits", format!("step {} (by the arrows and edges)", step(report.first_image_step))),
        String::new(),
        format!(
            "{:<10} {:>12} {:<18} {:>12} {:>14} {:>12} {:>11}",
            "layer", "output", "cell", "parameters", "MACs", "states", "image from"
        ),
    ];
    for layer in &report.layers {
        lines.push(format!(
            "{:<10} {:>12} {:<18} {:>12} {:>14} {:>12} {:>11}",
            layer.name,
            layer.output,
            layer.cell.as_deref().unwrap_or("-"),
            grouped(layer.parameters as u64),
            grouped(layer.multiply_accumulates),
            grouped(layer.state_elements as u64),
            step(layer.first_image_step),
        ));
    }
    lines.extend(report.warnings(&architecture.presentation).into_iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}
