//! Training: epochs, checkpoints, interruption, resumption.

mod accumulation;
mod average;
mod data_report;
mod epoch;
mod explosion;
mod integers;
mod job;
mod learnt;
mod resume;

pub use integers::{Start, types_of};
pub(crate) use job::CALIBRATION_FRAMES;
pub use job::{Job, check};
pub use resume::Changes;

use crate::checkpoint::TrainingCheckpoint;
use crate::data::{Augmentation, DataReport, SharedDataset};
use crate::error::Result;
use crate::memory::caught;
use crate::metrics::{EpochMetrics, RunState};
use crate::optimizer::Optimizer;
use crate::parameters::{from_tensors, to_tensors};
use crate::run_folder::{BEST, LAST, Lock, METRICS, PLOTS, SUMMARY, TENSORBOARD};
use crate::selection::{RunImages, SelectionImages};
use crate::settings::{TrainingFile, parse_device};
use average::Average;
use convrnn_graph::StepGraph;
use convrnn_graph::quantize::ValueTypes;
use convrnn_models::Architecture;
use std::path::{Path, PathBuf};
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
    selection: Option<SelectionImages>,
    augmentation: Augmentation,
    calibration: Vec<u8>,
    /// The integer types that training computes with, where it does.
    types: Option<ValueTypes>,
    parameters: Vec<Tensor>,
    average: Option<Average>,
    optimizer: Optimizer,
    state: RunState,
    metrics: Vec<EpochMetrics>,
    /// Training steps done when `last` was written.
    saved_step: u64,
    report: Option<DataReport>,
    /// What a user should know of this start alone.
    notes: Vec<String>,
    _lock: Lock,
}

impl Trainer {
    fn assemble(
        folder: PathBuf,
        lock: Lock,
        graph: StepGraph,
        checkpoint: TrainingCheckpoint,
        images: RunImages,
    ) -> Result<Self> {
        let RunImages { train, selection } = images;
        let TrainingCheckpoint {
            architecture,
            training,
            parameters,
            trained,
            velocity,
            state,
            metrics,
            calibration,
            types,
        } = checkpoint;
        if training.settings.quantized != types.is_some() {
            let missing = convrnn_models::checkpoint::names::QUANTIZATION;
            return Err(convrnn_models::FileError::NotACheckpoint { path: folder.join(LAST), missing }.into());
        }
        training.settings.check()?;
        training.settings.loss.check(&training.description.presentation)?;
        let (height, width) = (graph.frame.height, graph.frame.width);
        training.settings.sequence.check(&training.description.presentation, height, width)?;
        let device = parse_device(&training.settings.device)?;
        let average = match training.settings.ema_decay {
            Some(decay) => Some(Average::new(decay, to_tensors(&graph, &parameters, device)?)),
            None => None,
        };
        let parameters = to_tensors(&graph, trained.as_ref().unwrap_or(&parameters), device)?;
        let mut optimizer = Optimizer::new(&graph, &parameters, training.settings.optimizer)?;
        optimizer.restore(&to_tensors(&graph, &velocity, device)?)?;
        let augmentation = training.settings.augmentation.resolve(&*train, &training.description.preprocessing.mean)?;
        Ok(Self {
            folder,
            architecture,
            graph,
            training,
            train,
            selection,
            augmentation,
            calibration,
            types,
            parameters,
            average,
            optimizer,
            saved_step: state.step,
            state,
            metrics,
            report: None,
            notes: Vec::new(),
            _lock: lock,
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

    /// The weights to evaluate, in the graph's order: the averaged ones where there is an average.
    pub fn parameters(&self) -> &[Tensor] {
        self.average.as_ref().map_or(&self.parameters, Average::tensors)
    }

    /// Where the run stands.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// One record an epoch.
    pub fn metrics(&self) -> &[EpochMetrics] {
        &self.metrics
    }

    /// The images that choose the best epoch, where any do.
    pub fn selection(&self) -> Option<&SelectionImages> {
        self.selection.as_ref()
    }

    /// The images that are learnt from.
    pub fn train_images(&self) -> &SharedDataset {
        &self.train
    }

    /// Trains to the end, or until an observer stops it; saved either way.
    pub fn run(&mut self, observer: &mut dyn FnMut(&Event) -> Flow) -> Result<Outcome> {
        while self.state.epoch < self.training.settings.epochs {
            if caught(|| self.epoch(observer))? == Flow::Stop {
                self.save(LAST)?;
                return Ok(Outcome::Interrupted { epoch: self.state.epoch, batch: self.state.batch });
            }
        }
        Ok(Outcome::Finished)
    }

    /// Writes the checkpoint `last` or `best`.
    fn save(&mut self, name: &str) -> Result<()> {
        let trained = from_tensors(&self.parameters)?;
        let (parameters, trained) = match &self.average {
            Some(average) => (from_tensors(average.tensors())?, Some(trained)),
            None => (trained, None),
        };
        let checkpoint = TrainingCheckpoint {
            architecture: self.architecture.clone(),
            training: self.training.clone(),
            parameters,
            trained,
            velocity: from_tensors(self.optimizer.velocity())?,
            state: self.state.clone(),
            metrics: self.metrics.clone(),
            calibration: self.calibration.clone(),
            types: self.types.clone(),
        };
        // Weights that are not finite must never replace good ones.
        for parameters in checkpoint.trained.iter().chain([&checkpoint.parameters]) {
            if let Err(source) = parameters.check(&self.graph) {
                return Err(convrnn_models::FileError::Parameters { path: self.folder.join(name), source }.into());
            }
        }
        checkpoint.write(&self.graph, &self.folder.join(name))?;
        if name == LAST {
            self.saved_step = self.state.step;
        }
        Ok(())
    }

    /// The images of a new run, counted and compared; none for one that goes on.
    pub fn data_report(&self) -> Option<&DataReport> {
        self.report.as_ref()
    }

    /// What a user should know of this start, and not of the run.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Writes what an epoch leaves behind. `last` comes at the end: a run that is killed in between goes
    /// on from the `last` before and writes the others again.
    fn save_epoch(&mut self, is_best: bool) -> Result<()> {
        if is_best {
            self.save(BEST)?;
        }
        let file =
            |name: &str, text: String| convrnn_models::files::write_whole(&self.folder.join(name), text.as_bytes());
        file(METRICS, crate::metrics::to_json_lines(&self.metrics))?;
        file(SUMMARY, crate::metrics::to_csv(&self.metrics))?;
        crate::tensorboard::write(&self.folder.join(TENSORBOARD), &self.metrics)?;
        crate::plots::epochs(&self.folder.join(PLOTS), &self.metrics, &self.state)?;
        self.save(LAST)
    }
}
