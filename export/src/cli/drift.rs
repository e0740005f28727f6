//! `convrnn-export drift`

use super::inspect::read_program;
use super::{Outcome, grouped, say, say_json, warn};
use convrnn_export::device::{calibration_path, program};
use convrnn_export::drift::{Length, Stream, Window, drift};
use convrnn_export::program::{AlignedBytes, ProgramOptions, Target};
use convrnn_models::Checkpoint;
use convrnn_models::checkpoint::{locate, read_calibration};
use convrnn_runtime::Numerics;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Least percentage of steps at which f32 and int8 must give the same class.
const LEAST_AGREEMENT: f64 = 99.0;

/// Run a checkpoint's f32 and int8 programs side by side on one long stream, states carried over, and see whether int8
/// drifts away.
///
/// Ends with exit code 1 if they agree about the class at fewer than 99 % of the steps.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Checkpoint directory that convrnn-train wrote, or run folder (its best checkpoint, or else its last).
    checkpoint: PathBuf,
    /// Steps of the stream that are compared.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Steps before them, so that no window has those right after the start, when states are zero in both.
    #[arg(long, default_value_t = 1000, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    settle: u64,
    /// Show this frame all the time, counted from 0, instead of frames drawn at random.
    #[arg(long, value_name = "FRAME")]
    held: Option<usize>,
    /// Steps that each frame is on show; those of the checkpoint's presentation if not given.
    #[arg(long, value_name = "STEPS", conflicts_with = "held",
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    hold: Option<usize>,
    /// Names the order of the frames.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Frames to draw from: a trace, or any safetensors file with frames U8 [N, height, width, channels]; the
    /// calibration frames if not given.
    #[arg(long, value_name = "FILE")]
    frames: Option<PathBuf>,
    /// Training frames for int8; those in the checkpoint if not given.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// int8 program to run instead of one made for this.
    #[arg(long, value_name = "FILE.crnn")]
    program: Option<PathBuf>,
    /// Print JSON, with every window of 1,000 steps, instead of the table.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let directory = locate(&arguments.checkpoint);
    let checkpoint = Checkpoint::read_folded(&directory)?;
    let calibration = arguments.calibration.clone().unwrap_or_else(|| calibration_path(&directory));
    let options = ProgramOptions { target: Target::HOST, ..ProgramOptions::default() };
    let make = |numerics| program(&checkpoint, numerics, &options, &calibration, warn);
    let real = make(Numerics::Real)?;
    let integer = match &arguments.program {
        Some(path) => AlignedBytes::copy_of(&read_program(path)?),
        None => make(Numerics::Integer)?,
    };
    let frames = arguments.frames.as_ref().unwrap_or(&calibration);
    let frames = read_calibration(frames, &checkpoint.description.preprocessing)?;
    let hold = arguments.hold.unwrap_or(checkpoint.description.presentation.image_steps);
    let stream = match arguments.held {
        Some(frame) => Stream::Held { frame },
        None => Stream::Changing { hold, seed: arguments.seed },
    };
    let shows_progress = std::io::stderr().is_terminal();
    let length = Length { settle: arguments.settle, steps: arguments.steps };
    let drift = drift(&real, &integer, &frames, stream, length, |window| {
        if shows_progress {
            // A terminal that has gone is no reason to stop.
            let _ = write!(std::io::stderr(), "\r{} of {} steps", window.from + window.steps - 1, arguments.steps);
        }
    })?;
    if shows_progress {
        let _ = writeln!(std::io::stderr());
    }
    let agreement = drift.agreement();
    if arguments.json {
        say_json(&drift)?;
    } else {
        let what = match stream {
            Stream::Held { frame } => format!("frame {frame} held"),
            Stream::Changing { hold, .. } => format!("{} frames, a new one every {hold} steps", frames.len()),
        };
        say(format!("{}, {} steps, {what}", checkpoint.graph.name, grouped(drift.steps())))?;
        let head = ["from step", "to step", "logits", "error", "largest", "same class"];
        say(format!("{:>9} {:>9} {:>10}  {:>8} {:>10} {:>11}", head[0], head[1], head[2], head[3], head[4], head[5]))?;
        for window in drift.windows.iter().filter(|window| is_shown(window, drift.steps())) {
            say(row(window))?;
        }
        let errors = drift.windows.iter().map(|window| window.error);
        let (low, high) = errors.fold((f64::INFINITY, 0.0f64), |(low, high), x| (low.min(x), high.max(x)));
        say("logits: root mean square of f32's; error: that of the differences, by that of f32's logits")?;
        say(format!(
            "same class at {agreement:.3} % of all steps; error of the last window {:.3} times that of the first; of all \
             windows {:.3} % to {:.3} %",
            drift.growth(),
            100.0 * low,
            100.0 * high
        ))?;
    }
    Ok(if agreement >= LEAST_AGREEMENT { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first window, those that begin at one or half of a power of ten, and the last.
fn is_shown(window: &Window, steps: u64) -> bool {
    let before = window.from - 1;
    let power = |step: u64| step == 0 || step == 10u64.pow(step.ilog10());
    power(before) || power(2 * before) || before + window.steps == steps
}

fn row(window: &Window) -> String {
    format!(
        "{:>9} {:>9} {:>10.3e}  {:>6.3} % {:>10.3} {:>9.2} %",
        window.from,
        window.from + window.steps - 1,
        window.signal,
        100.0 * window.error,
        window.largest,
        100.0 * window.agreeing as f64 / window.steps as f64
    )
}
