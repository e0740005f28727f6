//! The options of `convrnn-train train`, and the run that they ask for.

use crate::data::Share;
use crate::data::source::DATA_HELP;
use crate::error::{Result, TrainerError};
use crate::executor::Precision;
use crate::loss::{LossSettings, WeightedStep};
use crate::optimizer::{OptimizerSettings, WeightDecay};
use crate::schedule::Schedule;
use crate::selection::Selection;
use crate::sequence::Sequence;
use crate::settings::{AugmentationSettings, LastBatch, Settings};
use crate::training::{Changes, Job};
use crate::unroll::{Unroll, presentation};
use clap::{Args, ValueEnum};
use convrnn_models::{Architecture, catalogue};
use std::path::PathBuf;

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleName {
    /// Divided by 10 when the error on the images that choose (see --hold-out) has not improved for --patience epochs.
    Plateau,
    /// Divided by 10 after each epoch of --milestones.
    Steps,
    /// Half a cosine, from the full rate to 0.
    Cosine,
    /// No change.
    Constant,
}

/// Which images choose the best epoch.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SelectOn {
    /// The validation split, or held-out training images: see --hold-out.
    Validation,
    /// The test split, with a warning: their accuracy is then no estimate for new images.
    Test,
}

/// The images that are too few for a whole batch.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LastBatchName {
    /// They are left out; the order is drawn anew each epoch, so each leaves out others.
    Drop,
    /// They make a smaller batch, whose mean gradient makes a training step as that of a whole one does; within --accumulate,
    /// a batch counts by its images.
    Keep,
}

/// What convolutions multiply in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PrecisionName {
    /// Single precision.
    F32,
    /// bfloat16; weights, states, sums of gradients and all other arithmetic stay in f32, and so does evaluation.
    Bf16,
}

/// Options that belong together.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Recipe {
    /// As residual networks are trained (He et al. 2016): the defaults of --batch, --learning-rate,
    /// --momentum, --weight-decay, --clip and --schedule, with the shorter side scaled to 8/7 to 15/7 of the
    /// input's (256 to 480 for 224 pixels), flip, and colour jitter where images have colours.
    Resnet,
}

/// What only a new run takes.
const OPTIONS_OF_A_NEW_RUN: [&str; 39] = [
    "architecture",
    "run",
    "recipe",
    "batch",
    "last_batch",
    "learning_rate",
    "schedule",
    "patience",
    "milestones",
    "warm_up",
    "momentum",
    "weight_decay",
    "weight_decay_of",
    "clip",
    "accumulate",
    "ema_decay",
    "precision",
    "loss_steps",
    "label_smoothing",
    "steps",
    "image_steps",
    "unroll",
    "no_trimming",
    "sequence",
    "short_side",
    "shift",
    "flip",
    "colour_jitter",
    "background",
    "orientation",
    "skip_damaged",
    "limit",
    "hold_out",
    "select_on",
    "save_every",
    "seed",
    "threads",
    "device",
    "classes",
];

/// What goes on the end of `--help`.
const RULES: &str = "\
Which images choose the best epoch (checkpoint `best`, and when schedule plateau lowers the rate):
  the validation split where the data set has one; otherwise training images that are held out (--hold-out), a tenth if not
  given. Test images choose only with --select-on test. Limits come first: train-limit of the data source, then --limit of
  those, then --hold-out of what is left.

More epochs (--resume RUN --epochs N), by the run's schedule:
  constant   the rate stays as it is
  steps      divided after the same epochs as before
  plateau    goes on as it stands, divisions and epochs without improvement so far included
             with these three the result is, to the bit, that of a run started with N epochs
  cosine     follows the cosine over N epochs from here on: the rate jumps up to 0.5 (1 + cos(pi e / N)) of the base rate
             after e epochs; the result is not that of a run started with N epochs";

/// Options of a new run; with --resume all of them but --data and --epochs come from the run's own training.toml.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{RULES}\n\nData sources:\n{DATA_HELP}"))]
pub struct Train {
    /// Name from `convrnn-train list`, or an architecture file (.toml).
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "resume")]
    architecture: Option<String>,
    /// Data set: mnist:DIR, idx:DIR, cluttered:DIR, folder:PATH or rendered, with options after commas (see below).
    #[arg(long, value_name = "SOURCE", required_unless_present = "resume")]
    data: Option<String>,
    /// Go on with the last checkpoint of this run folder, with the options that it was started with. Two others can be given:
    /// --data where the same data lie elsewhere now (names and labels are compared), and --epochs for another number of epochs
    /// in all (see below).
    #[arg(long, value_name = "RUN", conflicts_with_all = OPTIONS_OF_A_NEW_RUN)]
    pub(super) resume: Option<PathBuf>,
    /// Folder of the run, which must not exist yet; runs/<architecture>-<number> if not given.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    /// Options that belong together; an option given beside it wins.
    #[arg(long, value_enum)]
    recipe: Option<Recipe>,
    /// Passes over the training images; 10 if not given, 0 for the untrained network (see also `convrnn-train init`).
    #[arg(long)]
    epochs: Option<usize>,
    /// Images a batch.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// What becomes of the images of an epoch that are too few for a whole batch.
    #[arg(long, value_enum, default_value = "drop")]
    last_batch: LastBatchName,
    /// Base learning rate.
    #[arg(long, default_value_t = 0.01)]
    learning_rate: f64,
    /// How the learning rate changes.
    #[arg(long, value_enum, default_value = "plateau")]
    schedule: ScheduleName,
    /// Epochs without improvement before the rate is divided by 10 (schedule plateau); 3 if not given.
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<usize>,
    /// Epochs after which the rate is divided by 10, with commas between (schedule steps); 30,60,90 if not given.
    #[arg(long, value_name = "EPOCHS", value_delimiter = ',')]
    milestones: Option<Vec<usize>>,
    /// Epochs over which the rate rises linearly from 0.
    #[arg(long, default_value_t = 0.0)]
    warm_up: f64,
    /// Nesterov momentum.
    #[arg(long, default_value_t = 0.9)]
    momentum: f64,
    /// L2 coefficient of every trained tensor.
    #[arg(long, default_value_t = 1e-4)]
    weight_decay: f64,
    /// Another L2 coefficient for a group: weight, bias, cell-weight, cell-bias, normalization. May be given several times.
    #[arg(long, value_name = "GROUP=VALUE")]
    weight_decay_of: Vec<String>,
    /// Gradients are clipped to ± this value, element by element; 0 for none.
    #[arg(long, default_value_t = 0.7)]
    clip: f64,

    /// Batches whose mean gradient makes one training step; schedules count training steps. A run that is
    /// stopped within a step does that step again.
    #[arg(long, value_name = "BATCHES", default_value_t = 1)]
    accumulate: usize,
    /// Keep a moving average of the weights with this decay (0.999, say), and evaluate, choose the best by
    /// and export the average; no average if not given.
    #[arg(long, value_name = "DECAY")]
    ema_decay: Option<f64>,
    /// What convolutions multiply in while training.
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionName,
    /// Time steps whose cross-entropy counts, and how much: the loss is the sum of weight x cross-entropy
    /// (12=0.5,17=1); the weights count as they are. Only the last step, with weight 1, if not given.
    #[arg(long, value_name = "STEP=WEIGHT", value_delimiter = ',')]
    loss_steps: Vec<WeightedStep>,
    /// Share of the target that is spread evenly over all classes.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    label_smoothing: f64,

    /// Classes to tell apart: channels of the architecture's last layer; as the architecture says if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    classes: Option<u16>,
    /// Number of steps, T; as the architecture says if not given.
    #[arg(long, value_name = "T", conflicts_with = "unroll")]
    steps: Option<usize>,
    /// Steps the image is on show, then blank; as the architecture says if not given.
    #[arg(long, value_name = "N", conflicts_with = "unroll")]
    image_steps: Option<usize>,
    /// Number of steps by rule.
    #[arg(long, value_enum, default_value = "full")]
    unroll: Unroll,
    /// Compute every value at every step for the whole batch, also where the result is the same.
    #[arg(long)]
    no_trimming: bool,
    /// What images do: `still`; `shift=PIXELS`, move by that many pixels a step in one of eight directions,
    /// drawn anew each epoch; `stream=N`, follow each other, N in a run, states carried over; `stream-reset=N`,
    /// the same with zero states before each. Steps count from the moment an image appears.
    #[arg(long, value_name = "SEQUENCE", default_value = "still")]
    sequence: Sequence,

    /// Scale the shorter side to a random number of pixels in this range, then crop (LOW,HIGH).
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 1)]
    short_side: Option<Vec<usize>>,
    /// Shift training images by up to this many pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    shift: usize,
    /// Mirror training images left and right, with probability one half.
    #[arg(long)]
    flip: bool,
    /// Jitter the colours of training images along their principal axes.
    #[arg(long)]
    colour_jitter: bool,
    /// What shows through transparent pixels of image files: white (if not given), black, gray, R,G,B (0 to 255 each), or
    /// none: alpha is dropped, as torchvision's ImageFolder does. Recorded in the checkpoint.
    #[arg(long, value_name = "COLOUR")]
    background: Option<String>,
    /// Whether the orientation that a camera recorded in image files (Exif) is applied; it is if not given, and torchvision's
    /// ImageFolder does not. Recorded in the checkpoint.
    #[arg(long, value_name = "apply|keep")]
    orientation: Option<String>,
    /// Go on without image files that cannot be decoded, and say how many; otherwise all of them are listed and nothing is
    /// trained.
    #[arg(long)]
    skip_damaged: bool,
    /// Use only this many training images, drawn evenly at random.
    #[arg(long, value_name = "IMAGES")]
    limit: Option<usize>,
    /// Hold out so many training images, or such a share of them, alike of every class, to choose the best epoch by; also where
    /// there is a validation split. If not given, 10% where there is none. 0 holds out none: then, without a validation split,
    /// the last epoch's weights are the best.
    #[arg(long, value_name = "IMAGES|P%")]
    hold_out: Option<Share>,
    /// Which images choose the best epoch.
    #[arg(long, value_enum, default_value = "validation")]
    select_on: SelectOn,

    /// Seconds between checkpoints within an epoch; 0 for one at every training step. The result is the same.
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    save_every: f64,
    /// Names the random streams of weights, order and augmentation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads that share each batch; all cores if not given. Another number of threads adds gradients
    /// in another order.
    #[arg(long)]
    threads: Option<usize>,
    /// `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    device: String,
}

impl Train {
    /// The run that these options ask for.
    pub(super) fn job(&self) -> Result<Job> {
        let mut architecture = catalogue::find(self.architecture.as_deref().unwrap_or_default())?;
        if let Some(classes) = self.classes {
            architecture.set_classes(classes.into());
        }
        let presentation = presentation(&architecture, self.unroll, self.steps, self.image_steps)?;
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
    pub(super) fn changes(&self) -> Changes {
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
pub(super) fn selection_of(hold_out: Option<Share>) -> Selection {
    match hold_out {
        None => Selection::default(),
        Some(none @ Share::Images(0)) => Selection::Automatic { hold_out: none },
        Some(share) => Selection::HeldOut { share, seed: None },
    }
}

#[cfg(test)]
#[path = "train_options_tests.rs"]
mod tests;
