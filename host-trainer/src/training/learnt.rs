//! Whether a network that learns on has learnt from the images that choose before.

use crate::data::{Identity, SharedDataset, Source, Split, counted};
use crate::selection::{MeasuredSplit, RunImages, Selection, SelectionImages, divide};
use crate::settings::{Ancestor, Settings};
use std::collections::HashSet;

/// How a warning ends: what the images do not show, and what would.
const INSTEAD: &str = "better than that on new images; measure the best epoch on the test split (`convrnn-train eval RUN --split \
    test`)";

/// What to tell a user, and to write into the run, where held-out images of a run are images that its network has learnt from:
/// a run before held out others, or none. None where it has learnt from none of them. The ancestors are all runs that the
/// network has learnt in, the last one last.
pub(super) fn warning(ancestors: &[Ancestor], settings: &Settings, images: &RunImages) -> Option<String> {
    let Some(SelectionImages { split: MeasuredSplit::HeldOut, images: held_out }) = &images.selection else {
        return None;
    };
    let chosen = Identity::of(&**held_out);
    let mut loaded = Loaded::default();
    let (mut known, mut teachers, mut unknown) = (HashSet::new(), Vec::new(), None);
    for ancestor in ancestors {
        // A run has not learnt from those that it held out.
        let before = ancestor.images.as_ref().and_then(|images| images.selection.as_ref());
        if holds_out(ancestor) && before == Some(&chosen) {
            continue;
        }
        let Some(learnt) = loaded.learnt_from(ancestor, settings) else {
            unknown = Some(ancestor);
            continue;
        };
        let places: HashSet<usize> = (0..learnt.len()).map(|index| learnt.place(index)).collect();
        let found: Vec<usize> = (0..held_out.len()).filter(|&index| places.contains(&held_out.place(index))).collect();
        if !found.is_empty() {
            teachers.push(ancestor);
        }
        known.extend(found);
    }
    let count = counted(held_out.len(), "held-out images");
    match (known.len(), unknown) {
        (0, None) => None,
        (0, Some(other)) => Some(format!(
            "whether the network has learnt from the {count} is not known, since it learnt from other data than \
             these (`{}`): the accuracy on them may be {INSTEAD}",
            other.data
        )),
        (found, unknown) => Some(format!(
            "the network has learnt from {}{found} of the {count}, since {}: the accuracy on them is {INSTEAD}",
            if unknown.is_some() && found < held_out.len() { "at least " } else { "" },
            reason(&teachers, ancestors)
        )),
    }
}

/// Which runs learnt from held-out images, and what they held out themselves.
fn reason(teachers: &[&Ancestor], ancestors: &[Ancestor]) -> String {
    let who = match teachers {
        [only] if ancestors.last() == Some(*only) => "the run that it comes from",
        [_] => "a run before the one that it comes from",
        _ => "runs that it comes from",
    };
    let held_out = match teachers.iter().filter(|teacher| holds_out(teacher)).count() {
        0 => "none",
        some if some == teachers.len() => "other ones",
        _ => "other ones or none",
    };
    format!("{who} held out {held_out}")
}

fn holds_out(run: &Ancestor) -> bool {
    matches!(run.selection, Selection::HeldOut { .. } | Selection::HeldOutAtRandom { .. })
}

/// All training images as they were loaded last: most runs of a chain have those of the one before.
#[derive(Default)]
struct Loaded(Option<(Source, SharedDataset)>);

impl Loaded {
    /// The images that a network learnt from in a run, where they are images of the data of these settings.
    fn learnt_from(&mut self, run: &Ancestor, settings: &Settings) -> Option<SharedDataset> {
        let before = Source::parse(&run.data).ok()?;
        // Other limits choose other images of the same files.
        let now = Source::parse(&settings.data).ok()?.with_limits_of(&before);
        if !before.differs_in_place_only(&now) {
            return None;
        }
        let selection = run.selection.resolve(&now).ok()?;
        let whole = match &self.0 {
            Some((source, images)) if *source == now => images.clone(),
            _ => self.0.insert((now.clone(), now.load(Split::Train).ok()?)).1.clone(),
        };
        let drawn = Settings { limit: run.limit, seed: run.seed, ..Settings::default() };
        // Files that are fewer, or have other labels, than they had are other data.
        let (learnt, _) = divide(whole, &drawn, selection).ok()?;
        let is_same = run.images.as_ref().is_none_or(|images| images.train == Identity::of(&*learnt));
        is_same.then_some(learnt)
    }
}
