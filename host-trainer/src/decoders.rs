//! Ways to make one decision out of the logits of several time steps.
//!
//! All of them look at the image-driven steps only: from the first step whose logits depend on the image
//! to the last. With z_t the logits of step t and p_t = softmax(z_t):
//!
//! ```text
//! last                 argmax z_T
//! mean                 argmax of the mean of z_t over t
//! maximum confidence   argmax z_t at the t with the largest max p_t (the first of several)
//! threshold            argmax z_t at the first t with max p_t >= threshold; undecided if there is none
//! ```

use serde::Serialize;

/// The decisions about one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decisions {
    /// Class by the last step.
    pub last: usize,
    /// Class by the mean of the logits.
    pub mean: usize,
    /// Class at the most confident step.
    pub most_confident: usize,
    /// That step, from 1.
    pub most_confident_step: usize,
    /// Class and step (from 1) at which the confidence first reached the threshold.
    pub threshold: Option<(usize, usize)>,
}

impl Decisions {
    /// Decides from `logits`, `[steps, classes]`, of which those before step `first` (from 1) do not count.
    ///
    /// # Panics
    /// If there is no class or no step that counts.
    pub fn new(logits: &[f32], classes: usize, first: usize, threshold: f64) -> Self {
        assert!(classes > 0 && first > 0 && logits.len() >= first * classes, "at least one step that counts");
        let mut mean = vec![0.0; classes];
        let mut most_confident = (0, 0, f64::NEG_INFINITY);
        let mut decided = None;
        let mut last = 0;
        for (index, logits) in logits.chunks_exact(classes).enumerate().skip(first - 1) {
            let (class, confidence) = confidence(logits);
            last = class;
            if confidence > most_confident.2 {
                most_confident = (class, index + 1, confidence);
            }
            if confidence >= threshold && decided.is_none() {
                decided = Some((class, index + 1));
            }
            for (sum, &logit) in mean.iter_mut().zip(logits) {
                *sum += f64::from(logit);
            }
        }
        Self {
            last,
            mean: largest(mean.into_iter()).0,
            most_confident: most_confident.0,
            most_confident_step: most_confident.1,
            threshold: decided,
        }
    }
}

/// The best class and its softmax probability.
fn confidence(logits: &[f32]) -> (usize, f64) {
    let values = || logits.iter().map(|&logit| f64::from(logit));
    let (class, most) = largest(values());
    (class, 1.0 / values().map(|logit| (logit - most).exp()).sum::<f64>())
}

/// Place and value of the largest; the first of several.
fn largest(values: impl Iterator<Item = f64>) -> (usize, f64) {
    values.enumerate().fold((0, f64::NEG_INFINITY), |best, (index, value)| match value > best.1 {
        true => (index, value),
        false => best,
    })
}

/// What the decoders found over a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecoderReport {
    /// First step whose logits depend on the image; earlier ones do not count.
    pub first_image_step: usize,
    /// Number of images.
    pub images: u64,
    /// Accuracy by the last step, 0 to 1.
    pub last_accuracy: f64,
    /// Accuracy by the mean of the logits over time.
    pub mean_accuracy: f64,
    /// Accuracy at each image's most confident step.
    pub maximum_confidence_accuracy: f64,
    /// Mean of that step, from 1.
    pub maximum_confidence_step: f64,
    /// Decisions as soon as the confidence reaches a threshold.
    pub threshold: ThresholdReport,
}

/// What deciding at a threshold found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThresholdReport {
    /// Softmax probability of the best class that ends the run.
    pub threshold: f64,
    /// Mean step of the decision among decided images, from 1; none if no image is decided.
    pub mean_step: Option<f64>,
    /// Share of images that never reach the threshold.
    pub undecided: f64,
    /// Accuracy among decided images; none if no image is decided.
    pub decided_accuracy: Option<f64>,
    /// Accuracy over all images, the undecided ones answered at the last step.
    pub accuracy: f64,
}

/// Counts decisions over a data set, all decoders in one pass.
#[derive(Clone, Debug)]
pub struct DecoderTally {
    first: usize,
    threshold: f64,
    images: u64,
    last: u64,
    mean: u64,
    most_confident: u64,
    most_confident_steps: u64,
    decided: u64,
    decided_right: u64,
    decided_steps: u64,
    answered: u64,
}

impl DecoderTally {
    /// Counts from step `first` (from 1) on, with a threshold of the softmax probability.
    pub fn new(first: usize, threshold: f64) -> Self {
        Self {
            first,
            threshold,
            images: 0,
            last: 0,
            mean: 0,
            most_confident: 0,
            most_confident_steps: 0,
            decided: 0,
            decided_right: 0,
            decided_steps: 0,
            answered: 0,
        }
    }

    /// Takes one image's logits, `[steps, classes]`, and its class.
    pub fn add(&mut self, logits: &[f32], classes: usize, label: usize) {
        let decisions = Decisions::new(logits, classes, self.first, self.threshold);
        let right = |class: usize| u64::from(class == label);
        self.images += 1;
        self.last += right(decisions.last);
        self.mean += right(decisions.mean);
        self.most_confident += right(decisions.most_confident);
        self.most_confident_steps += decisions.most_confident_step as u64;
        self.answered += right(decisions.threshold.map_or(decisions.last, |(class, _)| class));
        if let Some((class, step)) = decisions.threshold {
            self.decided += 1;
            self.decided_right += right(class);
            self.decided_steps += step as u64;
        }
    }

    /// Shares and means of what was counted.
    pub fn report(&self) -> DecoderReport {
        let of = |sum: u64, count: u64| sum as f64 / count as f64;
        let share = |sum: u64| of(sum, self.images.max(1));
        let among_decided = |sum: u64| (self.decided > 0).then(|| of(sum, self.decided));
        DecoderReport {
            first_image_step: self.first,
            images: self.images,
            last_accuracy: share(self.last),
            mean_accuracy: share(self.mean),
            maximum_confidence_accuracy: share(self.most_confident),
            maximum_confidence_step: share(self.most_confident_steps),
            threshold: ThresholdReport {
                threshold: self.threshold,
                mean_step: among_decided(self.decided_steps),
                undecided: share(self.images - self.decided),
                decided_accuracy: among_decided(self.decided_right),
                accuracy: share(self.answered),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits of two classes whose softmax probability of class 1 is `share`.
    fn two(share: f64) -> [f32; 2] {
        [0.0, (share / (1.0 - share)).ln() as f32]
    }

    #[test]
    fn each_decoder_decides_by_its_own_rule() {
        // Class 1 until step 3, then surely class 0. The mean: ln(0.6/0.4) + ln(3) + ln(4) = 2.89 is less than
        // ln(0.95/0.05) = 2.94.
        let steps = [two(0.6), two(0.75), two(0.8), two(0.05)];
        let decisions = Decisions::new(&steps.concat(), 2, 1, 0.7);
        let expected =
            Decisions { last: 0, mean: 0, most_confident: 0, most_confident_step: 4, threshold: Some((1, 2)) };
        assert_eq!(decisions, expected);
        let steps = [two(0.6), two(0.75), two(0.85), two(0.2)];
        let decisions = Decisions::new(&steps.concat(), 2, 1, 0.9);
        let expected = Decisions { last: 0, mean: 1, most_confident: 1, most_confident_step: 3, threshold: None };
        assert_eq!(decisions, expected);
    }

    #[test]
    fn steps_before_the_first_image_driven_one_do_not_count() {
        // A bias makes the net sure of class 1 before it sees anything.
        let steps = [two(0.999), two(0.999), two(0.3), two(0.2)];
        let decisions = Decisions::new(&steps.concat(), 2, 3, 0.75);
        let expected =
            Decisions { last: 0, mean: 0, most_confident: 0, most_confident_step: 4, threshold: Some((0, 4)) };
        assert_eq!(decisions, expected);
        assert_eq!(Decisions::new(&steps.concat(), 2, 1, 0.75).threshold, Some((1, 1)));
    }

    #[test]
    fn of_equals_the_first_and_large_logits_do_no_harm() {
        let decisions = Decisions::new(&[1000.0, 1000.0, 0.0, -1000.0, -1000.0, -3000.0], 3, 1, 0.5);
        assert_eq!((decisions.last, decisions.most_confident_step, decisions.threshold), (0, 1, Some((0, 1))));
    }

    #[test]
    fn the_report_counts_shares_and_means() {
        let mut tally = DecoderTally::new(1, 0.7);
        let mut add = |steps: [f64; 2], label| tally.add(&steps.map(two).concat(), 2, label);
        add([0.75, 0.6], 1); // decided at step 1, right
        add([0.6, 0.9], 0); // decided at step 2, wrong
        add([0.6, 0.65], 1); // undecided, right at the last step
        add([0.6, 0.55], 0); // undecided, wrong at the last step
        let report = tally.report();
        assert_eq!((report.images, report.last_accuracy, report.mean_accuracy), (4, 0.5, 0.5));
        assert_eq!(report.maximum_confidence_step, (1.0 + 2.0 + 2.0 + 1.0) / 4.0);
        let expected = ThresholdReport {
            threshold: 0.7,
            mean_step: Some(1.5),
            undecided: 0.5,
            decided_accuracy: Some(0.5),
            accuracy: 0.5,
        };
        assert_eq!(report.threshold, expected);
        let none = DecoderTally::new(1, 0.9).report().threshold;
        assert_eq!((none.mean_step, none.decided_accuracy), (None, None));
    }
}
