//! The options of `convrnn-train train`, and the run that they ask for.

mod choices;
mod settings;

use super::network_options::NetworkOptions;
use crate::data::Share;
use crate::data::source::DATA_HELP;
use crate::loss::WeightedStep;
use crate::sequence::Sequence;
use choices::{LastBatchName, PrecisionName, Recipe, ScheduleName, SelectOn};
use clap::Args;
pub(super) use settings::selection_of;
use std::path::PathBuf;

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

    #[command(flatten)]
    network: NetworkOptions,
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

#[cfg(test)]
mod tests;
