//! One run of a study: started, resumed or skipped, and its outcome kept in its folder.

use super::file::Member;
use crate::checkpoint::is_there;
use crate::error::{Result, TrainerError};
use crate::run_folder::LAST;
use crate::settings::{Settings, TrainingFile};
use crate::training::{Event, Flow, Job, Outcome, Trainer};
use convrnn_models::Architecture;
use convrnn_models::checkpoint::names;
use convrnn_models::files::write_whole;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file in a run's folder that says that nothing is left to do.
pub const OUTCOME: &str = "outcome.json";

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// Why the run has no result, if it has none (the loss exploded).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Figures of the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

/// Figures of a run's last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Accuracy at the last time step on the images measured on (held out in trials, otherwise the test split).
    pub test_accuracy: f64,
    /// Mean cross-entropy there, in nats.
    pub test_loss: f64,
    /// Accuracy at the last time step on training images, while learning.
    pub train_accuracy: f64,
    /// Training images a second.
    pub images_per_second: f64,
    /// Seconds of training and evaluation.
    pub seconds: f64,
}

impl RunOutcome {
    /// Accuracy, of a run that did not fail.
    pub fn accuracy(&self) -> Option<f64> {
        self.figures.map(|figures| figures.test_accuracy)
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

/// Trains a run to its end, or skips it where it has ended already.
///
/// # Errors
/// Those of training; a folder that holds a run with other hyper-parameters. An exploding loss is an outcome.
pub fn run(
    folder: &Path,
    member: &Member,
    settings: &Settings,
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
        Ok(Outcome::Finished) => RunOutcome {
            failure: None,
            figures: trainer.metrics().last().map(|metrics| Figures {
                test_accuracy: metrics.test_accuracy,
                test_loss: metrics.test_loss,
                train_accuracy: metrics.train_accuracy,
                images_per_second: metrics.images_per_second,
                seconds: metrics.seconds,
            }),
        },
        Err(error @ TrainerError::Exploded(_)) => RunOutcome { failure: Some(error.to_string()), figures: None },
        Err(error) => return Err(error),
    };
    let text = serde_json::to_string_pretty(&outcome).expect("numbers and text have a JSON form");
    write_whole(&folder.join(OUTCOME), text.as_bytes())?;
    Ok(Done::Now(outcome))
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
