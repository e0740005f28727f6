//! The pictures of a run: loss, accuracy, accuracy by time step, logits over time, sample images.

mod axis;
mod chart;
#[cfg(test)]
mod geometry;
mod head;
pub mod scatter;

pub use chart::Chart;

use crate::data::{BatchPlan, Batches, SharedDataset, Subset, write_contact_sheet};
use crate::error::{Result, TrainerError};
use crate::evaluation::{evaluate_sequence, frames};
use crate::executor::{Ablation, RunOptions};
use crate::measurement::Measurement;
use crate::metrics::{EpochMetrics, RunState};
use crate::parameters::{to_f32, to_tensors};
use crate::run_folder::{BEST, PLOTS};
use crate::selection::SelectionImages;
use crate::settings::parse_device;
use crate::state_norms::LayerNorm;
use crate::training::Trainer;
use crate::workers::{Workers, share};
use convrnn_graph::Wanted;
use convrnn_models::Checkpoint;
use std::path::Path;
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Images whose logits are drawn over time.
const DRAWN_IMAGES: usize = 4;
/// Images on the contact sheet.
const SHEET_IMAGES: usize = 40;
/// Lines of one chart: as many as there are colours that are told apart.
const MOST_LINES: usize = head::COLOURS.len();
/// Images for accuracy by time step with and without recurrence; all that choose where they are fewer.
const MEASURED_IMAGES: usize = 10_000;

/// Draws everything about a run that has ended into its `plots` folder. What is drawn of one epoch is of the best one, whose
/// weights are kept.
pub fn training(trainer: &Trainer) -> Result<()> {
    let folder = trainer.folder().join(PLOTS);
    let best = trainer.state().best(trainer.metrics());
    epochs(&folder, trainer.metrics(), trainer.state())?;
    let Some(selection) = trainer.selection() else { return samples(&folder, trainer.train_images()) };
    let settings = &trainer.training().settings;
    let device = parse_device(&settings.device)?;
    let mut workers = Workers::new(trainer.graph(), Kind::Float, device, settings.threads)?;
    let weights = match best {
        Some(_) => to_tensors(trainer.graph(), &Checkpoint::read(&trainer.folder().join(BEST))?.parameters, device)?,
        None => share(trainer.parameters()),
    };
    let images: SharedDataset = match selection.images.len() > MEASURED_IMAGES {
        true => Arc::new(Subset::stratified(Arc::clone(&selection.images), MEASURED_IMAGES, 0)?),
        false => Arc::clone(&selection.images),
    };
    let description = &trainer.training().description;
    let mut lines = Vec::new();
    for (name, ablation) in [("whole network", Ablation::None), ("without recurrence", Ablation::Recurrence)] {
        let (preprocessing, presentation) = (&description.preprocessing, &description.presentation);
        let sequence = &settings.sequence;
        let found =
            evaluate_sequence(&mut workers, &weights, &images, preprocessing, presentation, sequence, ablation)?;
        lines.push((name, found.accuracy()));
    }
    let epoch = best.map_or("untrained".into(), which);
    let shown = format!("{epoch}, {} images", selection.split.name());
    let note = settings.quantized.then_some("computed in f32; metrics.jsonl has the accuracy in int8");
    accuracy_by_step(&folder, &shown, note, &lines)?;
    logits(&folder, trainer, &weights, &epoch, &workers)?;
    samples(&folder, trainer.train_images())
}

/// What can be drawn after every epoch: loss and accuracy by epoch; accuracy and state norms by time step of the best epoch.
pub fn epochs(folder: &Path, metrics: &[EpochMetrics], state: &RunState) -> Result<()> {
    curves(folder, metrics)?;
    let Some(best) = state.best(metrics) else { return Ok(()) };
    if let Some(measured) = &best.measured {
        let lines = [("whole network", measured.accuracy_by_step.clone())];
        accuracy_by_step(folder, &format!("{}, {} images", which(best), measured.split.name()), None, &lines)?;
    }
    state_norms(folder, best)
}

/// An epoch that is drawn, for titles: the best one, or the last one where no images choose.
fn which(epoch: &EpochMetrics) -> String {
    let which = if epoch.measured.is_some() { "best" } else { "last" };
    format!("{which} epoch {}", epoch.epoch)
}

/// The size of each layer's states by time step.
fn state_norms(folder: &Path, epoch: &EpochMetrics) -> Result<()> {
    let largest = |norm: &LayerNorm| norm.by_step.iter().copied().fold(0.0, f64::max);
    let shown = most_important(&epoch.state_norms.iter().map(largest).collect::<Vec<_>>(), None);
    let layers = epoch.state_norms.len();
    let split = epoch.measured.as_ref().map_or("training", |measured| measured.split.name());
    let chart = Chart {
        title: format!("States by time step, {}, {split} images", which(epoch)),
        note: (shown.len() < layers).then(|| format!("{MOST_LINES} of {layers} layers: those with the largest states")),
        horizontal: "time step [10 ms]",
        first: 1,
        vertical: "root mean square",
        range: None,
        lines: shown
            .into_iter()
            .map(|number| &epoch.state_norms[number])
            .map(|norm| (norm.layer.clone(), norm.by_step.clone()))
            .collect(),
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
        note: None,
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

/// Accuracy (0 to 1) by time step, one line a network; `shown` says in the title what of, `test images` say.
pub fn accuracy_by_step(folder: &Path, shown: &str, note: Option<&str>, lines: &[(&str, Vec<f64>)]) -> Result<()> {
    create(folder)?;
    let percent = |values: &[f64]| values.iter().map(|value| 100.0 * value).collect();
    let chart = Chart {
        title: format!("Accuracy by time step, {shown}"),
        note: note.map(str::to_owned),
        horizontal: "time step [10 ms]",
        first: 1,
        vertical: "accuracy [%]",
        range: Some((0.0, 100.0)),
        lines: lines.iter().map(|(name, values)| ((*name).to_owned(), percent(values))).collect(),
    };
    chart::write(&[chart], folder, "accuracy-by-step")
}

/// The lines of a chart that matter most, in their order: all of at most [`MOST_LINES`], else those with the largest
/// importance, `always` among them.
fn most_important(importance: &[f64], always: Option<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..importance.len()).collect();
    order.sort_by(|&a, &b| {
        let is_other = |line: usize| Some(line) != always;
        is_other(a).cmp(&is_other(b)).then(importance[b].total_cmp(&importance[a]))
    });
    order.truncate(MOST_LINES);
    order.sort_unstable();
    order
}

/// Logits over time of some of the images that choose, of different classes; `epoch` says whose weights these are.
fn logits(folder: &Path, trainer: &Trainer, weights: &[Tensor], epoch: &str, workers: &Workers) -> Result<()> {
    let Some(selection) = trainer.selection() else { return Ok(()) };
    let description = &trainer.training().description;
    let names = &description.class_names;
    let SelectionImages { split, images: all } = selection;
    let images: SharedDataset = Arc::new(Subset::stratified(Arc::clone(all), DRAWN_IMAGES.min(all.len()), 0)?);
    let options = RunOptions::new(Wanted::EveryLogits);
    let mut charts = Vec::new();
    for batch in Batches::new(Arc::clone(&images), BatchPlan::evaluate(1))? {
        let batch = batch?;
        let number = batch.number;
        let frames = frames(&batch, &description.preprocessing, workers.executor())?;
        let run = || workers.executor().run(weights, &frames, &description.presentation, options);
        let values = to_f32(&tch::no_grad(run)?.every_logits(1)?)?;
        let over_time = |class: usize| -> Vec<f64> {
            values.iter().skip(class).step_by(names.len()).map(|&value| f64::from(value)).collect()
        };
        let last: Vec<f64> = values[values.len() - names.len()..].iter().map(|&value| f64::from(value)).collect();
        let shown = most_important(&last, Some(images.label(number)));
        let chart = Chart {
            title: format!(
                "Class {}: logits of {} image {}",
                names[images.label(number)],
                split.name(),
                images.name(number)
            ),
            note: Some(match shown.len() < names.len() {
                true => format!(
                    "{MOST_LINES} of {} classes: the right one and the largest last logits; {epoch}",
                    names.len()
                ),
                false => epoch.to_owned(),
            }),
            horizontal: "time step [10 ms]",
            first: 1,
            vertical: "logit",
            range: None,
            lines: shown.into_iter().map(|class| (names[class].clone(), over_time(class))).collect(),
        };
        charts.push(chart);
    }
    chart::write(&charts, folder, "logits")
}

fn samples(folder: &Path, images: &SharedDataset) -> Result<()> {
    let count = SHEET_IMAGES.min(images.len());
    let chosen = Subset::stratified(Arc::clone(images), count, 0)?;
    let chosen: &dyn crate::data::Dataset = &chosen;
    let pictures = (0..count).map(|index| chosen.image(index)).collect::<Result<Vec<_>, _>>()?;
    let labels: Vec<usize> = (0..count).map(|index| chosen.label(index)).collect();
    Ok(write_contact_sheet(&folder.join("samples.png"), &pictures, &labels, images.class_names())?)
}

fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(TrainerError::io("create", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::MeasuredSplit;

    /// An epoch after which the last step is this accurate, or that was not measured; its states are as large as its number.
    fn epoch(number: usize, accuracy: Option<f64>) -> EpochMetrics {
        EpochMetrics {
            epoch: number,
            step: number as u64,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            measured: accuracy.map(|accuracy| Measurement {
                split: MeasuredSplit::HeldOut,
                loss: 1.0,
                accuracy,
                accuracy_by_step: vec![0.125, accuracy],
            }),
            state_norms: vec![LayerNorm { layer: "layer1".into(), by_step: vec![0.0, number as f64] }],
            images_per_second: 1.0,
            seconds: 1.0,
        }
    }

    #[test]
    fn what_is_drawn_of_one_epoch_is_of_the_best_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let mut state = RunState::default();
        let metrics = [0.25, 0.75, 0.5].into_iter().zip(1..).map(|(accuracy, number)| {
            state.observe(accuracy, 1.0);
            epoch(number, Some(accuracy))
        });
        let metrics: Vec<EpochMetrics> = metrics.collect();
        epochs(folder.path(), &metrics, &state).unwrap();
        for (name, title, value) in [
            ("accuracy-by-step", "Accuracy by time step, best epoch 2, held-out images", "75"),
            ("state-norms", "States by time step, best epoch 2, held-out images", "2"),
        ] {
            let (svg, csv) = (read(&format!("{name}.svg")), read(&format!("{name}.csv")));
            assert!(svg.contains(title), "{name}: the title is not cut: {svg}");
            let last = csv.lines().last().unwrap();
            assert!(last.starts_with(&format!("\"{title}\",")) && last.ends_with(&format!(",2,{value}")), "{csv}");
        }
        // Where no images choose, the last epoch is the best, and states are those that training images leave.
        let metrics = [epoch(1, None), epoch(2, None)];
        epochs(folder.path(), &metrics, &RunState::default()).unwrap();
        assert!(read("state-norms.svg").contains("States by time step, last epoch 2, training images"));
    }

    #[test]
    fn of_many_lines_those_that_matter_are_drawn_in_their_order() {
        assert_eq!(most_important(&[3.0, 1.0, 2.0], Some(1)), [0, 1, 2]);
        // The right class, 0, has the smallest logit of 43; the nine largest are those of 42, 40, 38, ..., 26.
        let logits: Vec<f64> = (0..43).map(|class| if class % 2 == 0 { f64::from(class) } else { -1.0 }).collect();
        assert_eq!(most_important(&logits, Some(0)), [0, 26, 28, 30, 32, 34, 36, 38, 40, 42]);
        assert_eq!(most_important(&logits, None), [24, 26, 28, 30, 32, 34, 36, 38, 40, 42]);
    }
}
