//! What a kernel does how often: the terms of a prediction.

use serde::Serialize;
use std::collections::BTreeMap;

/// How often an operation does what costs instructions, by name. What one of each costs is measured, see
/// [`super::Figures`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Operations of one family have the same kernel and the same terms.
    pub family: String,
    /// Terms that are not zero.
    pub terms: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Nothing yet, but one call.
    pub(super) fn new(family: impl Into<String>) -> Self {
        let mut counts = Self { family: family.into(), ..Self::default() };
        counts.add("calls", 1);
        counts
    }

    /// Counts something.
    pub(super) fn add(&mut self, term: &'static str, count: usize) {
        if count > 0 {
            *self.terms.entry(term).or_default() += count as u64;
        }
    }

    /// Adds some terms of what another call of the same kernel does.
    pub(super) fn merge(&mut self, other: Self, takes: impl Fn(&str) -> bool) {
        for (term, count) in other.terms.into_iter().filter(|(term, _)| takes(term)) {
            *self.terms.entry(term).or_default() += count;
        }
    }
}

/// One axis of a sliding window over a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub size: usize,
    pub kernel: usize,
    pub stride: usize,
    pub before: usize,
}

impl Axis {
    /// Positions of the window of an output position that lie before the map, in it, and after it.
    pub fn span(&self, position: usize) -> [usize; 3] {
        let corner = position * self.stride;
        let start = self.before.saturating_sub(corner).min(self.kernel);
        let end = (self.size + self.before).saturating_sub(corner).clamp(start, self.kernel);
        [start, end - start, self.kernel - end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_the_window_clipped_to_the_map() {
        let axis = Axis { size: 4, kernel: 3, stride: 1, before: 1 };
        assert_eq!([0, 1, 3].map(|position| axis.span(position)), [[1, 2, 0], [0, 3, 0], [0, 2, 1]]);
        let outside = Axis { size: 2, kernel: 2, stride: 2, before: 4 };
        assert_eq!([0, 2, 3].map(|position| outside.span(position)), [[2, 0, 0], [0, 2, 0], [0, 0, 2]]);
    }
}
