//! Whether a network that learns on has learnt from the images that choose before.

use crate::data::source::with_decoding;
use crate::data::{Identity, SharedDataset, Source, Split, counted};
use crate::selection::{MeasuredSplit, RunImages, Selection, SelectionImages, divide};
use crate::settings::{Settings, TrainingFile};
use std::collections::HashSet;

/// How a warning ends: what the images do not show, and what would.
const INSTEAD: &str = "better than that on new images; measure the best epoch on the test split (`convrnn-train eval RUN --split \
    test`)";

/// What to tell a user, and to write into the run, where held-out images of a run are images that its network has learnt from:
/// the run before held out others, or none. None where it has learnt from none of them.
pub(super) fn warning(trained: &TrainingFile, settings: &Settings, images: &RunImages) -> Option<String> {
    let Some(SelectionImages { split: MeasuredSplit::HeldOut, images: held_out }) = &images.selection else {
        return None;
    };
    // Those that chose before, which the network has not learnt from.
    let before = trained.images.as_ref().and_then(|images| images.selection.as_ref());
    if before == Some(&Identity::of(&**held_out)) {
        return None;
    }
    // An untrained network has learnt from nothing.
    if trained.settings.epochs == 0 {
        return None;
    }
    let count = counted(held_out.len(), "held-out images");
    let Some(learnt) = learnt_from(trained, settings) else {
        return Some(format!(
            "whether the network has learnt from the {count} is not known, since it learnt from other data than \
             these (`{}`): the accuracy on them may be {INSTEAD}",
            trained.settings.data
        ));
    };
    let places: HashSet<usize> = (0..learnt.len()).map(|index| learnt.place(index)).collect();
    let known = (0..held_out.len()).filter(|&index| places.contains(&held_out.place(index))).count();
    if known == 0 {
        return None;
    }
    let held_out_before = match trained.settings.selection {
        Selection::HeldOut { .. } | Selection::HeldOutAtRandom { .. } => "other ones",
        _ => "none",
    };
    Some(format!(
        "the network has learnt from {known} of the {count}, since the run that it comes from held out \
         {held_out_before}: the accuracy on them is {INSTEAD}"
    ))
}

/// The images that a network has learnt from, where they are images of the data of these settings.
fn learnt_from(trained: &TrainingFile, settings: &Settings) -> Option<SharedDataset> {
    let decoding = &trained.description.preprocessing.decoding;
    let before = Source::parse(&with_decoding(&trained.settings.data, decoding)).ok()?;
    // Other limits choose other images of the same files.
    let now = Source::parse(&settings.data).ok()?.with_limits_of(&before);
    if !before.differs_in_place_only(&now) {
        return None;
    }
    let selection = trained.settings.selection.resolve(&now).ok()?;
    // Files that are fewer, or have other labels, than they had are other data.
    let (learnt, _) = divide(now.load(Split::Train).ok()?, &trained.settings, selection).ok()?;
    let is_same = trained.images.as_ref().is_none_or(|images| images.train == Identity::of(&*learnt));
    is_same.then_some(learnt)
}
