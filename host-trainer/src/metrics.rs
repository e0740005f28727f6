//! Figures of a run: one record an epoch, and where a run stands.

use crate::error::{Result, TrainerError};
use crate::schedule::ScheduleState;
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
