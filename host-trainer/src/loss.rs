//! What training minimises.

use crate::error::{Result, TrainerError};
use convrnn_graph::Presentation;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A time step and how much its cross-entropy counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedStep {
    /// From 1, counted from the moment an image appears.
    pub step: usize,
    /// Above 0.
    pub weight: f64,
}

/// The loss of one image with label y, in nats:
///
/// ```text
/// sum over chosen steps t of weight_t * crossentropy(logits_t, q)
/// q = (1 - label_smoothing) * onehot(y) + label_smoothing / classes
/// ```
///
/// The weights count as they are and are not made to sum to 1, so that adding a step leaves the others'
/// gradients alone; scale the learning rate with their sum. A batch's loss is the mean over its images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossSettings {
    /// Share of the target that is spread evenly over all classes, 0 to below 1.
    pub label_smoothing: f64,
    /// The chosen steps; none for the last step with weight 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<WeightedStep>,
}

impl LossSettings {
    /// The steps that count in a presentation of `steps` steps.
    pub fn terms(&self, steps: usize) -> Vec<WeightedStep> {
        if self.steps.is_empty() { vec![WeightedStep { step: steps, weight: 1.0 }] } else { self.steps.clone() }
    }

    /// Sum of the weights.
    pub fn total_weight(&self) -> f64 {
        self.terms(1).iter().map(|term| term.weight).sum()
    }

    /// Verifies that the steps are within a presentation, each once, and ranges.
    pub fn check(&self, presentation: &Presentation) -> Result<()> {
        let invalid = |what, expected: String, found: String, hint: &str| {
            Err(TrainerError::Invalid { what, expected, found, hint: hint.into() })
        };
        if !(0.0..1.0).contains(&self.label_smoothing) {
            let found = self.label_smoothing.to_string();
            return invalid("--label-smoothing", "0 to below 1".into(), found, "0.1 is usual");
        }
        for (index, term) in self.steps.iter().enumerate() {
            let repeated = self.steps[..index].iter().any(|other| other.step == term.step);
            if repeated || term.step == 0 || term.step > presentation.steps {
                let expected = format!("steps from 1 to {}, each once", presentation.steps);
                return invalid("--loss-steps", expected, term.to_string(), "see --steps for the length of a run");
            }
            if !(term.weight > 0.0 && term.weight <= 1e6) {
                let hint = "leave out a step that shall not count";
                return invalid("--loss-steps", "weights above 0, up to 1e6".into(), term.to_string(), hint);
            }
        }
        Ok(())
    }
}

impl fmt::Display for WeightedStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.step, self.weight)
    }
}

impl FromStr for WeightedStep {
    type Err = String;

    /// `STEP=WEIGHT`, or `STEP` for a weight of 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let (step, weight) = text.split_once('=').unwrap_or((text, "1"));
        match (step.trim().parse(), weight.trim().parse()) {
            (Ok(step), Ok(weight)) => Ok(Self { step, weight }),
            _ => Err("expected STEP=WEIGHT, for instance 12=0.5,17=1".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_and_verified() {
        let steps: Vec<WeightedStep> = ["12=0.5", "17"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(steps, [WeightedStep { step: 12, weight: 0.5 }, WeightedStep { step: 17, weight: 1.0 }]);
        assert!("x=1".parse::<WeightedStep>().is_err() && "3=".parse::<WeightedStep>().is_err());
        let loss = LossSettings { steps, ..Default::default() };
        assert_eq!(loss.total_weight(), 1.5);
        loss.check(&Presentation::held(17)).unwrap();
        let error = loss.check(&Presentation::held(16)).unwrap_err().to_string();
        assert!(error.contains("--loss-steps: expected steps from 1 to 16, each once, found 17=1"), "{error}");
        let with = |step, weight| LossSettings { steps: vec![WeightedStep { step, weight }], ..Default::default() };
        assert!(with(0, 1.0).check(&Presentation::held(3)).is_err());
        assert!(with(3, 0.0).check(&Presentation::held(3)).is_err());
        assert!(with(3, f64::NAN).check(&Presentation::held(3)).is_err());
        let smooth = LossSettings { label_smoothing: 1.0, ..Default::default() };
        assert!(smooth.check(&Presentation::held(3)).is_err());
        assert_eq!(LossSettings::default().terms(9), [WeightedStep { step: 9, weight: 1.0 }]);
    }
}
