//! All hyper-parameters of a run, as written to `training.toml`.

mod training_file;

use crate::data::{Augmentation, Dataset, principal_colours};
use crate::error::{Result, TrainerError};
use crate::executor::Precision;
use crate::loss::LossSettings;
use crate::metrics::RunState;
use crate::optimizer::{OptimizerSettings, WeightDecay};
use crate::schedule::Schedule;
use crate::selection::Selection;
use crate::sequence::Sequence;
use serde::{Deserialize, Serialize};
use tch::Device;
pub use training_file::{Ancestor, ImageIdentities, TrainingFile};

/// What a run was told to do. Everything that changes its numbers is here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The data set, as after `--data`.
    pub data: String,
    /// Training images used, drawn evenly at random; all if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Passes over the training images; 0 leaves the weights as they are drawn.
    pub epochs: usize,
    /// Images a batch.
    pub batch: usize,
    /// What becomes of the images that are too few for a whole batch.
    #[serde(default)]
    pub last_batch: LastBatch,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Epochs over which the rate rises linearly from 0.
    pub warm_up: f64,
    /// Names the random streams of weights, order and augmentation.
    pub seed: u64,
    /// Threads that share a batch on the CPU. Another number adds in another order.
    pub threads: usize,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Whether work is skipped where the result is the same.
    pub trimming: bool,
    /// Batches whose mean gradient makes one training step.
    pub accumulate: usize,
    /// Decay of the moving average of the weights; none for no average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// What convolutions multiply in while training; evaluation is always in f32.
    pub precision: Precision,
    /// What the images do while they are on show.
    pub sequence: Sequence,
    /// Whether training runs the network in the integers of its int8 form, gradients straight through.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quantized: bool,
    /// Seconds between checkpoints within an epoch. Changes no number of the result.
    pub save_every: f64,
    /// Which time steps count.
    pub loss: LossSettings,
    /// Which images choose the best epoch and steer the plateau schedule.
    #[serde(default)]
    pub selection: Selection,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Momentum, decay, clipping.
    pub optimizer: OptimizerSettings,
    /// Changes to training images.
    pub augmentation: AugmentationSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: String::new(),
            limit: None,
            epochs: 10,
            batch: 128,
            last_batch: LastBatch::Drop,
            learning_rate: 0.01,
            warm_up: 0.0,
            seed: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            device: "cpu".into(),
            trimming: true,
            accumulate: 1,
            ema_decay: None,
            precision: Precision::F32,
            sequence: Sequence::Still,
            quantized: false,
            save_every: 300.0,
            loss: LossSettings::default(),
            selection: Selection::default(),
            schedule: Schedule::Plateau { patience: 3 },
            optimizer: OptimizerSettings::default(),
            augmentation: AugmentationSettings::default(),
        }
    }
}

/// What becomes of the images of an epoch that are too few for a whole batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastBatch {
    /// They are left out; each epoch leaves out others.
    #[default]
    Drop,
    /// They make a smaller batch, whose mean gradient counts as that of a whole one.
    Keep,
}

/// Random changes to training images; none by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentationSettings {
    /// Range of the shorter side before a random crop, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_side: Option<(usize, usize)>,
    /// Largest shift in pixels.
    pub pad: usize,
    /// Mirror left and right.
    pub flip: bool,
    /// Colour jitter along the principal axes of the training colours.
    pub colours: bool,
}

impl AugmentationSettings {
    /// The data pipeline's form; measures the colours of the training images where they are wanted.
    pub fn resolve(&self, images: &dyn Dataset, mean: &[f32]) -> Result<Augmentation> {
        let colours = if self.colours { principal_colours(images)? } else { None };
        // Shifted-in borders have the mean gray, which is 0 after normalisation.
        let fill = mean.iter().map(|mean| (mean * 255.0).round().clamp(0.0, 255.0) as u8).collect();
        let augmentation = Augmentation { short_side: self.short_side, pad: self.pad, flip: self.flip, colours, fill };
        augmentation.check(images.shape())?;
        Ok(augmentation)
    }
}

impl Settings {
    /// Verifies ranges.
    pub fn check(&self) -> Result<()> {
        let OptimizerSettings { momentum, weight_decay, clip } = self.optimizer;
        let finite = |value: f64, low: f64, high: f64| value.is_finite() && value >= low && value <= high;
        let within = |decay: &WeightDecay| decay.values().into_iter().all(|value| finite(value, 0.0, 1.0));
        let (decay, images) = (self.ema_decay.unwrap_or(0.0), self.sequence.images_per_run().max(1));
        let rules = [
            ("--epochs", self.epochs <= 1_000_000, "0 to 1000000", self.epochs.to_string()),
            ("--batch", self.batch >= 1, "at least 1", self.batch.to_string()),
            ("--threads", self.threads >= 1 && self.threads <= 1024, "1 to 1024", self.threads.to_string()),
            ("--learning-rate", finite(self.learning_rate, 0.0, 1e3), "0 to 1000", self.learning_rate.to_string()),
            ("--warm-up", finite(self.warm_up, 0.0, 1e6), "a number of epochs, 0 or more", self.warm_up.to_string()),
            ("--momentum", finite(momentum, 0.0, 0.9999), "0 to 0.9999", momentum.to_string()),
            ("--weight-decay", within(&weight_decay), "0 to 1 for every group", format!("{:?}", weight_decay.values())),
            ("--accumulate", self.accumulate >= 1, "at least 1", self.accumulate.to_string()),
            ("--ema-decay", finite(decay, 0.0, 0.999_999), "0 to 0.999999", decay.to_string()),
            ("--save-every", finite(self.save_every, 0.0, 1e9), "seconds, 0 or more", self.save_every.to_string()),
            ("--batch", self.batch.is_multiple_of(images), "a multiple of the images a stream", self.batch.to_string()),
            (
                "--last-batch",
                self.last_batch == LastBatch::Drop || images == 1,
                "drop, where images are shown in streams, which must be whole",
                "keep".into(),
            ),
            ("--clip", finite(clip, 0.0, 1e9), "0 (none) or more", clip.to_string()),
        ];
        for (what, holds, expected, found) in rules {
            if !holds {
                let hint = "see convrnn-train train --help".to_owned();
                return Err(TrainerError::Invalid { what, expected: expected.into(), found, hint });
            }
        }
        if self.selection == Selection::Last && matches!(self.schedule, Schedule::Plateau { .. }) {
            return Err(TrainerError::Invalid {
                what: "--schedule",
                expected: "one that needs no measured accuracy, where no images are held out and the data set has no \
                           validation split"
                    .into(),
                found: "plateau".into(),
                hint: "give --schedule cosine, steps or constant, or hold out images (--hold-out 10%)".into(),
            });
        }
        parse_device(&self.device).map(|_| ())
    }

    /// Images in the smallest batch of an epoch over a set of `images`, at least as many as a batch.
    pub fn smallest_batch(&self, images: usize) -> usize {
        match (self.last_batch, images % self.batch) {
            (LastBatch::Drop, _) | (LastBatch::Keep, 0) => self.batch,
            (LastBatch::Keep, rest) => rest,
        }
    }

    /// Training steps in an epoch of `batches` batches. The last one takes what is left.
    pub fn steps_per_epoch(&self, batches: usize) -> usize {
        batches.div_ceil(self.accumulate)
    }

    /// Batches in an epoch over a set of `images`.
    pub fn batches(&self, images: usize) -> usize {
        match self.last_batch {
            LastBatch::Drop => images / self.batch,
            LastBatch::Keep => images.div_ceil(self.batch),
        }
    }

    /// The learning rate of training step `step`, from 0, of a run that stands where `state` says, with so many batches an
    /// epoch.
    pub fn rate(&self, state: &RunState, step: u64, batches: usize) -> f64 {
        let steps_per_epoch = self.steps_per_epoch(batches);
        let progress = step as f64 / (steps_per_epoch * self.epochs).max(1) as f64;
        let factor = self.schedule.factor(&state.schedule, state.epoch, progress);
        self.learning_rate_at(factor, step, steps_per_epoch)
    }

    /// The learning rate of one training step: the schedule's, with the warm-up. `step` counts from 0.
    pub fn learning_rate_at(&self, factor: f64, step: u64, steps_per_epoch: usize) -> f64 {
        let warm_up_steps = self.warm_up * steps_per_epoch as f64;
        let rise = if warm_up_steps > 0.0 { ((step + 1) as f64 / warm_up_steps).min(1.0) } else { 1.0 };
        self.learning_rate * factor * rise
    }
}

/// Reads `cpu` or `cuda:N` and verifies that it is there.
pub fn parse_device(text: &str) -> Result<Device> {
    let invalid = |expected: &str, hint: String| {
        Err(TrainerError::Invalid { what: "--device", expected: expected.into(), found: text.into(), hint })
    };
    if text == "cpu" {
        return Ok(Device::Cpu);
    }
    let number = match text {
        "cuda" => Some(0),
        _ => text.strip_prefix("cuda:").and_then(|number| number.parse::<usize>().ok()),
    };
    let Some(number) = number else { return invalid("cpu or cuda:N", "N counts from 0".into()) };
    let count = tch::Cuda::device_count().max(0) as usize;
    if !tch::Cuda::is_available() || number >= count {
        let hint = format!("libtorch sees {count} CUDA devices; use --device cpu");
        return invalid("a device that libtorch can use", hint);
    }
    Ok(Device::Cuda(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_choose_by_and_a_schedule_that_needs_it_are_refused() {
        let error = Settings { selection: Selection::Last, ..Default::default() }.check().unwrap_err().to_string();
        assert!(error.starts_with("--schedule: expected") && error.contains("--hold-out 10%"), "{error}");
        let schedule = Schedule::Cosine;
        Settings { selection: Selection::Last, schedule, ..Default::default() }.check().unwrap();
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let error = Settings { batch: 0, ..Default::default() }.check().unwrap_err().to_string();
        assert!(error.starts_with("--batch: expected at least 1, found 0"), "{error}");
        let error = parse_device("cuda:x").unwrap_err().to_string();
        assert!(error.contains("expected cpu or cuda:N, found cuda:x"), "{error}");
    }

    #[test]
    fn warm_up_rises_to_the_base_rate() {
        let settings = Settings { warm_up: 2.0, learning_rate: 0.5, ..Default::default() };
        assert!((settings.learning_rate_at(1.0, 0, 10) - 0.025).abs() < 1e-12);
        assert!((settings.learning_rate_at(1.0, 19, 10) - 0.5).abs() < 1e-12);
        assert!((settings.learning_rate_at(0.1, 500, 10) - 0.05).abs() < 1e-12);
    }
}
