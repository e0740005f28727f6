//! What the options ask for: settings of a new run, and changes of one that goes on.

use super::Train;
use super::choices::{LastBatchName, PrecisionName, Recipe, ScheduleName, SelectOn};
use crate::data::Share;
use crate::error::{Result, TrainerError};
use crate::executor::Precision;
use crate::loss::LossSettings;
use crate::optimizer::{OptimizerSettings, WeightDecay};
use crate::schedule::Schedule;
use crate::selection::Selection;
use crate::settings::{AugmentationSettings, LastBatch, Settings};
use crate::training::{Changes, Job};
use convrnn_models::Architecture;

impl Train {
    /// The run that these options ask for.
    pub(in crate::cli) fn job(&self) -> Result<Job> {
        let (architecture, presentation) = self.network.of(self.architecture.as_deref().unwrap_or_default())?;
        let mut settings = Settings {
            data: self.data_source(),
            limit: self.limit,
            selection: self.selection()?,
            epochs: self.epochs.unwrap_or(10),
            batch: self.batch,
            last_batch: match self.last_batch {
                LastBatchName::Drop => LastBatch::Drop,
                LastBatchName::Keep => LastBatch::Keep,
            },
            learning_rate: self.learning_rate,
            warm_up: self.warm_up,
            seed: self.seed,
            device: self.device.clone(),
            trimming: !self.no_trimming,
            accumulate: self.accumulate,
            ema_decay: self.ema_decay,
            precision: match self.precision {
                PrecisionName::F32 => Precision::F32,
                PrecisionName::Bf16 => Precision::Bf16,
            },
            sequence: self.sequence,
            save_every: self.save_every,
            loss: LossSettings { label_smoothing: self.label_smoothing, steps: self.loss_steps.clone() },
            schedule: self.schedule()?,
            optimizer: OptimizerSettings {
                momentum: self.momentum,
                weight_decay: self.weight_decays()?,
                clip: self.clip,
            },
            augmentation: self.augmentation(&architecture)?,
            ..Settings::default()
        };
        settings.threads = self.threads.unwrap_or(settings.threads);
        Ok(Job { architecture, presentation, settings, folder: self.run.clone(), start: None })
    }

    /// What changes when a run goes on.
    pub(in crate::cli) fn changes(&self) -> Changes {
        Changes { data: self.data.clone(), epochs: self.epochs }
    }

    fn selection(&self) -> Result<Selection> {
        match (self.select_on, self.hold_out) {
            (SelectOn::Validation, hold_out) => Ok(selection_of(hold_out)),
            (SelectOn::Test, None) => Ok(Selection::Test),
            (SelectOn::Test, Some(hold_out)) => Err(TrainerError::Invalid {
                what: "--select-on test",
                expected: "no --hold-out beside it".into(),
                found: format!("--hold-out {hold_out}"),
                hint: "leave out one of the two: held-out images choose, or the test images do".into(),
            }),
        }
    }

    /// The text after --data with what other options add to it.
    fn data_source(&self) -> String {
        let mut text = self.data.clone().unwrap_or_default();
        let background = self.background.as_ref().map(|colour| colour.replace(',', "/"));
        let skip_damaged = self.skip_damaged.then(|| "yes".to_owned());
        for (key, value) in
            [("background", background), ("orientation", self.orientation.clone()), ("skip-damaged", skip_damaged)]
        {
            text += &value.map_or(String::new(), |value| format!(",{key}={value}"));
        }
        text
    }

    fn augmentation(&self, architecture: &Architecture) -> Result<AugmentationSettings> {
        let (short_side, pad) = (self.short_side()?, self.shift);
        let given = AugmentationSettings { short_side, pad, flip: self.flip, colours: self.colour_jitter };
        match self.recipe {
            None => Ok(given),
            Some(Recipe::Resnet) => {
                let frame = architecture.lower()?.frame;
                let side = frame.height.max(frame.width);
                let range = (side * 8).div_ceil(7)..=side * 15 / 7;
                Ok(AugmentationSettings {
                    short_side: short_side.or(Some((*range.start(), *range.end()))),
                    flip: true,
                    colours: given.colours || frame.channels == 3,
                    ..given
                })
            }
        }
    }

    fn weight_decays(&self) -> Result<WeightDecay> {
        let mut decays = WeightDecay::uniform(self.weight_decay);
        for text in &self.weight_decay_of {
            let (group, value) = text.split_once('=').unwrap_or((text, ""));
            let group = match group {
                "weight" => Some(&mut decays.weight),
                "bias" => Some(&mut decays.bias),
                "cell-weight" => Some(&mut decays.cell_weight),
                "cell-bias" => Some(&mut decays.cell_bias),
                "normalization" => Some(&mut decays.normalization),
                _ => None,
            };
            match (group, value.parse()) {
                (Some(decay), Ok(value)) => *decay = value,
                _ => {
                    return Err(TrainerError::Invalid {
                        what: "--weight-decay-of",
                        expected: "GROUP=VALUE with a group of weight, bias, cell-weight, cell-bias, normalization"
                            .into(),
                        found: text.clone(),
                        hint: "for instance --weight-decay-of cell-weight=2e-4".into(),
                    });
                }
            }
        }
        Ok(decays)
    }

    fn schedule(&self) -> Result<Schedule> {
        let belongs = |what, is_given: bool, schedule: &str| match is_given {
            false => Ok(()),
            true => Err(TrainerError::Invalid {
                what,
                expected: format!("no value with this schedule, which is not `{schedule}`"),
                found: "one".into(),
                hint: format!("give --schedule {schedule} as well"),
            }),
        };
        if !matches!(self.schedule, ScheduleName::Plateau) {
            belongs("--patience", self.patience.is_some(), "plateau")?;
        }
        if !matches!(self.schedule, ScheduleName::Steps) {
            belongs("--milestones", self.milestones.is_some(), "steps")?;
        }
        Ok(match self.schedule {
            ScheduleName::Plateau => Schedule::Plateau { patience: self.patience.unwrap_or(3).max(1) },
            ScheduleName::Steps => {
                Schedule::Steps { after: self.milestones.clone().unwrap_or_else(|| vec![30, 60, 90]) }
            }
            ScheduleName::Cosine => Schedule::Cosine,
            ScheduleName::Constant => Schedule::Constant,
        })
    }

    fn short_side(&self) -> Result<Option<(usize, usize)>> {
        match self.short_side.as_deref() {
            None => Ok(None),
            Some(&[low, high]) => Ok(Some((low, high))),
            Some(other) => Err(TrainerError::Invalid {
                what: "--short-side",
                expected: "two numbers of pixels, LOW,HIGH".into(),
                found: format!("{other:?}"),
                hint: "for instance --short-side 256,480".into(),
            }),
        }
    }
}

/// What `--hold-out` says about which images choose.
pub(in crate::cli) fn selection_of(hold_out: Option<Share>) -> Selection {
    match hold_out {
        None => Selection::default(),
        Some(none @ Share::Images(0)) => Selection::Automatic { hold_out: none },
        Some(share) => Selection::HeldOut { share, seed: None },
    }
}
