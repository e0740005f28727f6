//! The pictures of a run: loss, accuracy, accuracy by time step, logits over time, sample images.

mod chart;
pub mod scatter;

pub use chart::Chart;

use crate::data::{BatchPlan, Batches, SharedDataset, Subset, write_contact_sheet};
use crate::error::{Result, TrainerError};
use crate::evaluation::{evaluate_sequence, frames};
use crate::executor::{Ablation, RunOptions};
use crate::measurement::Measurement;
use crate::metrics::EpochMetrics;
use crate::parameters::to_f32;
use crate::run_folder::PLOTS;
use crate::selection::SelectionImages;
use crate::settings::parse_device;
use crate::training::Trainer;
use crate::workers::Workers;
use convrnn_graph::Wanted;
use std::path::Path;
use std::sync::Arc;
use tch::Kind;

/// Images whose logits are drawn over time.
const DRAWN_IMAGES: usize = 4;
/// Images on the contact sheet.
const SHEET_IMAGES: usize = 40;
/// Images for accuracy by time step with and without recurrence; all that choose where they are fewer.
const MEASURED_IMAGES: usize = 10_000;

/// Draws everything about a run that has ended into its `plots` folder.
pub fn training(trainer: &Trainer) -> Result<()> {
    let folder = trainer.folder().join(PLOTS);
    epochs(&folder, trainer.metrics())?;
    let settings = &trainer.training().settings;
    let mut workers = Workers::new(trainer.graph(), Kind::Float, parse_device(&settings.device)?, settings.threads)?;
    let description = &trainer.training().description;
    let Some(selection) = trainer.selection() else { return samples(&folder, trainer.train_images()) };
    let mut images = Arc::clone(&selection.images);
    if images.len() > MEASURED_IMAGES {
        images = Arc::new(Subset::sample(images, MEASURED_IMAGES, 0)?);
    }
    let mut lines = Vec::new();
    for (name, ablation) in [("whole network", Ablation::None), ("without recurrence", Ablation::Recurrence)] {
        let (preprocessing, presentation) = (&description.preprocessing, &description.presentation);
        let (parameters, sequence) = (trainer.parameters(), &settings.sequence);
        let found =
            evaluate_sequence(&mut workers, parameters, &images, preprocessing, presentation, sequence, ablation)?;
        lines.push((name, found.accuracy()));
    }
    accuracy_by_step(&folder, selection.split.name(), &lines)?;
    logits(&folder, trainer, selection, &workers)?;
    samples(&folder, trainer.train_images())
}

/// What can be drawn after every epoch: loss and accuracy by epoch, accuracy and state norms by time step.
pub fn epochs(folder: &Path, metrics: &[EpochMetrics]) -> Result<()> {
    curves(folder, metrics)?;
    let Some(last) = metrics.last() else { return Ok(()) };
    if let Some(measured) = &last.measured {
        let lines = [("whole network", measured.accuracy_by_step.clone())];
        accuracy_by_step(folder, measured.split.name(), &lines)?;
    }
    state_norms(folder, last)
}

/// The size of each layer's states by time step.
fn state_norms(folder: &Path, epoch: &EpochMetrics) -> Result<()> {
    let chart = Chart {
        title: format!("States by time step after epoch {}", epoch.epoch),
        horizontal: "time step [10 ms]",
        first: 1,
        vertical: "root mean square",
        range: None,
        lines: epoch.state_norms.iter().map(|norm| (norm.layer.clone(), norm.by_step.clone())).collect(),
    };
    chart::write(&[chart], folder, "state-norms")
}

/// Loss and accuracy by epoch.
pub fn curves(folder: &Path, metrics: &[EpochMetrics]) -> Result<()> {
    create(folder)?;
    let line = |name: &str, value: fn(&EpochMetrics) -> f64| {
        (name.to_owned(), metrics.iter().map(value).collect::<Vec<f64>>())
    };
    // One line more where images choose, which says which these are.
    let lines = |training: fn(&EpochMetrics) -> f64, measured: fn(&Measurement) -> f64| {
        let mut lines = vec![line("training", training)];
        if let Some(split) = metrics.iter().find_map(|epoch| Some(epoch.measured.as_ref()?.split)) {
            let values = metrics.iter().map(|epoch| epoch.measured.as_ref().map_or(f64::NAN, measured));
            lines.push((split.name().to_owned(), values.collect()));
        }
        lines
    };
    let loss = Chart {
        title: "Loss at the last time step".into(),
        horizontal: "epoch",
        first: 1,
        vertical: "cross-entropy [nats]",
        range: None,
        lines: lines(|epoch| epoch.train_loss, |measured| measured.loss),
    };
    let accuracy = Chart {
        title: "Accuracy at the last time step".into(),
        vertical: "accuracy [%]",
        lines: lines(|epoch| 100.0 * epoch.train_accuracy, |measured| 100.0 * measured.accuracy),
        ..loss.clone()
    };
    chart::write(&[loss, accuracy], folder, "training")
}

/// Accuracy (0 to 1) by time step, one line a network; `split` names the images in the title.
pub fn accuracy_by_step(folder: &Path, split: &str, lines: &[(&str, Vec<f64>)]) -> Result<()> {
    create(folder)?;
    let percent = |values: &[f64]| values.iter().map(|value| 100.0 * value).collect();
    let chart = Chart {
        title: format!("Accuracy by time step, {split} images"),
        horizontal: "time step [10 ms]",
        first: 1,
        vertical: "accuracy [%]",
        range: Some((0.0, 100.0)),
        lines: lines.iter().map(|(name, values)| ((*name).to_owned(), percent(values))).collect(),
    };
    chart::write(&[chart], folder, "accuracy-by-step")
}

/// Every class's logit over time, for the first of the images that choose of different classes.
fn logits(folder: &Path, trainer: &Trainer, selection: &SelectionImages, workers: &Workers) -> Result<()> {
    let description = &trainer.training().description;
    let names = &description.class_names;
    let SelectionImages { split, images: shown } = selection;
    let first_of = |class: usize| (0..shown.len()).find(|&index| shown.label(index) == class);
    let chosen: Vec<usize> = (0..names.len()).filter_map(first_of).take(DRAWN_IMAGES).collect();
    let images: SharedDataset = Arc::new(Subset::new(Arc::clone(shown), chosen.clone())?);
    let options = RunOptions::new(Wanted::EveryLogits);
    let mut charts = Vec::new();
    for batch in Batches::new(images, BatchPlan::evaluate(1))? {
        let batch = batch?;
        let number = batch.number;
        let frames = frames(&batch, &description.preprocessing, workers.executor())?;
        let run = || workers.executor().run(trainer.parameters(), &frames, &description.presentation, options);
        let values = to_f32(&tch::no_grad(run)?.every_logits(1)?)?;
        let line = |(class, name): (usize, &String)| {
            let over_time = values.iter().skip(class).step_by(names.len()).map(|&value| f64::from(value));
            (name.clone(), over_time.collect())
        };
        let chart = Chart {
            title: format!(
                "Logits of {} image {}, class {}",
                split.name(),
                shown.name(chosen[number]),
                names[shown.label(chosen[number])]
            ),
            horizontal: "time step [10 ms]",
            first: 1,
            vertical: "logit",
            range: None,
            // More classes than colours would not be told apart.
            lines: names.iter().enumerate().take(10).map(line).collect(),
        };
        charts.push(chart);
    }
    chart::write(&charts, folder, "logits")
}

fn samples(folder: &Path, images: &SharedDataset) -> Result<()> {
    let count = SHEET_IMAGES.min(images.len());
    let chosen = Subset::sample(Arc::clone(images), count, 0)?;
    let chosen: &dyn crate::data::Dataset = &chosen;
    let pictures = (0..count).map(|index| chosen.image(index)).collect::<Result<Vec<_>, _>>()?;
    let labels: Vec<usize> = (0..count).map(|index| chosen.label(index)).collect();
    Ok(write_contact_sheet(&folder.join("samples.png"), &pictures, &labels, images.class_names())?)
}

fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(TrainerError::io("create", folder))
}
