//! Training: epochs, checkpoints, interruption, resumption.

mod epoch;
mod explosion;
mod job;

pub use job::Job;

use crate::checkpoint::{TrainingCheckpoint, recover};
use crate::data::{Augmentation, SharedDataset, Split, Subset};
use crate::error::{Result, TrainerError};
use crate::evaluation::check_classes;
use crate::metrics::{EpochMetrics, RunState};
use crate::optimizer::Optimizer;
use crate::parameters::{from_tensors, to_tensors};
use crate::run_folder::{BEST, LAST, METRICS, PLOTS, SUMMARY, TENSORBOARD};
use crate::settings::{Settings, TrainingFile, parse_device};
use convrnn_graph::StepGraph;
use convrnn_models::Architecture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::Tensor;

/// What happens during training, for progress bars and tests.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// One training step is done.
    Batch {
        /// Epoch under way, from 1.
        epoch: usize,
        /// Batches done in it.
        batch: usize,
        /// Batches in it.
        batches: usize,
        /// Mean loss of the epoch so far.
        loss: f64,
        /// Training accuracy of the epoch so far.
        accuracy: f64,
    },
    /// An epoch is done and measured.
    Epoch(&'a EpochMetrics),
}

/// Whether training goes on after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It saves and ends.
    Stop,
}

/// How training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs are done.
    Finished,
    /// Stopped and saved; `Job` can go on from here.
    Interrupted {
        /// Whole epochs done.
        epoch: usize,
        /// Batches done in the next one.
        batch: usize,
    },
}

/// A training run under way.
pub struct Trainer {
    folder: PathBuf,
    architecture: Architecture,
    graph: StepGraph,
    training: TrainingFile,
    train: SharedDataset,
    test: SharedDataset,
    augmentation: Augmentation,
    calibration: Vec<u8>,
    parameters: Vec<Tensor>,
    optimizer: Optimizer,
    state: RunState,
    metrics: Vec<EpochMetrics>,
}

impl Trainer {
    /// Goes on from the last checkpoint of a run folder.
    pub fn resume(folder: &Path) -> Result<Self> {
        let last = folder.join(LAST);
        recover(&last)?;
        let (checkpoint, graph) = TrainingCheckpoint::read(&last)?;
        let (train, test) = load(&checkpoint.training.settings)?;
        check_classes(&graph, &checkpoint.training.description, &train)?;
        Self::assemble(folder.to_path_buf(), graph, checkpoint, train, test)
    }

    fn assemble(
        folder: PathBuf,
        graph: StepGraph,
        checkpoint: TrainingCheckpoint,
        train: SharedDataset,
        test: SharedDataset,
    ) -> Result<Self> {
        let TrainingCheckpoint { architecture, training, parameters, velocity, state, metrics, calibration } =
            checkpoint;
        training.settings.check()?;
        let device = parse_device(&training.settings.device)?;
        let parameters = to_tensors(&graph, &parameters, device)?;
        let mut optimizer = Optimizer::new(&graph, &parameters, training.settings.optimizer)?;
        optimizer.restore(&to_tensors(&graph, &velocity, device)?)?;
        let augmentation = training.settings.augmentation.resolve(&*train, &training.description.preprocessing.mean)?;
        Ok(Self {
            folder,
            architecture,
            graph,
            training,
            train,
            test,
            augmentation,
            calibration,
            parameters,
            optimizer,
            state,
            metrics,
        })
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The network's step graph.
    pub fn graph(&self) -> &StepGraph {
        &self.graph
    }

    /// Class names, preprocessing, presentation, hyper-parameters.
    pub fn training(&self) -> &TrainingFile {
        &self.training
    }

    /// The weights, in the graph's order.
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// Where the run stands.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// One record an epoch.
    pub fn metrics(&self) -> &[EpochMetrics] {
        &self.metrics
    }

    /// The images that accuracy is measured on.
    pub fn test_images(&self) -> &SharedDataset {
        &self.test
    }

    /// The images that are learnt from.
    pub fn train_images(&self) -> &SharedDataset {
        &self.train
    }

    /// Trains to the end, or until an observer stops it; saved either way.
    pub fn run(&mut self, observer: &mut dyn FnMut(&Event) -> Flow) -> Result<Outcome> {
        while self.state.epoch < self.training.settings.epochs {
            if self.epoch(observer)? == Flow::Stop {
                self.save(LAST)?;
                return Ok(Outcome::Interrupted { epoch: self.state.epoch, batch: self.state.batch });
            }
        }
        Ok(Outcome::Finished)
    }

    /// Writes the checkpoint `last` or `best`.
    fn save(&self, name: &str) -> Result<()> {
        let checkpoint = TrainingCheckpoint {
            architecture: self.architecture.clone(),
            training: self.training.clone(),
            parameters: from_tensors(&self.parameters)?,
            velocity: from_tensors(self.optimizer.velocity())?,
            state: self.state.clone(),
            metrics: self.metrics.clone(),
            calibration: self.calibration.clone(),
        };
        // Weights that are not finite must never replace good ones.
        if let Err(source) = checkpoint.parameters.check(&self.graph) {
            return Err(convrnn_models::FileError::Parameters { path: self.folder.join(name), source }.into());
        }
        checkpoint.write(&self.graph, &self.folder.join(name))
    }

    /// Writes what an epoch leaves behind.
    fn save_epoch(&self, is_best: bool) -> Result<()> {
        self.save(LAST)?;
        if is_best {
            self.save(BEST)?;
        }
        let file = |name: &str, text: String| {
            convrnn_models::safetensors_file::write_whole(&self.folder.join(name), text.as_bytes())
        };
        file(METRICS, crate::metrics::to_json_lines(&self.metrics))?;
        file(SUMMARY, crate::metrics::to_csv(&self.metrics))?;
        crate::tensorboard::write(&self.folder.join(TENSORBOARD), &self.metrics)?;
        crate::plots::epochs(&self.folder.join(PLOTS), &self.metrics)
    }
}

/// The images to learn from and those to measure on.
fn load(settings: &Settings) -> Result<(SharedDataset, SharedDataset)> {
    let source = crate::data::Source::parse(&settings.data)?;
    let mut train = source.load(Split::Train)?;
    if let Some(limit) = settings.limit.filter(|&limit| limit < train.len()) {
        train = Arc::new(Subset::sample(train, limit, 0)?);
    }
    if settings.hold_out > 0 {
        if settings.hold_out >= train.len() {
            return Err(TrainerError::Invalid {
                what: "--hold-out",
                expected: format!("fewer than the {} training images", train.len()),
                found: settings.hold_out.to_string(),
                hint: "hold out a tenth of them, for instance".into(),
            });
        }
        let (rest, held_out) = Subset::hold_out(train, settings.hold_out, settings.seed)?;
        return Ok((Arc::new(rest), Arc::new(held_out)));
    }
    let test = source.load(Split::Test)?;
    Ok((train, test))
}
