//! `convrnn-train fine-tune`.

use super::eval::data_of;
use super::train::train;
use super::train_options::selection_of;
use crate::data::Share;
use crate::error::Result;
use crate::run_folder::checkpoint_of;
use crate::schedule::Schedule;
use crate::selection::Selection;
use crate::settings::Settings;
use crate::training::{Changes, Job, Trainer, types_of};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// What only a new run takes.
const OPTIONS_OF_A_NEW_RUN: [&str; 12] = [
    "checkpoint",
    "run",
    "batch",
    "learning_rate",
    "warm_up",
    "clip",
    "weight_decay",
    "limit",
    "hold_out",
    "seed",
    "threads",
    "device",
];

/// Learn on in int8: the network runs in the integers of its device program, and gradients pass straight through the
/// rounding. What is not an option here (loss, augmentation, sequence, steps) is as the network was trained.
#[derive(Debug, Args)]
pub struct FineTune {
    /// Checkpoint directory of a trained network, or run folder (its best checkpoint, or else its last).
    #[arg(required_unless_present = "resume")]
    checkpoint: Option<PathBuf>,
    /// Go on with the last checkpoint of this run folder, with the options that it was started with. Two others can be given:
    /// --data where the same data lie elsewhere now (names and labels are compared), and --epochs for another number of epochs
    /// in all: the learning rate then follows the cosine over all of them from here on (see `convrnn-train train --help`).
    #[arg(long, value_name = "RUN", conflicts_with_all = OPTIONS_OF_A_NEW_RUN)]
    resume: Option<PathBuf>,
    /// Data set; that of the training run if not given. See `convrnn-train train --help`.
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Folder of the new run, which must not exist yet; runs/<architecture>-<number> if not given.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Passes over the training images; 2 if not given.
    #[arg(long)]
    epochs: Option<usize>,
    /// Images a batch.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Base learning rate, which falls to 0 along half a cosine.
    #[arg(long, default_value_t = 0.002)]
    learning_rate: f64,
    /// Epochs over which the rate rises linearly from 0.
    #[arg(long, default_value_t = 0.1)]
    warm_up: f64,
    /// Gradients are clipped to ± this value, element by element; 0 for none; as in training if not given.
    #[arg(long)]
    clip: Option<f64>,
    /// L2 coefficient of every trained tensor.
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
    /// Use only this many training images, drawn evenly at random.
    #[arg(long, value_name = "IMAGES")]
    limit: Option<usize>,
    /// Hold out so many training images, or such a share of them, alike of every class, to choose the best epoch by; 0 for
    /// none. If not given, the images that chose when the network was trained. With another --limit or other data these are
    /// others, and a warning says how many of them the network has learnt from.
    #[arg(long, value_name = "IMAGES|P%")]
    hold_out: Option<Share>,
    /// Seconds between checkpoints within an epoch; 0 for one at every training step. The result is the same.
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    save_every: f64,
    /// Names the random streams of order and augmentation.
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

impl FineTune {
    pub fn run(self) -> Result<ExitCode> {
        train(|| match &self.resume {
            Some(folder) => Trainer::resume_with(folder, &Changes { data: self.data.clone(), epochs: self.epochs }),
            None => self.job()?.start(),
        })
    }

    fn job(&self) -> Result<Job> {
        let directory = checkpoint_of(self.checkpoint.as_deref().unwrap_or(std::path::Path::new("")));
        let (checkpoint, start, doubts) = types_of(&directory)?;
        for doubt in doubts {
            eprintln!("warning: {doubt}");
        }
        let trained = start.trained.settings.clone();
        let mut settings = Settings {
            data: self.data.clone().map_or_else(|| data_of(&directory), Ok)?,
            limit: self.limit,
            selection: self.selection(&trained),
            epochs: self.epochs.unwrap_or(2),
            batch: self.batch,
            learning_rate: self.learning_rate,
            warm_up: self.warm_up,
            seed: self.seed,
            device: self.device.clone(),
            save_every: self.save_every,
            quantized: true,
            ema_decay: None,
            accumulate: 1,
            precision: Default::default(),
            schedule: Schedule::Cosine,
            ..trained
        };
        settings.threads = self.threads.unwrap_or_else(|| Settings::default().threads);
        settings.optimizer.weight_decay = crate::optimizer::WeightDecay::uniform(self.weight_decay);
        settings.optimizer.clip = self.clip.unwrap_or(settings.optimizer.clip);
        let (architecture, presentation) = (checkpoint.architecture, checkpoint.description.presentation);
        Ok(Job { architecture, presentation, settings, folder: self.run.clone(), start: Some(start) })
    }

    /// What chooses: what is asked for, or else what chose when the network was trained. Held-out images are drawn as they
    /// were then, so that they are images that the network has not learnt from. Test images are not taken over.
    fn selection(&self, trained: &Settings) -> Selection {
        let asked = self.hold_out.map_or(trained.selection, |hold_out| selection_of(Some(hold_out)));
        let seed = match trained.selection {
            Selection::HeldOut { seed: Some(seed), .. } => seed,
            _ => trained.seed,
        };
        match asked {
            Selection::HeldOut { share, .. } => Selection::HeldOut { share, seed: Some(seed) },
            Selection::Test => Selection::default(),
            other => other,
        }
    }
}
