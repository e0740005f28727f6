//! Figures of a run: one record an epoch, and where a run stands.

use crate::error::{Result, TrainerError};
use crate::schedule::ScheduleState;
use crate::state_norms::LayerNorm;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One epoch; a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: usize,
    /// Training steps so far.
    pub step: u64,
    /// Rate of the epoch's last step.
    pub learning_rate: f64,
    /// Mean training loss over the epoch's training images, in nats.
    pub train_loss: f64,
    /// Share of training images answered right at the last time step, while learning.
    pub train_accuracy: f64,
    /// Mean cross-entropy at the last time step over the test images, in nats.
    pub test_loss: f64,
    /// Share of test images answered right at the last time step.
    pub test_accuracy: f64,
    /// The same by time step, from step 1.
    pub test_accuracy_by_step: Vec<f64>,
    /// Root mean square of each layer's states by time step, on a fixed small batch of test images.
    pub state_norms: Vec<LayerNorm>,
    /// Training images a second, evaluation not counted.
    pub images_per_second: f64,
    /// Seconds of training and evaluation so far.
    pub seconds: f64,
}

/// Sums over the part of an epoch done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    /// Sum of the loss over images.
    pub loss: f64,
    /// Images answered right.
    pub correct: u64,
    /// Images seen.
    pub images: u64,
    /// Seconds spent.
    pub seconds: f64,
}

impl EpochSums {
    /// The sums over both parts.
    pub fn plus(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            correct: self.correct + other.correct,
            images: self.images + other.images,
            seconds: self.seconds + other.seconds,
        }
    }
}

/// Where a run stands: `state.json`. All random streams are named by seed, epoch and image, so these
/// numbers are the whole of the random state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Version of this file.
    pub format: u32,
    /// Whole epochs done.
    pub epoch: usize,
    /// Batches done in the epoch under way; a multiple of those that make one training step.
    pub batch: usize,
    /// Training steps done.
    pub step: u64,
    /// Names the random streams.
    pub seed: u64,
    /// Where the schedule stands.
    pub schedule: ScheduleState,
    /// Sums of the epoch under way.
    pub sums: EpochSums,
    /// Best test accuracy so far.
    pub best_accuracy: Option<f64>,
    /// Seconds of training and evaluation so far.
    pub seconds: f64,
}

/// Version of `state.json`.
pub const STATE_FORMAT: u32 = 1;

/// One line a record.
pub fn to_json_lines(metrics: &[EpochMetrics]) -> String {
    metrics.iter().map(|epoch| serde_json::to_string(epoch).expect("figures have a JSON form") + "\n").collect()
}

/// `summary.csv`: one row an epoch. State norms are those of the last time step.
pub fn to_csv(metrics: &[EpochMetrics]) -> String {
    let Some(first) = metrics.first() else { return String::new() };
    let mut text = String::from(
        "epoch,step,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,images_per_second,seconds",
    );
    text.extend((1..=first.test_accuracy_by_step.len()).map(|step| format!(",test_accuracy_step_{step}")));
    text.extend(first.state_norms.iter().map(|norm| format!(",state_norm_{}", norm.layer)));
    for epoch in metrics {
        let EpochMetrics { learning_rate, train_loss, train_accuracy, test_loss, test_accuracy, .. } = epoch;
        text += &format!("\n{},{},{learning_rate},{train_loss},{train_accuracy}", epoch.epoch, epoch.step);
        text += &format!(",{test_loss},{test_accuracy},{},{}", epoch.images_per_second, epoch.seconds);
        text.extend(epoch.test_accuracy_by_step.iter().map(|accuracy| format!(",{accuracy}")));
        let last = |norm: &LayerNorm| norm.by_step.last().map_or(String::new(), f64::to_string);
        text.extend(epoch.state_norms.iter().map(|norm| format!(",{}", last(norm))));
    }
    text + "\n"
}

/// Reads `metrics.jsonl`.
pub fn read_json_lines(path: &Path) -> Result<Vec<EpochMetrics>> {
    let text = convrnn_models::files::read_text(path)?;
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| TrainerError::Content {
            path: path.into(),
            message: format!("line {} is not a record of an epoch: {error}", number + 1),
        })
    };
    text.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_a_row_an_epoch_and_a_name_for_every_column() {
        let epoch = |epoch| EpochMetrics {
            epoch,
            step: 7,
            learning_rate: 0.5,
            train_loss: 2.0,
            train_accuracy: 0.25,
            test_loss: 1.5,
            test_accuracy: 0.75,
            test_accuracy_by_step: vec![0.125, 0.75],
            state_norms: vec![LayerNorm { layer: "layer1".into(), by_step: vec![0.0, 3.0] }],
            images_per_second: 64.0,
            seconds: 1.0,
        };
        let expected = "epoch,step,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,\
            images_per_second,seconds,test_accuracy_step_1,test_accuracy_step_2,state_norm_layer1\n\
            1,7,0.5,2,0.25,1.5,0.75,64,1,0.125,0.75,3\n2,7,0.5,2,0.25,1.5,0.75,64,1,0.125,0.75,3\n";
        assert_eq!(to_csv(&[epoch(1), epoch(2)]), expected);
        assert_eq!(to_csv(&[]), "");
    }
}
