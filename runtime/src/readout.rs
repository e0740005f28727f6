//! Deciding on a class over time, on the device.

use crate::backend::Backend;
use crate::session::Session;
use crate::view::LengthError;

/// How the scores of several steps become one decision. Steps before the first image-driven one do
/// not count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// The scores of the last step.
    Last,
    /// The mean of the scores.
    Mean,
    /// The scores of the last step, and done as soon as the softmax probability of the best class
    /// reaches the threshold: early exit.
    Confidence(f32),
}

/// The decision so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The best class; the first of several.
    pub class: usize,
    /// Its softmax probability, 0 to 1.
    pub confidence: f32,
    /// Steps that counted.
    pub steps: u32,
    /// Whether a [`Rule::Confidence`] has reached its threshold.
    pub is_done: bool,
}

/// Follows the scores of a session from step to step.
#[derive(Debug)]
pub struct Readout<'scores> {
    rule: Rule,
    scores: &'scores mut [f32],
    steps: u32,
}

impl<'scores> Readout<'scores> {
    /// Starts a read-out; `scores` has one element a class and holds what the rule accumulates.
    pub fn new(rule: Rule, scores: &'scores mut [f32]) -> Self {
        let mut readout = Self { rule, scores, steps: 0 };
        readout.reset();
        readout
    }

    /// Forgets all steps, for the next image.
    pub fn reset(&mut self) {
        self.steps = 0;
        self.scores.fill(0.0);
    }

    /// Takes the scores of the step that has just ended. None until the first image-driven step.
    pub fn update<B: Backend>(&mut self, session: &Session<'_, '_, B>) -> Result<Option<Decision>, LengthError> {
        let logits = session.logits_raw();
        if logits.len() != self.scores.len() {
            return Err(LengthError { expected: logits.len(), found: self.scores.len() });
        }
        if !session.is_image_driven() {
            return Ok(None);
        }
        self.steps = self.steps.saturating_add(1);
        let steps = self.steps as f32;
        for (class, score) in self.scores.iter_mut().enumerate() {
            let new = logits.real(class).unwrap_or(0.0);
            match self.rule {
                Rule::Last | Rule::Confidence(_) => *score = new,
                // The running mean: no sum that grows without limit.
                Rule::Mean => *score += (new - *score) / steps,
            }
        }
        Ok(Some(self.decision()))
    }

    /// The scores that the decision rests on.
    pub fn scores(&self) -> &[f32] {
        self.scores
    }

    fn decision(&self) -> Decision {
        let mut best = (0, f32::NEG_INFINITY);
        for (class, &score) in self.scores.iter().enumerate() {
            if score > best.1 {
                best = (class, score);
            }
        }
        let sum: f32 = self.scores.iter().map(|&score| exponential(score - best.1)).sum();
        let confidence = if sum > 0.0 { 1.0 / sum } else { 0.0 };
        let is_done = match self.rule {
            Rule::Last | Rule::Mean => false,
            Rule::Confidence(threshold) => confidence >= threshold,
        };
        Decision { class: best.0, confidence, steps: self.steps, is_done }
    }
}

/// `exp(x)` for `x <= 0`, to about 2e-7 (1 + |x|) relative: `2^n * 2^f` with a polynomial for `2^f`, so that
/// int8 firmware needs no math library.
fn exponential(x: f32) -> f32 {
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    let scaled = x * LOG2_E;
    if scaled < -126.0 {
        return 0.0;
    }
    // Truncation goes towards zero, so the rest lies in (-1, 0].
    let whole = scaled as i32;
    let rest = (scaled - whole as f32) * core::f32::consts::LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for divisor in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0] {
        term *= rest / divisor;
        sum += term;
    }
    f32::from_bits((whole.wrapping_add(127) as u32) << 23) * sum
}

#[cfg(test)]
mod tests {
    use super::exponential;

    #[test]
    fn the_exponential_is_close_to_the_exact_one() {
        for step in 0..=8000 {
            let x = f64::from(-(step as f32) / 100.0);
            // e^x by squaring a Taylor sum of x / 1024 in f64.
            let small = x / 1024.0;
            let mut exact =
                1.0 + small * (1.0 + small / 2.0 * (1.0 + small / 3.0 * (1.0 + small / 4.0 * (1.0 + small / 5.0))));
            for _ in 0..10 {
                exact *= exact;
            }
            let found = f64::from(exponential(x as f32));
            assert!((found - exact).abs() <= 2e-7 * (1.0 - x) * exact, "exp({x}) = {found}, expected {exact}");
        }
    }
}
