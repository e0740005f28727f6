//! `convrnn-export cost`

use super::inspect::read_program;
use super::{Outcome, bytes, grouped, say, say_json};
use convrnn_export::cost::{Cost, Processor};
use convrnn_runtime::Program;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Predict what a device program costs a processor before it is flashed: RAM, flash, instructions by layer, and the most
/// that one call of `step_layer` takes.
///
/// Instructions are bounds from above; for the dearest layer of a step they were at most 5 % above what QEMU counts in
/// networks that the figures were not fitted to (docs/PERFORMANCE.md). Instructions are not cycles: how many
/// cycles one takes depends on the part's flash and caches, so measure that once and give it with
/// `--cycles-per-instruction`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Device program, int8 (.crnn).
    program: PathBuf,
    /// Processor; the program should be packed for it.
    #[arg(long, value_enum)]
    target: TargetArgument,
    /// Clock of the core in MHz, for times.
    #[arg(long, value_name = "MHZ", value_parser = positive)]
    clock: Option<f64>,
    /// Cycles of an instruction, on average.
    #[arg(long, value_name = "CYCLES", default_value = "1.3", value_parser = positive)]
    cycles_per_instruction: f64,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    /// Print JSON of what every operation does how often, which the predictions are made of, instead of predictions.
    #[arg(long, conflicts_with_all = ["json", "clock"])]
    counts: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TargetArgument {
    /// Cortex-M4.
    CortexM4,
    /// Cortex-M55 with Helium.
    CortexM55,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match number.is_finite() && number > 0.0 {
        true => Ok(number),
        false => Err("expected a positive number".into()),
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    let processor = match arguments.target {
        TargetArgument::CortexM4 => Processor::CortexM4,
        TargetArgument::CortexM55 => Processor::CortexM55,
    };
    let file = read_program(&arguments.program)?;
    let program = Program::new_checked(&file)?;
    if arguments.counts {
        say_json(&convrnn_export::cost::counts(&program, processor)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cost = Cost::new(&program, processor)?;
    let seconds = arguments.clock.map(|clock| arguments.cycles_per_instruction / (clock * 1e6));
    match arguments.json {
        true => say_json(&with_times(&cost, seconds)?)?,
        false => say(text(&cost, seconds))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The cost with milliseconds where a clock is known.
fn with_times(cost: &Cost, seconds: Option<f64>) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(cost)?;
    if let Some(seconds) = seconds {
        let milliseconds = |instructions: u64| json!(instructions as f64 * seconds * 1e3);
        value["step_milliseconds"] = milliseconds(cost.step);
        value["worst_layer_milliseconds"] = milliseconds(cost.worst_layer);
    }
    Ok(value)
}

fn text(cost: &Cost, seconds: Option<f64>) -> String {
    let processor = cost.processor.name();
    let time = |instructions: u64| match seconds {
        Some(seconds) => format!(" {:>9.3} ms", instructions as f64 * seconds * 1e3),
        None => String::new(),
    };
    let mut lines = vec![
        format!("on a {processor}; instructions are bounds from above"),
        format!("RAM    arena {}, stack {}", bytes(cost.arena_bytes), bytes(cost.stack_bytes)),
        format!("flash  program {}, runtime {}", bytes(cost.program_bytes), bytes(cost.code_bytes)),
        "       (stack and runtime as in the firmware that streams rgc-28-m4)".into(),
        String::new(),
        format!("{:>14}  layer", "instructions"),
    ];
    for layer in &cost.layers {
        lines.push(format!("{:>14}{}  {}", grouped(layer.instructions), time(layer.instructions), layer.name));
        for operation in &layer.operations {
            let note = if operation.is_measured { "" } else { ", not measured: as the dearest of its kind" };
            let name = operation.name.strip_prefix(&format!("{}.", layer.name)).unwrap_or(&operation.name);
            let instructions = grouped(operation.instructions);
            let time = time(operation.instructions);
            lines.push(format!("{instructions:>14}{time}    {name} ({}{note})", operation.kind));
        }
        lines.push(format!("{:>14}{}    session", grouped(layer.session), time(layer.session)));
    }
    lines.push(format!("{:>14}{}  a whole step", grouped(cost.step), time(cost.step)));
    lines.push(String::new());
    let worst = cost.layers.get(cost.worst_layer_index).map_or("none", |layer| &layer.name);
    let instructions = grouped(cost.worst_layer);
    lines.push(match cost.is_certified {
        true => format!(
            "deadline: no call of `step_layer` takes more than {instructions} instructions{} ({worst}), whatever is on show",
            time(cost.worst_layer)
        ),
        false => format!(
            "no deadline is promised: operations whose types were not measured; `step_layer` should take no more than \
             {instructions} instructions{} ({worst})",
            time(cost.worst_layer)
        ),
    });
    lines.join("\n")
}
