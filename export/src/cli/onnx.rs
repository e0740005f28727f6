//! `convrnn-export onnx`

use super::{Outcome, bytes, say};
use convrnn_export::onnx::protobuf::ModelProto;
use convrnn_export::onnx::{self, Frames, Logits, Model, Source, Values};
use convrnn_graph::Presentation;
use convrnn_models::checkpoint::locate;
use convrnn_models::{Checkpoint, FileError};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write step.onnx (one time step, states in and out) and unrolled.onnx (a whole run).
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Checkpoint directory that convrnn-train wrote, or run folder (its best checkpoint, or else its last).
    checkpoint: PathBuf,
    /// Folder to write into; it is made if it does not exist.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Steps of the unrolled run; those of the checkpoint's presentation if not given.
    #[arg(long, value_name = "T", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    steps: Option<usize>,
    /// Steps with the image on show, the blank following; those of the checkpoint if not given.
    #[arg(long, value_name = "N", conflicts_with = "sequence")]
    image_steps: Option<usize>,
    /// Let the unrolled model take a frame for every step instead of one image.
    #[arg(long)]
    sequence: bool,
    /// Which logits the unrolled model gives; those of the last step alone take the least work.
    #[arg(long, value_enum, default_value = "every")]
    logits: LogitsArgument,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogitsArgument {
    /// Every step's, [batch, T, classes].
    Every,
    /// The last step's, [batch, classes].
    Last,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let checkpoint = Checkpoint::read_folded(&locate(&arguments.checkpoint))?.fold_constants()?;
    let trained = checkpoint.description.presentation;
    let steps = arguments.steps.unwrap_or(trained.steps);
    let image_steps = match arguments.image_steps {
        Some(image_steps) => image_steps,
        // A held image stays held when the run is lengthened.
        None if trained.image_steps == trained.steps => steps,
        None => trained.image_steps.min(steps),
    };
    let presentation = Presentation { steps, image_steps, ..trained };
    presentation.check()?;
    let (frames, presented) = match arguments.sequence {
        true => (Frames::Sequence { steps }, Presentation::held(steps)),
        false => (Frames::Presented(presentation), presentation),
    };
    let logits = match arguments.logits {
        LogitsArgument::Every => Logits::Every,
        LogitsArgument::Last => Logits::Last,
    };
    let source = Source::from(&checkpoint);
    let metadata = |model: Model| onnx::metadata(&checkpoint, &presented, model);
    let directory = &arguments.output;
    std::fs::create_dir_all(directory).map_err(|source| FileError::Write { path: directory.clone(), source })?;
    let step = onnx::step_model(&source, Values::Named, &metadata(Model::Step));
    let unrolled = onnx::unrolled_model(&source, frames, logits, Values::Named, &metadata(Model::Unrolled(frames)));
    let paths = ["step.onnx", "unrolled.onnx"].map(|name| directory.join(name));
    let sizes = onnx::write([(&step, &paths[0]), (&unrolled, &paths[1])])?;
    for ((model, path), size) in [&step, &unrolled].into_iter().zip(&paths).zip(sizes) {
        describe(model, path, size)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what a written model takes and gives.
fn describe(model: &ModelProto, path: &Path, size: u64) -> std::io::Result<()> {
    let (inputs, outputs) = onnx::interface(model);
    say(format!("{}: {}", path.display(), bytes(size)))?;
    say(format!("  inputs   {}", inputs.join(", ")))?;
    say(format!("  outputs  {}", outputs.join(", ")))?;
    Ok(())
}
