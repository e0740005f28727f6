//! Which images choose: the best epoch, and when the plateau schedule lowers the learning rate.
//!
//! They are never the test images unless a user says so. What was chosen on images fits them a little better than new ones,
//! so that their accuracy is no estimate any more.

use crate::data::{Share, SharedDataset, Source, Split, Subset, counted};
use crate::error::{Result, TrainerError};
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Said, and written into the run, where a user chooses on the test images.
pub const TEST_WARNING: &str = "the best epoch is chosen on the test images, and so is the learning rate of schedule plateau: \
    what they show is better than what new images would; without --select-on test, validation or held-out images choose";

/// Said, and written into the run, where a run of an earlier version goes on that chose on the test images.
pub const EARLIER_WARNING: &str = "this run was begun by a version that chose the best epoch on the test images, and goes on so: \
    what they show is better than what new images would; a new run chooses on validation or held-out images";

/// Which images choose, as written to `training.toml` and study files: `selection = { kind = "held-out", share = "10%" }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Selection {
    /// The validation split where the data set has one, and held-out training images otherwise. A run that has begun names
    /// which of the two it was.
    Automatic {
        /// Held out where there is no validation split; 0 for none, see [`Selection::Last`].
        #[serde(default = "tenth")]
        hold_out: Share,
    },
    /// The validation split.
    Validation,
    /// Training images that are not learnt from, alike of every class.
    HeldOut {
        /// How many.
        share: Share,
        /// Names the draw; the run's own seed if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seed: Option<u64>,
    },
    /// The same drawn from all classes together, as runs of earlier versions did.
    HeldOutAtRandom {
        /// How many.
        images: usize,
    },
    /// The test split.
    Test,
    /// None: the last epoch's weights are the best.
    Last,
}

fn tenth() -> Share {
    Share::Percent(10.0)
}

impl Default for Selection {
    fn default() -> Self {
        Selection::Automatic { hold_out: tenth() }
    }
}

impl Selection {
    /// What [`Selection::Automatic`] is for a data set.
    ///
    /// # Errors
    /// Those of listing the files.
    pub fn resolve(self, source: &Source) -> Result<Self> {
        let Selection::Automatic { hold_out } = self else { return Ok(self) };
        Ok(match hold_out {
            _ if source.has(Split::Validation)? => Selection::Validation,
            Share::Images(0) => Selection::Last,
            share => Selection::HeldOut { share, seed: None },
        })
    }
}

/// Which images something was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasuredSplit {
    /// The validation split.
    Validation,
    /// Training images that are not learnt from.
    HeldOut,
    /// The test split.
    Test,
}

impl MeasuredSplit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Validation, Self::HeldOut, Self::Test];

    /// For readers: `validation`, `held-out`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::HeldOut => "held-out",
            Self::Test => "test",
        }
    }

    /// For columns and tags: `validation`, `held_out`, `test`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::HeldOut => "held_out",
            Self::Test => "test",
        }
    }
}

/// The images that choose.
#[derive(Clone)]
pub struct SelectionImages {
    /// Where they come from.
    pub split: MeasuredSplit,
    /// The images.
    pub images: SharedDataset,
}

/// The images of a run.
#[derive(Clone)]
pub struct RunImages {
    /// Images to learn from.
    pub train: SharedDataset,
    /// Images that choose, where any do.
    pub selection: Option<SelectionImages>,
}

/// Loads what a run learns from and what chooses. The order: the source's own `train-limit`, then the settings' `limit` of
/// those, then the held-out images of what is left. The test images are not read unless they choose.
///
/// # Errors
/// Those of loading; a share to hold out that leaves nothing.
pub fn load(settings: &Settings) -> Result<RunImages> {
    let source = Source::parse(&settings.data)?;
    let whole = source.load(Split::Train)?;
    load_with(&source, whole, settings)
}

/// The same with the training images of the source at hand.
///
/// # Errors
/// As [`load`].
pub fn load_with(source: &Source, whole: SharedDataset, settings: &Settings) -> Result<RunImages> {
    let selection = settings.selection.resolve(source)?;
    let (train, held_out) = divide(whole, settings, selection)?;
    let (split, images) = match (selection, held_out) {
        (_, Some(held_out)) => (MeasuredSplit::HeldOut, held_out),
        (Selection::Validation, None) => (MeasuredSplit::Validation, source.load(Split::Validation)?),
        (Selection::Test, None) => (MeasuredSplit::Test, source.load(Split::Test)?),
        (_, None) => return Ok(RunImages { train, selection: None }),
    };
    Ok(RunImages { train, selection: Some(SelectionImages { split, images }) })
}

/// Of all training images, what a run learns from and, where it holds out any, what it holds out.
///
/// # Errors
/// A share to hold out that leaves nothing.
pub fn divide(
    whole: SharedDataset,
    settings: &Settings,
    selection: Selection,
) -> Result<(SharedDataset, Option<SharedDataset>)> {
    let train: SharedDataset = match settings.limit.filter(|&limit| limit < whole.len()) {
        Some(limit) => Arc::new(Subset::sample(whole, limit, 0)?),
        None => whole,
    };
    let images = train.len();
    let mut sizes = vec![0; train.class_names().len()];
    (0..images).for_each(|index| sizes[train.label(index)] += 1);
    let is_tenth_possible = sizes.iter().any(|&size| size > 1);
    let (parts, share): (_, &dyn std::fmt::Display) = match &selection {
        Selection::HeldOut { share, seed } => {
            (Subset::hold_out_by_class(train, share.of(images), seed.unwrap_or(settings.seed)), share)
        }
        Selection::HeldOutAtRandom { images } => (Subset::hold_out(train, *images, settings.seed), images),
        Selection::Automatic { .. } | Selection::Validation | Selection::Test | Selection::Last => {
            return Ok((train, None));
        }
    };
    let (rest, held_out) = parts.map_err(|_| refused(share, images, is_tenth_possible))?;
    Ok((Arc::new(rest), Some(Arc::new(held_out))))
}

fn refused(share: &dyn std::fmt::Display, images: usize, is_tenth_possible: bool) -> TrainerError {
    // A tenth is one image at least, which a class gives that has two.
    let other = match is_tenth_possible {
        true => "hold out a tenth of them (--hold-out 10%)",
        false => "give more images, two or more of a class",
    };
    TrainerError::Invalid {
        what: "--hold-out",
        expected: format!(
            "1 or more, and so few that each class keeps one of the {}",
            counted(images, "training images")
        ),
        found: share.to_string(),
        hint: format!(
            "{other}, or hold out none (--hold-out 0, with another --schedule than plateau): then the last epoch's weights are \
             the best"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(data: &str, selection: Selection) -> Settings {
        Settings { data: data.into(), selection, seed: 5, ..Settings::default() }
    }

    #[test]
    fn what_chooses_is_validation_where_there_is_one_and_held_out_otherwise() {
        let count = |data: &str, selection| {
            let images = load(&settings(data, selection)).unwrap();
            (images.train.len(), images.selection.map(|found| (found.split, found.images.len())))
        };
        let with = "rendered:train=100,validation=30,test=20";
        let without = "rendered:train=100,test=20";
        let none = Selection::Automatic { hold_out: Share::Images(0) };
        let thirty = Selection::HeldOut { share: Share::Images(30), seed: None };
        assert_eq!(count(with, Selection::default()), (100, Some((MeasuredSplit::Validation, 30))));
        assert_eq!(count(without, Selection::default()), (90, Some((MeasuredSplit::HeldOut, 10))));
        assert_eq!(count(with, none), (100, Some((MeasuredSplit::Validation, 30))));
        assert_eq!(count(without, none), (100, None));
        assert_eq!(count(with, thirty), (70, Some((MeasuredSplit::HeldOut, 30))));
        assert_eq!(count(without, Selection::Test), (100, Some((MeasuredSplit::Test, 20))));
        let at_random = Selection::HeldOutAtRandom { images: 30 };
        assert_eq!(count(without, at_random), (70, Some((MeasuredSplit::HeldOut, 30))));
    }

    #[test]
    fn limits_come_before_what_is_held_out() {
        let mut settings = settings("rendered:train=200,test=20,train-limit=100", Selection::default());
        settings.limit = Some(50);
        let images = load(&settings).unwrap();
        assert_eq!((images.train.len(), images.selection.unwrap().images.len()), (45, 5));
        settings.limit = None;
        let images = load(&settings).unwrap();
        assert_eq!((images.train.len(), images.selection.unwrap().images.len()), (90, 10));
    }

    /// Of one image a class none can be held out, so that no share is offered.
    #[test]
    fn the_hint_to_what_cannot_be_held_out_can_be_followed() {
        let hint = |data: &str, share| {
            let error = load(&settings(data, Selection::HeldOut { share, seed: None })).err().unwrap();
            match error {
                TrainerError::Invalid { hint, .. } => hint,
                other => panic!("{other}"),
            }
        };
        let one_each = "rendered:train=10,test=20";
        for share in [Share::Percent(10.0), Share::Images(3)] {
            let found = hint(one_each, share);
            assert!(
                found.starts_with("give more images, two or more of a class, or hold out none (--hold-out 0"),
                "{found}"
            );
            assert!(!found.contains('%'), "{found}");
        }
        let none = Selection::Automatic { hold_out: Share::Images(0) };
        assert!(load(&settings(one_each, none)).unwrap().selection.is_none());
        let some = "rendered:train=11,test=20";
        assert!(hint(some, Share::Images(11)).starts_with("hold out a tenth of them (--hold-out 10%), or"));
        assert_eq!(load(&settings(some, Selection::default())).unwrap().selection.unwrap().images.len(), 1);
    }

    #[test]
    fn too_many_held_out_images_are_refused() {
        for share in [Share::Images(100), Share::Images(500)] {
            let error =
                load(&settings("rendered:train=100,test=20", Selection::HeldOut { share, seed: None })).err().unwrap();
            assert!(error.to_string().starts_with("--hold-out: expected 1 or more"), "{error}");
        }
    }
}
