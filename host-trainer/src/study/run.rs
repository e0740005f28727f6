//! One run of a study: started, resumed or skipped, and its outcome kept in its folder.

use super::file::Member;
use crate::checkpoint::is_there;
use crate::data::{Source, Split};
use crate::error::{Result, TrainerError};
use crate::evaluation::evaluate_sequence;
use crate::executor::Ablation;
use crate::measurement::Measurement;
use crate::parameters::to_tensors;
use crate::run_folder::{BEST, LAST};
use crate::selection::{MeasuredSplit, Selection};
use crate::settings::{Settings, TrainingFile, parse_device};
use crate::training::{Event, Flow, Job, Outcome, Trainer};
use crate::workers::Workers;
use convrnn_models::checkpoint::names;
use convrnn_models::files::write_whole;
use convrnn_models::{Architecture, Checkpoint};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tch::Kind;

/// The file in a run's folder that says that nothing is left to do.
pub const OUTCOME: &str = "outcome.json";

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// Why the run has no result, if it has none (the loss exploded).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Figures of the best epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

/// Figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The figures that count, of the best epoch's weights: of a trial on the images that chose it, of other runs on the
    /// test split (the validation split where there is no other), which is read once, when training has ended.
    #[serde(flatten, with = "crate::measurement")]
    pub measured: Option<Measurement>,
    /// The best epoch, from 1; 0 in studies of earlier versions, which measured the last one.
    #[serde(default)]
    pub epoch: usize,
    /// Its accuracy on the images that chose it, where any did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection_accuracy: Option<f64>,
    /// Accuracy at the last time step on training images, while learning, in the last epoch.
    pub train_accuracy: f64,
    /// Training images a second.
    pub images_per_second: f64,
    /// Seconds of training and evaluation.
    pub seconds: f64,
}

impl RunOutcome {
    /// Accuracy, of a run that did not fail.
    pub fn accuracy(&self) -> Option<f64> {
        self.measured().map(|measured| measured.accuracy)
    }

    /// What counts, of a run that did not fail.
    pub fn measured(&self) -> Option<&Measurement> {
        self.figures.as_ref()?.measured.as_ref()
    }

    fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(OUTCOME);
        if !path.exists() {
            return Ok(None);
        }
        let text = convrnn_models::files::read_text(&path)?;
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| TrainerError::Content {
            path,
            message: format!("is not the outcome of a run ({error}); delete it to train the run to its end again"),
        })
    }
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// It had ended before.
    Before(RunOutcome),
    /// It ended now.
    Now(RunOutcome),
    /// An observer stopped it; it is saved.
    Interrupted,
}

/// Trains a run to its end and measures its best epoch, or skips it where that is done already. A trial never sees the test
/// images.
///
/// # Errors
/// Those of training; a folder that holds a run with other hyper-parameters. An exploding loss is an outcome.
pub fn run(
    folder: &Path,
    member: &Member,
    settings: &Settings,
    is_trial: bool,
    observer: &mut dyn FnMut(&Event) -> Flow,
) -> Result<Done> {
    let mut trainer = if exists(folder) {
        check_same(folder, member, settings)?;
        if let Some(outcome) = RunOutcome::read(folder)? {
            return Ok(Done::Before(outcome));
        }
        Trainer::resume(folder)?
    } else {
        clear(folder)?;
        Job {
            architecture: member.architecture.clone(),
            presentation: member.presentation,
            settings: settings.clone(),
            folder: Some(folder.to_path_buf()),
            start: None,
        }
        .start()?
    };
    let outcome = match trainer.run(observer) {
        Ok(Outcome::Interrupted { .. }) => return Ok(Done::Interrupted),
        Ok(Outcome::Finished) => RunOutcome { failure: None, figures: figures(&trainer, is_trial)? },
        Err(error @ TrainerError::Exploded(_)) => RunOutcome { failure: Some(error.to_string()), figures: None },
        // Kept nowhere, so that it is tried again, with more memory or fewer images a batch.
        Err(error @ TrainerError::OutOfMemory { .. }) => {
            return Ok(Done::Now(RunOutcome { failure: Some(error.to_string()), figures: None }));
        }
        Err(error) => return Err(error),
    };
    let text = serde_json::to_string_pretty(&outcome).expect("numbers and text have a JSON form");
    write_whole(&folder.join(OUTCOME), text.as_bytes())?;
    Ok(Done::Now(outcome))
}

fn figures(trainer: &Trainer, is_trial: bool) -> Result<Option<Figures>> {
    let Some((best, last)) = trainer.state().best(trainer.metrics()).zip(trainer.metrics().last()) else {
        return Ok(None);
    };
    let measured = if is_trial { best.measured.clone() } else { Some(measure(trainer)?) };
    Ok(Some(Figures {
        measured,
        epoch: best.epoch,
        selection_accuracy: best.accuracy(),
        train_accuracy: last.train_accuracy,
        images_per_second: last.images_per_second,
        seconds: last.seconds,
    }))
}

/// The split that the figures of a study are measured on: test, or validation where there is no other.
pub fn final_split(source: &Source) -> Result<(Split, MeasuredSplit)> {
    Ok(match source.has(Split::Test)? || !source.has(Split::Validation)? {
        true => (Split::Test, MeasuredSplit::Test),
        false => (Split::Validation, MeasuredSplit::Validation),
    })
}

/// Measures the best epoch's weights on the final split.
fn measure(trainer: &Trainer) -> Result<Measurement> {
    let TrainingFile { settings, description, .. } = trainer.training();
    let source = Source::parse(&settings.data)?;
    let (split, name) = final_split(&source)?;
    let best = Checkpoint::read(&trainer.folder().join(BEST))?;
    let device = parse_device(&settings.device)?;
    let mut workers = Workers::new(trainer.graph(), Kind::Float, device, settings.threads)?;
    let found = evaluate_sequence(
        &mut workers,
        &to_tensors(trainer.graph(), &best.parameters, device)?,
        &source.load(split)?,
        &description.preprocessing,
        &description.presentation,
        &settings.sequence,
        Ablation::None,
    )?;
    let loss = found.loss.last().copied().unwrap_or(f64::NAN);
    let (accuracy, accuracy_by_step) = (found.last_accuracy(), found.accuracy());
    Ok(Measurement { split: name, loss, accuracy, accuracy_by_step })
}

/// Whether a folder holds a run that has begun.
pub fn exists(folder: &Path) -> bool {
    is_there(&folder.join(LAST))
}

/// Removes what a crash before the first checkpoint left.
fn clear(folder: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with('.') {
            let message = format!(
                "is no run of this study, but holds {}; move it away, or give another --output",
                entry.file_name().to_string_lossy()
            );
            return Err(TrainerError::Content { path: folder.into(), message });
        }
    }
    std::fs::remove_dir_all(folder).map_err(TrainerError::io("remove", folder))
}

/// Verifies that a folder's run is the one that is wanted. Threads, device and time between checkpoints may
/// differ.
pub fn check_same(folder: &Path, member: &Member, settings: &Settings) -> Result<()> {
    crate::checkpoint::recover(&folder.join(LAST))?;
    let training = TrainingFile::read(&folder.join(LAST).join(names::TRAINING))?;
    let architecture = Architecture::read(&folder.join(LAST).join(names::ARCHITECTURE))?;
    let found = Settings {
        threads: settings.threads,
        device: settings.device.clone(),
        save_every: settings.save_every,
        ..training.settings.clone()
    };
    let different = if architecture != member.architecture {
        "another architecture"
    } else if training.description.presentation != member.presentation {
        "another presentation"
    } else if (Settings { selection: settings.selection, ..found.clone() }) == *settings && found != *settings {
        match found.selection {
            Selection::Test | Selection::HeldOutAtRandom { .. } => {
                "a choice of the best epoch on other images, as earlier versions made it,"
            }
            _ => "a choice of the best epoch on other images",
        }
    } else if found != *settings {
        "other hyper-parameters or other data"
    } else {
        return Ok(());
    };
    let message = format!(
        "holds a run with {different} than the study says; give another --output, or delete the folder to train it anew"
    );
    Err(TrainerError::Content { path: folder.into(), message })
}
