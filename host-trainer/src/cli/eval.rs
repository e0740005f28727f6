//! `convrnn-train eval`.

use super::table::format;
use super::{print, to_json};
use crate::data::source::with_decoding;
use crate::data::{DataError, SharedDataset, Source, Split, Subset, counted};
use crate::decoders::{DecoderReport, DecoderTally};
use crate::error::{Result, TrainerError};
use crate::evaluation::{Evaluation, check_classes, evaluate_decoded, first_image_step};
use crate::executor::Ablation;
use crate::parameters::to_tensors;
use crate::run_folder::checkpoint_of;
use crate::selection::Selection;
use crate::sequence::Sequence;
use crate::settings::{TrainingFile, parse_device};
use crate::unroll::override_steps;
use crate::workers::Workers;
use clap::{Args, ValueEnum};
use convrnn_graph::{Presentation, StepGraph};
use convrnn_models::Checkpoint;
use convrnn_models::checkpoint::names;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tch::Kind;

/// What can be taken away before every step.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Ablate {
    /// Cell states and feedback read as zero.
    Recurrence,
}

/// A split by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SplitName {
    /// Images to learn from, those that a run held out included.
    Train,
    /// Images that choose.
    Validation,
    /// Images that nothing was chosen on.
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Split::Train,
            SplitName::Validation => Split::Validation,
            SplitName::Test => Split::Test,
        }
    }
}

/// The split asked for; if none is, the test split, or, with a note, the validation split of data that have no other.
pub fn split_of(source: &Source, asked: Option<SplitName>) -> Result<Split> {
    match asked {
        Some(name) => Ok(name.into()),
        None if !source.has(Split::Test)? && source.has(Split::Validation)? => {
            eprintln!("note: the data set has no test split; these are its validation images");
            Ok(Split::Validation)
        }
        None => Ok(Split::Test),
    }
}

/// Says on stderr where the images shown are those that the best epoch was chosen on.
fn note_of_choice(checkpoint: &Path, data: &str, split: Split) {
    let Ok(TrainingFile { settings, .. }) = TrainingFile::read(&checkpoint.join(names::TRAINING)) else { return };
    let chose = matches!(
        (settings.selection, split),
        (Selection::Test, Split::Test) | (Selection::Validation, Split::Validation)
    );
    if chose && settings.data == data {
        eprintln!(
            "note: the best epoch was chosen on these {} images, so that they show a little more than new images would",
            split.name()
        );
    }
}

/// Says on stderr which files are no images of the data set, in one line; nothing where there are none.
pub fn note_of_left_out(images: &SharedDataset) {
    let left_out: Vec<String> = images.left_out().iter().map(|(reason, count)| counted(*count, reason)).collect();
    if !left_out.is_empty() {
        eprintln!("note: left out: {}", left_out.join(", "));
    }
}

/// The error that lists every damaged file, where this one is of the first: of images that are decoded when they are read.
pub fn with_all_damage(error: TrainerError, images: &SharedDataset) -> TrainerError {
    let TrainerError::Data(DataError::CorruptImage { .. }) = &error else { return error };
    if let Err(all) = images.look_at_all() {
        return all.into();
    }
    // Of a few images of many that does not look at each.
    let damaged = (0..images.len()).filter_map(|index| match images.image(index) {
        Err(DataError::CorruptImage { file, reason }) => Some((file, reason)),
        _ => None,
    });
    DataError::damaged(damaged.collect(), images.len()).into()
}

/// What `eval` and `trace` have in common: a network and images to show it.
#[derive(Debug, Args)]
pub struct Input {
    /// Checkpoint directory, or run folder (its best checkpoint, or else its last).
    checkpoint: PathBuf,
    /// Data set; that of the training run if not given. See `convrnn-train train --help`.
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Split of the data set; test if not given, or validation where there is no test split.
    #[arg(long, value_enum)]
    split: Option<SplitName>,
    /// Number of steps, T; that of the training run if not given.
    #[arg(long, value_name = "T")]
    steps: Option<usize>,
    /// Steps the image is on show, then blank; that of the training run if not given.
    #[arg(long, value_name = "N")]
    image_steps: Option<usize>,
    /// Threads that share the work; all cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    device: String,
}

impl Input {
    /// Reads the checkpoint and loads the images; verifies that they fit.
    pub fn load(&self) -> Result<(Checkpoint, SharedDataset, Split)> {
        let directory = checkpoint_of(&self.checkpoint);
        let mut checkpoint = Checkpoint::read(&directory)?;
        let data = match &self.data {
            Some(data) => data.clone(),
            None => data_of(&directory)?,
        };
        let presentation = &mut checkpoint.description.presentation;
        *presentation = override_steps(*presentation, self.steps, self.image_steps)?;
        let source = Source::parse(&with_decoding(&data, &checkpoint.description.preprocessing.decoding))?;
        let split = split_of(&source, self.split)?;
        let images = source.load(split)?;
        check_classes(&checkpoint.graph, &checkpoint.description, &images)?;
        note_of_choice(&directory, &data, split);
        note_of_left_out(&images);
        Ok((checkpoint, images, split))
    }

    /// Workers as asked for.
    pub fn workers<'g>(&self, graph: &'g StepGraph) -> Result<Workers<'g>> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Workers::new(graph, Kind::Float, self.device()?, self.threads.map_or_else(cores, usize::from))?)
    }

    /// Where to run.
    pub fn device(&self) -> Result<tch::Device> {
        parse_device(&self.device)
    }

    /// See [`warn_of_sequence`].
    pub fn warn_of_sequence(&self) {
        warn_of_sequence(&checkpoint_of(&self.checkpoint));
    }

    /// The path that was given.
    pub fn path(&self) -> &Path {
        &self.checkpoint
    }
}

/// The data set of the run that a checkpoint is of.
pub fn data_of(checkpoint: &Path) -> Result<String> {
    let path = checkpoint.join(names::TRAINING);
    match TrainingFile::read(&path)?.settings.data {
        data if data.is_empty() => {
            let message = "names no data set: `convrnn-train init` wrote it without one; give --data".to_owned();
            Err(TrainerError::Content { path, message })
        }
        data => Ok(data),
    }
}

/// Says on stderr where a network that learnt from moving images or streams is shown each image by itself instead.
pub fn warn_of_sequence(checkpoint: &Path) {
    let training = TrainingFile::read(&checkpoint.join(names::TRAINING));
    let Ok(TrainingFile { settings, .. }) = training else { return };
    if settings.sequence != Sequence::Still {
        eprintln!(
            "note: the network was trained with `convrnn-train train --sequence {}`; here each image is shown by itself and does not move",
            settings.sequence
        );
    }
}

#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    input: Input,
    /// Take something away before every step, and report it beside the whole network.
    #[arg(long, value_enum)]
    ablate: Option<Ablate>,
    /// Also decide by the last step, the mean over time, the most confident step, and at --threshold, from the
    /// first image-driven step on.
    #[arg(long)]
    decoders: bool,
    /// Softmax probability of the best class, 0 to 1, at which the threshold decoder decides.
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.9)]
    threshold: f64,
    /// What images do: still, shift=PIXELS, stream=N or stream-reset=N, see `convrnn-train train --help`; that
    /// of the training run if not given. Steps count from the moment an image appears.
    #[arg(long, value_name = "SEQUENCE")]
    sequence: Option<Sequence>,
    /// Use only this many images, a random sample with every class in its share.
    #[arg(long, value_name = "IMAGES")]
    limit: Option<usize>,
    /// Write accuracy by step as SVG and CSV into this folder.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    checkpoint: String,
    split: &'static str,
    images: u64,
    presentation: Presentation,
    sequence: Sequence,
    accuracy_by_step: Vec<f64>,
    loss_by_step: Vec<f64>,
    last_accuracy: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ablated_accuracy_by_step: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ablated_last_accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decoders: Option<DecoderReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ablated_decoders: Option<DecoderReport>,
}

impl Eval {
    pub fn run(self) -> Result<ExitCode> {
        let (checkpoint, mut images, split) = self.input.load()?;
        if let Some(limit) = self.limit.filter(|&limit| limit != images.len()) {
            images = Arc::new(Subset::stratified(images, limit, 0)?.in_order());
        }
        let device = self.input.device()?;
        let mut workers = self.input.workers(&checkpoint.graph)?;
        let parameters = to_tensors(&checkpoint.graph, &checkpoint.parameters, device)?;
        let description = &checkpoint.description;
        let sequence = self.sequence()?;
        sequence.check(&description.presentation, checkpoint.graph.frame.height, checkpoint.graph.frame.width)?;
        let first = self.decoders.then(|| self.first_step(&checkpoint)).transpose()?;
        let mut measure = |ablation| {
            let mut tally = first.map(|first| DecoderTally::new(first, self.threshold));
            let found = evaluate_decoded(
                &mut workers,
                &parameters,
                &images,
                &description.preprocessing,
                &description.presentation,
                &sequence,
                ablation,
                tally.as_mut(),
            );
            let found = found.map_err(|error| with_all_damage(error, &images))?;
            Ok::<_, TrainerError>((found, tally.map(|tally| tally.report())))
        };
        let (whole, decoders) = measure(Ablation::None)?;
        let ablated = self.ablate.map(|Ablate::Recurrence| measure(Ablation::Recurrence)).transpose()?;
        let (ablated, ablated_decoders) = ablated.map_or((None, None), |(found, decoders)| (Some(found), decoders));
        if let Some(folder) = &self.plots {
            let mut lines = vec![("whole network", whole.accuracy())];
            lines.extend(ablated.as_ref().map(|ablated| ("without recurrence", ablated.accuracy())));
            crate::plots::accuracy_by_step(folder, &format!("{} images", split.name()), None, &lines)?;
        }
        if self.json {
            print(&to_json(&Answer {
                checkpoint: self.input.path().display().to_string(),
                split: split.name(),
                images: whole.images,
                presentation: description.presentation,
                sequence,
                accuracy_by_step: whole.accuracy(),
                loss_by_step: whole.loss.clone(),
                last_accuracy: whole.last_accuracy(),
                ablated_accuracy_by_step: ablated.as_ref().map(Evaluation::accuracy),
                ablated_last_accuracy: ablated.as_ref().map(Evaluation::last_accuracy),
                decoders,
                ablated_decoders,
            }))?;
        } else {
            print(&text(split, &whole, ablated.as_ref(), &description.presentation))?;
            let reports = [("", decoders), (", without recurrence", ablated_decoders)];
            for (which, report) in
                reports.into_iter().filter_map(|(which, report)| report.map(|report| (which, report)))
            {
                print(&decoder_text(which, &report))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn first_step(&self, checkpoint: &Checkpoint) -> Result<usize> {
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(TrainerError::Invalid {
                what: "--threshold",
                expected: "a probability, 0 to 1".into(),
                found: self.threshold.to_string(),
                hint: "for instance --threshold 0.9".into(),
            });
        }
        first_image_step(&checkpoint.graph, &checkpoint.description.presentation)
    }

    /// As asked for, or as in training.
    fn sequence(&self) -> Result<Sequence> {
        match self.sequence {
            Some(sequence) => Ok(sequence),
            None => {
                let file = checkpoint_of(self.input.path()).join(names::TRAINING);
                Ok(TrainingFile::read(&file)?.settings.sequence)
            }
        }
    }
}

fn text(split: Split, whole: &Evaluation, ablated: Option<&Evaluation>, presentation: &Presentation) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let mut header = vec!["step", "on show", "loss [nats]", "accuracy [%]"];
    header.extend(ablated.map(|_| "without recurrence [%]"));
    let accuracy = whole.accuracy();
    let without = ablated.map(Evaluation::accuracy);
    let rows: Vec<Vec<String>> = (0..presentation.steps)
        .map(|index| {
            let on_show = if presentation.shows_image(index + 1) { "image" } else { "blank" };
            let mut row = vec![
                (index + 1).to_string(),
                on_show.into(),
                format!("{:.4}", whole.loss[index]),
                percent(accuracy[index]),
            ];
            row.extend(without.as_ref().map(|without| percent(without[index])));
            row
        })
        .collect();
    let mut text = format(&header, &rows);
    text += &format!(
        "{}, accuracy at the last step {} %",
        counted(whole.images as usize, &format!("{} images", split.name())),
        percent(whole.last_accuracy())
    );
    if let Some(ablated) = ablated {
        text += &format!(", without recurrence {} %", percent(ablated.last_accuracy()));
    }
    text + "\n"
}

fn decoder_text(which: &str, report: &DecoderReport) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let step = |step: Option<f64>| step.map_or("-".into(), |step| format!("{step:.2}"));
    let threshold = &report.threshold;
    let row = |name: &str, accuracy: String, step: String| vec![name.to_owned(), accuracy, step];
    let rows = [
        row("last step", percent(report.last_accuracy), "-".into()),
        row("mean over time", percent(report.mean_accuracy), "-".into()),
        row(
            "maximum confidence",
            percent(report.maximum_confidence_accuracy),
            step(Some(report.maximum_confidence_step)),
        ),
        row(&format!("threshold {}", threshold.threshold), percent(threshold.accuracy), step(threshold.mean_step)),
    ];
    format!(
        "\ndecoders from step {} on{which}:\n{}threshold {}: {} % undecided (answered at the last step), accuracy among decided {} %\n",
        report.first_image_step,
        format(&["decoder", "accuracy [%]", "mean step"], &rows),
        threshold.threshold,
        percent(threshold.undecided),
        threshold.decided_accuracy.map_or("-".into(), percent),
    )
}
