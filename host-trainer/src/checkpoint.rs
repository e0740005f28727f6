//! Checkpoints that training can go on from: what `convrnn_models::checkpoint` reads, plus the
//! optimizer's velocities, the run's state and its metrics.
//!
//! A checkpoint is written as a whole directory under a temporary name and then exchanged with the
//! previous one in one step of the file system, so that at any moment one whole checkpoint is there.

use crate::error::{Result, TrainerError};
use crate::metrics::{EpochMetrics, RunState, STATE_FORMAT, read_json_lines, to_json_lines};
use crate::run_folder::METRICS;
use crate::settings::TrainingFile;
use convrnn_graph::quantize::ValueTypes;
use convrnn_graph::{Parameters, StepGraph};
use convrnn_models::checkpoint::{names, read_parameters, write_calibration, write_parameters, write_types};
use convrnn_models::{Architecture, Checkpoint};
use std::path::{Path, PathBuf};

/// Velocities of the optimizer, one F32 tensor a parameter, by path.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// The weights that training goes on with, where `weights.safetensors` holds their moving average.
pub const TRAINED: &str = "trained.safetensors";
/// Where the run stands.
pub const STATE: &str = "state.json";

/// Everything a run needs to go on.
#[derive(Clone, Debug)]
pub struct TrainingCheckpoint {
    /// The network.
    pub architecture: Architecture,
    /// Class names, preprocessing, presentation, hyper-parameters.
    pub training: TrainingFile,
    /// The weights that evaluation, export and traces use, in the graph's order: with a moving average
    /// the averaged ones, otherwise those that training goes on with. The file is `weights.safetensors`.
    pub parameters: Parameters<f32>,
    /// The weights that training goes on with, where they are others.
    pub trained: Option<Parameters<f32>>,
    /// Velocities of the optimizer, in the graph's order of parameters.
    pub velocity: Parameters<f32>,
    /// Where the run stands.
    pub state: RunState,
    /// One record an epoch.
    pub metrics: Vec<EpochMetrics>,
    /// Raw training frames for quantisation, one after the other.
    pub calibration: Vec<u8>,
    /// The integer types that training computes with, where it does.
    pub types: Option<ValueTypes>,
}

impl TrainingCheckpoint {
    /// Writes the directory whole, replacing the one that is there.
    pub fn write(&self, graph: &StepGraph, directory: &Path) -> Result<()> {
        let partial = beside(directory, &format!("partial-{}", std::process::id()));
        let written = self.write_files(graph, &partial).and_then(|()| replace(&partial, directory));
        if written.is_err() {
            let _ = std::fs::remove_dir_all(&partial);
        }
        written
    }

    fn write_files(&self, graph: &StepGraph, partial: &Path) -> Result<()> {
        if partial.exists() {
            std::fs::remove_dir_all(partial).map_err(TrainerError::io("remove", partial))?;
        }
        std::fs::create_dir_all(partial).map_err(TrainerError::io("create", partial))?;
        let text = |name: &str, text: String| convrnn_models::files::write_whole(&partial.join(name), text.as_bytes());
        text(names::ARCHITECTURE, self.architecture.to_toml())?;
        text(names::TRAINING, self.training.to_toml())?;
        text(STATE, serde_json::to_string_pretty(&self.state).expect("numbers have a JSON form"))?;
        text(METRICS, to_json_lines(&self.metrics))?;
        write_parameters(&partial.join(names::WEIGHTS), graph, &self.parameters)?;
        if let Some(trained) = &self.trained {
            write_parameters(&partial.join(TRAINED), graph, trained)?;
        }
        write_parameters(&partial.join(OPTIMIZER), graph, &self.velocity)?;
        let preprocessing = &self.training.description.preprocessing;
        write_calibration(&partial.join(names::CALIBRATION), preprocessing, self.calibration.clone())?;
        if let Some(types) = &self.types {
            write_types(partial, types)?;
        }
        sync(partial)
    }

    /// Reads a checkpoint to go on from.
    pub fn read(directory: &Path) -> Result<(Self, StepGraph)> {
        let Checkpoint { architecture, graph, parameters, description, types, .. } = Checkpoint::read(directory)?;
        let training = TrainingFile::read(&directory.join(names::TRAINING))?;
        debug_assert_eq!(training.description, description);
        let read = |name| read_parameters(&directory.join(name), &graph);
        let trained = training.settings.ema_decay.map(|_| read(TRAINED)).transpose()?;
        let velocity = read(OPTIMIZER)?;
        let path = directory.join(STATE);
        let text = convrnn_models::files::read_text(&path)?;
        let state: RunState = serde_json::from_str(&text).map_err(|error| TrainerError::Content {
            path: path.clone(),
            message: format!("does not say where the run stands: {error}"),
        })?;
        if state.format != STATE_FORMAT {
            let message =
                format!("has format {}, expected {STATE_FORMAT}; use the version that wrote it", state.format);
            return Err(TrainerError::Content { path, message });
        }
        let metrics = read_json_lines(&directory.join(METRICS))?;
        let frames = convrnn_models::checkpoint::read_calibration(
            &directory.join(names::CALIBRATION),
            &training.description.preprocessing,
        )?;
        let calibration = frames.concat();
        Ok((Self { architecture, training, parameters, trained, velocity, state, metrics, calibration, types }, graph))
    }
}

/// Whether there is a checkpoint, or one that [`recover`] puts back.
pub fn is_there(directory: &Path) -> bool {
    directory.exists() || beside(directory, "previous").exists()
}

/// Puts back what a crash between two renames left aside, where the file system cannot exchange.
pub fn recover(directory: &Path) -> Result<()> {
    let previous = beside(directory, "previous");
    if !directory.exists() && previous.exists() {
        std::fs::rename(&previous, directory).map_err(TrainerError::io("put back", directory))?;
    }
    Ok(())
}

/// `.last.partial-77` beside `last`.
fn beside(directory: &Path, ending: &str) -> PathBuf {
    let name = directory.file_name().map_or("checkpoint".into(), |name| name.to_string_lossy().into_owned());
    directory.with_file_name(format!(".{name}.{ending}"))
}

fn sync(directory: &Path) -> Result<()> {
    let file = std::fs::File::open(directory).map_err(TrainerError::io("open", directory))?;
    file.sync_all().map_err(TrainerError::io("write", directory))
}

/// Gives `partial` the name `directory`, and removes what had it.
fn replace(partial: &Path, directory: &Path) -> Result<()> {
    if !directory.exists() {
        return std::fs::rename(partial, directory).map_err(TrainerError::io("rename to", directory));
    }
    let previous = beside(directory, "previous");
    if !exchange(partial, directory) {
        let _ = std::fs::remove_dir_all(&previous);
        std::fs::rename(directory, &previous).map_err(TrainerError::io("put aside", directory))?;
        std::fs::rename(partial, directory).map_err(TrainerError::io("rename to", directory))?;
        return std::fs::remove_dir_all(&previous).map_err(TrainerError::io("remove", &previous));
    }
    std::fs::remove_dir_all(partial).map_err(TrainerError::io("remove", partial))
}

/// Exchanges two directories at once, where the system can.
#[cfg(target_os = "linux")]
fn exchange(left: &Path, right: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, left, CWD, right, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn exchange(_left: &Path, _right: &Path) -> bool {
    false
}
