//! How an engine's logits compare with the trace's.

use convrnn_models::Trace;
use serde::Serialize;

/// The comparison over all images that were run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Images that were run.
    pub images: usize,
    /// Largest absolute difference of any logit at any step.
    pub absolute_difference: f64,
    /// The same divided by the range (largest minus smallest) of the trace's logits.
    pub relative_difference: f64,
    /// Step (from 1) of the largest difference.
    pub step: usize,
    /// Image of the largest difference, counted from 0.
    pub image: usize,
    /// Largest difference by step, relative to the range; not a number for steps that the engine leaves out.
    pub relative_by_step: Vec<f64>,
    /// Percent of images with the trace's predicted class, by step; not a number likewise.
    pub agreement_by_step: Vec<f64>,
    /// Percent of images with the right class at the last step.
    pub top1: f64,
    /// The trace's own, on the same images.
    pub trace_top1: f64,
    /// Images that are right here and wrong in the trace, at the last step.
    pub gained: usize,
    /// Images that are wrong here and right in the trace, at the last step.
    pub lost: usize,
    /// Half the width of the 95 % interval of `top1 - trace_top1`, paired by image, in points.
    pub interval: f64,
}

/// Half the width of the 95 % interval of the difference of two proportions of the same items, in percent: with `gained`
/// and `lost` items of `items` that only one of the two has right, `1.96 * sqrt(gained + lost - (gained - lost)^2 / items)
/// / items`.
pub fn paired_interval(gained: usize, lost: usize, items: usize) -> f64 {
    let (gained, lost, items) = (gained as f64, lost as f64, items.max(1) as f64);
    100.0 * 1.96 * (gained + lost - (gained - lost).powi(2) / items).max(0.0).sqrt() / items
}

/// Counts on the way to an [`Agreement`].
#[derive(Clone, Debug)]
pub(super) struct Tally {
    range: f64,
    images: usize,
    /// First step that the engine computes, from 1.
    first_step: usize,
    /// By step: largest difference and its image.
    largest: Vec<(f64, usize)>,
    agreeing: Vec<usize>,
    right: usize,
    trace_right: usize,
    gained: usize,
    lost: usize,
}

impl Tally {
    /// Nothing counted, of an engine whose logits are those of a step from `first_step` on.
    pub(super) fn new(trace: &Trace, first_step: usize) -> Self {
        let steps = trace.description.presentation.steps;
        let bounds = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) =
            trace.logits.iter().fold(bounds, |(low, high), &x| (low.min(f64::from(x)), high.max(f64::from(x))));
        let range = if high > low { high - low } else { 1.0 };
        Self {
            range,
            images: 0,
            first_step,
            largest: vec![(0.0, 0); steps],
            agreeing: vec![0; steps],
            right: 0,
            trace_right: 0,
            gained: 0,
            lost: 0,
        }
    }

    /// Counts one image.
    pub(super) fn add(&mut self, trace: &Trace, image: usize, logits: &[Vec<f32>]) {
        self.images += 1;
        for (index, found) in logits.iter().enumerate().skip(self.first_step - 1) {
            let expected = trace.logits_at(image, index + 1);
            let difference = largest_difference(found, expected);
            if difference > self.largest[index].0 {
                self.largest[index] = (difference, image);
            }
            self.agreeing[index] += usize::from(best(found) == best(expected));
        }
        let label = usize::try_from(trace.labels[image]).ok();
        let last = logits.len();
        let right = logits.last().and_then(|found| best(found)) == label;
        let trace_right = best(trace.logits_at(image, last)) == label;
        self.right += usize::from(right);
        self.trace_right += usize::from(trace_right);
        self.gained += usize::from(right && !trace_right);
        self.lost += usize::from(trace_right && !right);
    }

    /// Two tallies of different images in one.
    pub(super) fn merge(mut self, other: Self) -> Self {
        for (mine, theirs) in self.largest.iter_mut().zip(other.largest) {
            if theirs.0 > mine.0 {
                *mine = theirs;
            }
        }
        for (mine, theirs) in self.agreeing.iter_mut().zip(other.agreeing) {
            *mine += theirs;
        }
        self.images += other.images;
        self.right += other.right;
        self.trace_right += other.trace_right;
        self.gained += other.gained;
        self.lost += other.lost;
        self
    }

    pub(super) fn finish(self) -> Agreement {
        let percent = |count: usize| 100.0 * count as f64 / self.images.max(1) as f64;
        let by_step = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let is_computed = |index: usize| index + 1 >= self.first_step;
            (0..self.largest.len()).map(|index| if is_computed(index) { value(index) } else { f64::NAN }).collect()
        };
        let mut worst = (0.0, 1, 0);
        for (index, &(difference, image)) in self.largest.iter().enumerate() {
            if difference > worst.0 {
                worst = (difference, index + 1, image);
            }
        }
        Agreement {
            images: self.images,
            absolute_difference: worst.0,
            relative_difference: worst.0 / self.range,
            step: worst.1,
            image: worst.2,
            relative_by_step: by_step(&|index| self.largest[index].0 / self.range),
            agreement_by_step: by_step(&|index| percent(self.agreeing[index])),
            top1: percent(self.right),
            trace_top1: percent(self.trace_right),
            gained: self.gained,
            lost: self.lost,
            interval: paired_interval(self.gained, self.lost, self.images),
        }
    }
}

/// The largest absolute difference; infinite where one side is not a number.
pub(super) fn largest_difference(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let differences = found.iter().zip(expected).map(|(&x, &y)| (f64::from(x) - f64::from(y)).abs());
    differences.fold(0.0, |largest, x| if x.is_nan() { f64::INFINITY } else { f64::max(largest, x) })
}

/// The class with the highest score, the first of equals; none without classes.
fn best(scores: &[f32]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (class, score) in scores.iter().enumerate() {
        if best.is_none_or(|best| *score > scores[best]) {
            best = Some(class);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_a_number_is_infinitely_far() {
        assert_eq!(largest_difference(&[1.0, f32::NAN], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(largest_difference(&[1.0, 2.5], &[1.0, 2.0]), 0.5);
    }

    #[test]
    fn the_interval_counts_what_only_one_side_has_right() {
        assert_eq!(paired_interval(0, 0, 10_000), 0.0);
        // By hand: the differences are 30 times +1, 10 times -1, else 0; variance 0.004 - 0.002^2.
        let expected = 100.0 * 1.96 * ((0.004 - 0.002f64.powi(2)) / 10_000.0).sqrt();
        assert!((paired_interval(30, 10, 10_000) - expected).abs() < 1e-12);
    }

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(best(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(best(&[]), None);
    }
}
