//! A run that goes on, also where its data have moved, and also longer.

use super::Trainer;
use super::job::check_batches;
use crate::checkpoint::{TrainingCheckpoint, is_there, recover};
use crate::data::source::with_decoding;
use crate::data::{DataError, Identity, Source, counted};
use crate::error::{Result, TrainerError};
use crate::evaluation::{check_classes, check_fit};
use crate::metrics::RunState;
use crate::run_folder::{BEST, LAST, lock, remove_partial};
use crate::schedule::Schedule;
use crate::selection::{RunImages, load};
use crate::settings::{ImageIdentities, Settings};
use std::path::Path;

/// What may change when a run goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Where the same data lie now, as after `--data`.
    pub data: Option<String>,
    /// Epochs in all; see [`crate::schedule::Schedule`] for what that means to the learning rate.
    pub epochs: Option<usize>,
}

/// Said, and written into the run, where its data moved and it is not known what they were.
const UNVERIFIED_WARNING: &str = "this run was begun by a version that wrote down nothing to know its images by: classes and \
    size fit, but whether these are the same images was not verified";

impl Trainer {
    /// Goes on from the last checkpoint of a run folder.
    ///
    /// # Errors
    /// Those of reading the checkpoint and the data; [`TrainerError::Invalid`] for other data than those of the run, and for
    /// fewer epochs than are done.
    pub fn resume(folder: &Path) -> Result<Self> {
        Self::resume_with(folder, &Changes::default())
    }

    /// The same with changes.
    ///
    /// # Errors
    /// As [`Trainer::resume`].
    pub fn resume_with(folder: &Path, changes: &Changes) -> Result<Self> {
        let last = folder.join(LAST);
        if !is_there(&last) {
            let missing = convrnn_models::checkpoint::names::ARCHITECTURE;
            return Err(convrnn_models::FileError::NotACheckpoint { path: last, missing }.into());
        }
        let lock = lock(folder)?;
        for name in [LAST, BEST] {
            recover(&folder.join(name))?;
        }
        remove_partial(folder)?;
        let (mut checkpoint, graph) = TrainingCheckpoint::read(&last)?;
        let recorded = checkpoint.training.description.preprocessing.decoding;
        let settings = &mut checkpoint.training.settings;
        settings.data = with_decoding(&settings.data, &recorded);
        if let Some(data) = &changes.data {
            let data = with_decoding(data, &recorded);
            check_place(&settings.data, &data)?;
            settings.data = data;
        }
        let epochs_before = settings.epochs;
        if let Some(epochs) = changes.epochs {
            let begun = checkpoint.state.epoch + usize::from(checkpoint.state.batch > 0);
            check_epochs(epochs, begun)?;
            settings.epochs = epochs;
        }
        let images = load(settings).map_err(|error| in_words_of_a_run(error, changes))?;
        check_classes(&graph, &checkpoint.training.description, &images.train)?;
        if let Some(selection) = &images.selection {
            check_fit(&graph, &selection.images)?;
        }
        check_batches(&graph, settings, images.train.len())?;
        let identities = identities(&images);
        match &checkpoint.training.images {
            Some(expected) => check_identities(settings, expected, &identities)?,
            None if changes.data.is_some() => checkpoint.training.warnings.push(UNVERIFIED_WARNING.into()),
            None => {}
        }
        let note = rate_change(&checkpoint.training.settings, &checkpoint.state, epochs_before, images.train.len());
        checkpoint.training.images = Some(identities);
        let mut trainer = Self::assemble(folder.to_path_buf(), lock, graph, checkpoint, images)?;
        trainer.notes.extend(note);
        Ok(trainer)
    }
}

/// What another number of epochs in all does to the learning rate where it follows a cosine over all of them: in a sentence,
/// the rate of the last training step and that of the next one.
fn rate_change(settings: &Settings, state: &RunState, epochs_before: usize, images: usize) -> Option<String> {
    if settings.schedule != Schedule::Cosine || settings.epochs == epochs_before || settings.epochs == state.epoch {
        return None;
    }
    let batches = settings.batches(images);
    // A run that has not begun has no rate to jump from.
    let last = state.step.checked_sub(1)?;
    let before = Settings { epochs: epochs_before, ..settings.clone() }.rate(state, last, batches);
    let after = settings.rate(state, state.step, batches);
    let moves = if after > before { "jumps up" } else { "falls" };
    Some(format!(
        "the learning rate {moves} from {before:.3e} at the last training step to {after:.3e} at the next one, since the cosine goes \
         over {} from here on, not {epochs_before}; the result is not that of a run started with so many",
        counted(settings.epochs, "epochs"),
    ))
}

/// Data that are not where they were may be elsewhere, and none can be left out any more.
fn in_words_of_a_run(error: TrainerError, changes: &Changes) -> TrainerError {
    match error {
        TrainerError::Data(DataError::Missing { what, path, hint }) if changes.data.is_none() => {
            let hint = format!("{hint}; if the data moved, name their new place: --data SOURCE");
            DataError::Missing { what, path, hint }.into()
        }
        TrainerError::Data(DataError::DamagedImages { files, images }) => {
            let named: Vec<String> =
                files.iter().take(3).map(|(file, reason)| format!("{}: {reason}", file.describe())).collect();
            TrainerError::Invalid {
                what: "the image files of the run",
                expected: "those that it began with, whole".into(),
                found: format!("{} of {images} that cannot be decoded ({})", files.len(), named.join("; ")),
                hint: "put them back as they were, or start a new run without them".into(),
            }
        }
        other => other,
    }
}

/// What tells the images of a run from others.
pub(super) fn identities(images: &RunImages) -> ImageIdentities {
    ImageIdentities {
        train: Identity::of(&*images.train),
        selection: images.selection.as_ref().map(|selection| Identity::of(&*selection.images)),
    }
}

/// Verifies that another source differs from the run's in its place alone.
fn check_place(before: &str, now: &str) -> Result<()> {
    if Source::parse(before)?.differs_in_place_only(&Source::parse(now)?) {
        return Ok(());
    }
    Err(TrainerError::Invalid {
        what: "--data",
        expected: format!("the data of the run in another place: `{before}` with another path and the same options"),
        found: now.into(),
        hint: "start a new run to learn from other data".into(),
    })
}

fn check_identities(settings: &Settings, expected: &ImageIdentities, found: &ImageIdentities) -> Result<()> {
    let absent = || "none".to_owned();
    let describe = |identity: &Option<Identity>| identity.as_ref().map_or_else(absent, Identity::describe);
    let pairs = [
        ("training images of the run", expected.train.describe(), found.train.describe()),
        ("images that choose the best epoch", describe(&expected.selection), describe(&found.selection)),
    ];
    if expected == found {
        return Ok(());
    }
    let differing = pairs.into_iter().find(|(_, expected, found)| expected != found);
    let (what, expected, found) = differing.unwrap_or(("images of the run", "the same".into(), "others".into()));
    Err(TrainerError::Invalid {
        what,
        expected,
        found: format!("{found} at {}", settings.data),
        hint: "names, order or labels of the images are not those that the run began with: put the files back, give their \
               place with --data, or start a new run"
            .into(),
    })
}

fn check_epochs(epochs: usize, begun: usize) -> Result<()> {
    if epochs >= begun {
        return Ok(());
    }
    Err(TrainerError::Invalid {
        what: "--epochs",
        expected: format!("{begun} or more, the epochs that the run has begun"),
        found: epochs.to_string(),
        hint: "give the number of epochs in all, those that are done included".into(),
    })
}
