//! Figures of a run: one record an epoch, and where a run stands.

use crate::error::{Result, TrainerError};
use crate::measurement::Measurement;
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
    /// What was measured on the images that choose; none where none do.
    #[serde(flatten, with = "crate::measurement")]
    pub measured: Option<Measurement>,
    /// Root mean square of each layer's states by time step, on a fixed small batch of the images that choose, or
    /// of training images where none do.
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
    /// Best accuracy so far on the images that choose; none where none do.
    pub best_accuracy: Option<f64>,
    /// The loss beside it. None also in runs of versions where the first of equally accurate epochs was the best: they go on so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_loss: Option<f64>,
    /// Seconds of training and evaluation so far.
    pub seconds: f64,
}

/// Version of `state.json`.
pub const STATE_FORMAT: u32 = 1;

impl EpochMetrics {
    /// Accuracy at the last time step on the images that choose.
    pub fn accuracy(&self) -> Option<f64> {
        self.measured.as_ref().map(|measured| measured.accuracy)
    }
}

impl RunState {
    /// Takes note of what an epoch gave on the images that choose, and says whether its weights are the best so far: those
    /// with the highest accuracy, of several the one with the smallest loss.
    pub fn observe(&mut self, accuracy: f64, loss: f64) -> bool {
        let is_best = match (self.best_accuracy, self.best_loss) {
            (None, _) => true,
            (Some(best), None) => accuracy > best,
            (Some(best), Some(best_loss)) => accuracy > best || (accuracy == best && loss < best_loss),
        };
        if is_best {
            let breaks_ties = self.best_accuracy.is_none() || self.best_loss.is_some();
            self.best_loss = breaks_ties.then_some(loss);
            self.best_accuracy = Some(accuracy);
        }
        is_best
    }

    /// The epoch whose weights are in the checkpoint `best`, or the last epoch where no images choose.
    pub fn best<'a>(&self, metrics: &'a [EpochMetrics]) -> Option<&'a EpochMetrics> {
        let is_best = |epoch: &&EpochMetrics| {
            let measured = epoch.measured.as_ref();
            measured.map(|measured| measured.accuracy) == self.best_accuracy
                && (self.best_loss.is_none() || measured.map(|measured| measured.loss) == self.best_loss)
        };
        match self.best_accuracy {
            Some(_) => metrics.iter().find(is_best),
            None => metrics.last(),
        }
    }
}

/// One line a record.
pub fn to_json_lines(metrics: &[EpochMetrics]) -> String {
    metrics.iter().map(|epoch| serde_json::to_string(epoch).expect("figures have a JSON form") + "\n").collect()
}

/// `summary.csv`: one row an epoch. State norms are those of the last time step.
pub fn to_csv(metrics: &[EpochMetrics]) -> String {
    let Some(first) = metrics.first() else { return String::new() };
    let mut text = String::from("epoch,step,learning_rate,train_loss,train_accuracy");
    if let Some(Measurement { split, .. }) = &first.measured {
        text += &format!(",{0}_loss,{0}_accuracy", split.key());
    }
    text += ",images_per_second,seconds";
    if let Some(Measurement { split, accuracy_by_step, .. }) = &first.measured {
        text.extend((1..=accuracy_by_step.len()).map(|step| format!(",{}_accuracy_step_{step}", split.key())));
    }
    text.extend(first.state_norms.iter().map(|norm| format!(",state_norm_{}", norm.layer)));
    for epoch in metrics {
        let EpochMetrics { learning_rate, train_loss, train_accuracy, measured, .. } = epoch;
        text += &format!("\n{},{},{learning_rate},{train_loss},{train_accuracy}", epoch.epoch, epoch.step);
        text.extend(measured.iter().map(|measured| format!(",{},{}", measured.loss, measured.accuracy)));
        text += &format!(",{},{}", epoch.images_per_second, epoch.seconds);
        let by_step = measured.iter().flat_map(|measured| &measured.accuracy_by_step);
        text.extend(by_step.map(|accuracy| format!(",{accuracy}")));
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
    use crate::selection::MeasuredSplit;

    fn epoch(epoch: usize, split: MeasuredSplit) -> EpochMetrics {
        EpochMetrics {
            epoch,
            step: 7,
            learning_rate: 0.5,
            train_loss: 2.0,
            train_accuracy: 0.25,
            measured: Some(Measurement { split, loss: 1.5, accuracy: 0.75, accuracy_by_step: vec![0.125, 0.75] }),
            state_norms: vec![LayerNorm { layer: "layer1".into(), by_step: vec![0.0, 3.0] }],
            images_per_second: 64.0,
            seconds: 1.0,
        }
    }

    #[test]
    fn the_summary_has_a_row_an_epoch_and_a_name_for_every_column() {
        for split in MeasuredSplit::ALL {
            let expected = "epoch,step,learning_rate,train_loss,train_accuracy,KEY_loss,KEY_accuracy,\
                images_per_second,seconds,KEY_accuracy_step_1,KEY_accuracy_step_2,state_norm_layer1\n\
                1,7,0.5,2,0.25,1.5,0.75,64,1,0.125,0.75,3\n2,7,0.5,2,0.25,1.5,0.75,64,1,0.125,0.75,3\n";
            assert_eq!(to_csv(&[epoch(1, split), epoch(2, split)]), expected.replace("KEY", split.key()));
        }
        let unmeasured = EpochMetrics { measured: None, ..epoch(1, MeasuredSplit::Test) };
        let expected = "epoch,step,learning_rate,train_loss,train_accuracy,images_per_second,seconds,state_norm_layer1\n\
            1,7,0.5,2,0.25,64,1,3\n";
        assert_eq!(to_csv(&[unmeasured]), expected);
        assert_eq!(to_csv(&[]), "");
    }

    #[test]
    fn records_name_the_images_and_those_of_earlier_versions_are_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            read_json_lines(file.path())
        };
        for split in MeasuredSplit::ALL {
            let metrics = [epoch(1, split), epoch(2, split)];
            let text = to_json_lines(&metrics);
            assert!(text.contains(&format!("\"{}_accuracy\":0.75", split.key())), "{text}");
            assert_eq!(read(&text).unwrap(), metrics);
        }
        let unmeasured = [EpochMetrics { measured: None, ..epoch(1, MeasuredSplit::Test) }];
        assert_eq!(read(&to_json_lines(&unmeasured)).unwrap(), unmeasured);
        // As versions wrote it that measured on test images only.
        let earlier = "{\"epoch\":1,\"step\":7,\"learning_rate\":0.5,\"train_loss\":2.0,\"train_accuracy\":0.25,\
            \"test_loss\":1.5,\"test_accuracy\":0.75,\"test_accuracy_by_step\":[0.125,0.75],\
            \"state_norms\":[{\"layer\":\"layer1\",\"by_step\":[0.0,3.0]}],\"images_per_second\":64.0,\"seconds\":1.0}\n";
        assert_eq!(read(earlier).unwrap(), [epoch(1, MeasuredSplit::Test)]);
        let error = read(&earlier.replace("\"test_loss\":1.5,", "")).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("test_loss"), "{error}");
    }

    #[test]
    fn the_best_epoch_is_the_most_accurate_then_the_one_with_the_smallest_loss() {
        let of = |mut state: RunState, figures: &[(f64, f64)]| {
            let mut epochs = Vec::new();
            for (number, &(accuracy, loss)) in (1..).zip(figures) {
                let mut epoch = epoch(number, MeasuredSplit::HeldOut);
                epoch.measured.iter_mut().for_each(|measured| (measured.accuracy, measured.loss) = (accuracy, loss));
                epochs.push(epoch);
                let is_best = state.observe(accuracy, loss);
                assert_eq!(state.best(&epochs).map(|best| best.epoch == number), Some(is_best));
            }
            state.best(&epochs).unwrap().epoch
        };
        let new = RunState::default;
        assert_eq!(of(new(), &[(0.5, 1.0)]), 1);
        assert_eq!(of(new(), &[(0.5, 1.0), (0.75, 0.9), (0.75, 0.8), (0.75, 0.85), (0.25, 0.1)]), 3);
        assert_eq!(of(new(), &[(1.0, 0.2), (1.0, 0.2)]), 1);
        // A run of a version that took the first goes on so.
        let old = RunState { best_accuracy: Some(0.5), ..new() };
        assert_eq!(of(old, &[(0.75, 0.9), (0.75, 0.8)]), 1);
        let unmeasured = |number| EpochMetrics { measured: None, ..epoch(number, MeasuredSplit::Test) };
        assert_eq!(new().best(&[unmeasured(1), unmeasured(2)]).unwrap().epoch, 2);
    }
}
