//! `convrnn-export program`

use super::{Outcome, bytes, grouped, say, warn};
use convrnn_export::device::{
    Quantization, calibration_path, integer_program, program, quantization_report, quantized,
};
use convrnn_export::program::{ProgramOptions, ProgramReport, Target};
use convrnn_graph::quantize::{Candidates, RangeRule};
use convrnn_models::Checkpoint;
use convrnn_models::checkpoint::locate;
use convrnn_models::files::write_whole;
use convrnn_models::quantization::{CalibrationOptions, LARGE_ERROR};
use convrnn_runtime::{Numerics, Plan, Program, Skipping};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write a device program (.crnn) that convrnn-runtime runs.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Checkpoint directory that convrnn-train wrote, or run folder (its best checkpoint, or else its last).
    checkpoint: PathBuf,
    /// File to write.
    #[arg(long, short, value_name = "FILE.crnn")]
    output: PathBuf,
    /// Arithmetic.
    #[arg(long, value_enum, default_value = "int8")]
    numerics: NumericsArgument,
    /// Order of the layers within a step.
    #[arg(long, value_enum, default_value = "sequential")]
    plan: PlanArgument,
    /// Processor whose kernels the weights are packed for. Every processor runs every program, to the same bits in int8;
    /// its own fastest.
    #[arg(long, value_enum, default_value = "portable")]
    target: TargetArgument,
    /// Let the memory of taps that are no state be used again within the step.
    #[arg(long)]
    drop_taps: bool,
    /// Training frames for int8 (safetensors, frames U8 [N, height, width, channels]); those in the
    /// checkpoint if not given.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Memory for leaving out layers whose values cannot differ from those of the step before. The
    /// answers stay the same to the bit, and so does the worst case.
    #[arg(long, value_enum, default_value = "none")]
    skip: SkipArgument,
    /// Compute layers in bands of so many rows of their last operation's output, where that makes the arena smaller: the
    /// same bits, less RAM, some more instructions. Whole maps at once if not given.
    #[arg(long, value_name = "ROWS")]
    bands: Option<NonZeroUsize>,
    /// Leave each layer until the step at which an image can first reach it, and start from the states of that step, which
    /// the program then holds: less work after every reset, more flash. From there on the answers are the same; before,
    /// logits and taps are what was computed last, before the reset.
    #[arg(long)]
    precompute: bool,
    /// How the ranges of i8 values are found in int8; those that the weights were fine-tuned with, or else by-error, if
    /// not given.
    #[arg(long, value_enum)]
    ranges: Option<RangesArgument>,
    /// Whether int8 takes the mean error of rounded weights off the biases; by-error if not given.
    #[arg(long, value_enum)]
    biases: Option<BiasesArgument>,
    /// Images of the streams that int8 is calibrated with beside images by themselves: states are carried over from one
    /// image to the next, as with a camera; 0 for none; as the network was trained if not given.
    #[arg(long, value_name = "IMAGES")]
    stream: Option<usize>,
    /// Print what else int8 tried, and how far each of its nodes lies from the float network on the calibration frames.
    #[arg(long)]
    report: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RangesArgument {
    /// Each by the rule of these that leaves the logits nearest to those of the float network.
    ByError,
    /// Smallest and largest value.
    MinMax,
    /// 99.99 or 99.9 % of the values.
    Percentile,
    /// The smallest mean squared error of the value itself.
    LeastError,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum BiasesArgument {
    /// Where that brings the logits nearer to those of the float network.
    ByError,
    /// Always.
    Corrected,
    /// Never.
    Plain,
}

impl Arguments {
    fn quantization(&self) -> Quantization {
        let is_plain = self.ranges.is_none() && self.biases.is_none() && self.stream.is_none();
        if is_plain && self.calibration.is_none() {
            return Quantization::Given;
        }
        let all = Candidates::default();
        let candidates = Candidates {
            ranges: match self.ranges {
                None | Some(RangesArgument::ByError) => all.ranges,
                Some(RangesArgument::MinMax) => vec![RangeRule::MinMax],
                Some(RangesArgument::Percentile) => vec![RangeRule::Percentile],
                Some(RangesArgument::LeastError) => vec![RangeRule::LeastError],
            },
            correct_bias: match self.biases {
                None | Some(BiasesArgument::ByError) => all.correct_bias,
                Some(BiasesArgument::Corrected) => vec![true],
                Some(BiasesArgument::Plain) => vec![false],
            },
        };
        Quantization::Calibrated(CalibrationOptions { candidates, stream: self.stream })
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum NumericsArgument {
    /// 32-bit floating point.
    F32,
    /// 8-bit weights and convolution inputs, 16-bit states.
    Int8,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PlanArgument {
    /// Last layer first, so that most states are overwritten where they lie: the least memory.
    Sequential,
    /// Every state twice: layers may run in any order or at once.
    Parallel,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TargetArgument {
    /// No processor: [output][row][column][input].
    Rows,
    /// Any: four output channels side by side for f32, two for int8.
    Portable,
    /// Cortex-M4, M7 and M33: as portable.
    CortexM4,
    /// Cortex-M55: as rows for int8, as portable for f32; depthwise convolutions by position.
    CortexM55,
    /// x86-64: 16 output channels side by side.
    #[value(name = "x86-64")]
    X86_64,
    /// AArch64 with NEON: as x86-64.
    Aarch64,
    /// WebAssembly with SIMD: as x86-64.
    Wasm,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SkipArgument {
    /// Every layer runs in every step.
    None,
    /// Layers that neither a new frame nor a layer that ran in the last step reaches; one byte a
    /// layer and a state.
    Propagation,
    /// Layers whose operands have the values of the last step; every state twice, to compare.
    Comparison,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let checkpoint = Checkpoint::read_folded(&locate(&arguments.checkpoint))?;
    let numerics = match arguments.numerics {
        NumericsArgument::F32 => Numerics::Real,
        NumericsArgument::Int8 => Numerics::Integer,
    };
    let options = ProgramOptions {
        plan: match arguments.plan {
            PlanArgument::Sequential => Plan::Sequential,
            PlanArgument::Parallel => Plan::Parallel,
        },
        target: match arguments.target {
            TargetArgument::Rows => Target::Rows,
            TargetArgument::Portable => Target::Portable,
            TargetArgument::CortexM4 => Target::CortexM4,
            TargetArgument::CortexM55 => Target::CortexM55,
            TargetArgument::X86_64 => Target::X86_64,
            TargetArgument::Aarch64 => Target::Aarch64,
            TargetArgument::Wasm => Target::Wasm,
        },
        keep_taps: !arguments.drop_taps,
        skipping: match arguments.skip {
            SkipArgument::None => Skipping::None,
            SkipArgument::Propagation => Skipping::Propagation,
            SkipArgument::Comparison => Skipping::Comparison,
        },
        band_rows: arguments.bands,
        precompute: arguments.precompute,
        ..ProgramOptions::default()
    };
    let calibration = arguments.calibration.clone().unwrap_or_else(|| calibration_path(&locate(&arguments.checkpoint)));
    let (written, made) = match numerics {
        Numerics::Real => (program(&checkpoint, numerics, &options, &calibration, warn)?, None),
        Numerics::Integer => {
            let made = quantized(&checkpoint, &calibration, &arguments.quantization())?;
            made.warnings().into_iter().for_each(warn);
            (integer_program(&checkpoint, &made.quantized, &options)?, Some(made))
        }
    };
    write_whole(&arguments.output, &written)?;
    let report = ProgramReport::new(&Program::new_checked(&written)?);
    say(format!("{}: {}, {}, plan {}", arguments.output.display(), report.name, report.numerics, report.plan))?;
    say(format!("  flash  {}", bytes(report.flash as u64)))?;
    say(format!("  RAM    {} (states {})", bytes(report.arena as u64), bytes(report.states as u64)))?;
    say(format!("  MACs   {} a step", grouped(report.multiply_accumulates)))?;
    if options.band_rows.is_some() {
        let banded = report.layers.iter().filter(|layer| layer.runs.len() > layer.operations.len());
        let names: Vec<&str> = banded.map(|layer| layer.name.as_str()).collect();
        let names = if names.is_empty() { "no layer: none would save memory".to_owned() } else { names.join(", ") };
        say(format!("  bands  {names}"))?;
    }
    if let Some(error) = made.as_ref().and_then(|made| made.error) {
        let limit = 100.0 * LARGE_ERROR;
        say(format!(
            "  error  {:.2} % of f32's logits on calibration frames (above {limit:.0} % is large)",
            100.0 * error
        ))?;
    }
    if let Some(made) = made.filter(|_| arguments.report) {
        if let Some(calibrated) = &made.calibrated {
            say(&calibrated.chosen)?;
        }
        say(quantization_report(&checkpoint, &made.quantized, &calibration)?)?;
    }
    Ok(ExitCode::SUCCESS)
}
