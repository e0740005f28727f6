//! Checkpoints: a directory with the architecture, the weights and what is needed to run them.
//!
//! | file | holds |
//! |---|---|
//! | `architecture.toml` | the architecture |
//! | `weights.safetensors` | one F32 tensor a parameter, by path; the moving average where training kept one |
//! | `training.toml` | class names, preprocessing, presentation, and the trainer's hyper-parameters |
//! | `calibration.safetensors` | some raw training frames, for quantisation |
//! | `quantization.json` | scales and zero points that the weights were trained with, where they were |
//!
//! The trainer keeps more beside them (optimizer, random state, metrics); this module reads what
//! inference needs and is the only reader of the files above.

use crate::architecture::Architecture;
use crate::error::FileError;
use crate::preprocessing::Preprocessing;
use crate::safetensors_file::{NamedTensor, TensorFile};
use convrnn_graph::quantize::ValueTypes;
use convrnn_graph::{Parameters, ParametersError, Presentation, StepGraph};
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// File names within a checkpoint.
pub mod names {
    /// The architecture.
    pub const ARCHITECTURE: &str = "architecture.toml";
    /// The weights.
    pub const WEIGHTS: &str = "weights.safetensors";
    /// Hyper-parameters, preprocessing, presentation, class names.
    pub const TRAINING: &str = "training.toml";
    /// Raw training frames.
    pub const CALIBRATION: &str = "calibration.safetensors";
    /// Scales and zero points.
    pub const QUANTIZATION: &str = "quantization.json";
}

/// Folder of a run's best checkpoint within the run.
pub const BEST: &str = "best";
/// Folder of a run's last checkpoint within the run.
pub const LAST: &str = "last";

/// The checkpoint meant by a path: a checkpoint directory itself, or a run folder's best one, or else its last.
pub fn locate(path: &Path) -> PathBuf {
    let is_checkpoint = |path: &Path| path.join(names::WEIGHTS).is_file();
    if is_checkpoint(path) {
        return path.to_path_buf();
    }
    let inside = [path.join(BEST), path.join(LAST)];
    inside.into_iter().find(|inside| is_checkpoint(inside)).unwrap_or_else(|| path.to_path_buf())
}

/// The part of `training.toml` that inference needs. Other keys belong to the trainer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Names of the classes, in the order of the logits.
    pub class_names: Vec<String>,
    /// From pixels to frames.
    pub preprocessing: Preprocessing,
    /// What was on show in training.
    pub presentation: Presentation,
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The architecture.
    pub architecture: Architecture,
    /// Its step graph.
    pub graph: StepGraph,
    /// Weights, in the graph's order.
    pub parameters: Parameters<f32>,
    /// Preprocessing, presentation, class names.
    pub description: Description,
    /// The integer types that the weights were trained with; none where they were trained in reals alone.
    pub types: Option<ValueTypes>,
    /// Images of the streams that it was trained on, states carried over; 0 where it was shown each image by itself.
    pub stream: usize,
}

/// What else this crate reads of `training.toml`.
#[derive(Deserialize)]
struct Trained {
    settings: Option<TrainedSettings>,
}

#[derive(Deserialize)]
struct TrainedSettings {
    sequence: Option<String>,
}

impl Checkpoint {
    /// Reads a checkpoint directory and verifies that its parts fit each other.
    pub fn read(directory: &Path) -> Result<Self, FileError> {
        for missing in [names::ARCHITECTURE, names::WEIGHTS, names::TRAINING] {
            if !directory.join(missing).is_file() {
                return Err(FileError::NotACheckpoint { path: directory.into(), missing });
            }
        }
        let architecture = Architecture::read(&directory.join(names::ARCHITECTURE))?;
        let graph = architecture.lower()?;
        let parameters = read_parameters(&directory.join(names::WEIGHTS), &graph)?;
        let path = directory.join(names::TRAINING);
        let text = crate::files::read_text(&path)?;
        let content = |message| FileError::Content { path: path.clone(), message };
        let description: Description = crate::toml_file::parse(&text).map_err(content)?;
        description.check(&graph).map_err(content)?;
        let types = read_types(directory)?;
        let trained: Trained = crate::toml_file::parse(&text).map_err(content)?;
        let sequence = trained.settings.and_then(|settings| settings.sequence).unwrap_or_default();
        let stream = sequence.strip_prefix("stream=").and_then(|images| images.parse().ok()).unwrap_or(0);
        Ok(Self { architecture, graph, parameters, description, types, stream })
    }

    /// The same network in the form that is exported: normalisations and trained factors folded away, see
    /// [`convrnn_graph::passes::fold`].
    pub fn fold(self) -> Result<Self, ParametersError> {
        let (graph, parameters) = convrnn_graph::passes::fold(&self.graph, &self.parameters)?;
        Ok(Self { graph, parameters, ..self })
    }

    /// A folded network with its constants within the weights, as executors in floating point compute it: see
    /// [`convrnn_graph::passes::fold_constants`]. Its types, if it has any, are those of the network before.
    pub fn fold_constants(self) -> Result<Self, ParametersError> {
        let (graph, parameters) = convrnn_graph::passes::fold_constants(&self.graph, &self.parameters)?;
        Ok(Self { graph, parameters, ..self })
    }

    /// Reads a checkpoint directory in the form that is exported.
    pub fn read_folded(directory: &Path) -> Result<Self, FileError> {
        let fail = |source| FileError::Parameters { path: directory.join(names::WEIGHTS), source };
        Self::read(directory)?.fold().map_err(fail)
    }
}

impl Description {
    /// What does not fit the graph, if anything.
    pub fn check(&self, graph: &StepGraph) -> Result<(), String> {
        self.preprocessing.check()?;
        self.presentation.check().map_err(|error| error.to_string())?;
        if self.preprocessing.shape() != graph.frame {
            let found = self.preprocessing.shape();
            return Err(format!(
                "preprocessing gives frames of {found}, expected {} (the architecture's input)",
                graph.frame
            ));
        }
        if self.class_names.len() != graph.classes() {
            let found = self.class_names.len();
            return Err(format!("names {found} classes, expected {} (the architecture's logits)", graph.classes()));
        }
        Ok(())
    }
}

/// Reads weights and verifies names, shapes, element types and that every value is finite.
pub fn read_parameters(path: &Path, graph: &StepGraph) -> Result<Parameters<f32>, FileError> {
    let file = TensorFile::read(path)?;
    let fail = |source| FileError::Parameters { path: path.into(), source };
    let unknown = |tensor: &&NamedTensor| graph.parameter_named(&tensor.name).is_none();
    let mut values = Vec::with_capacity(graph.parameters.len());
    for parameter in &graph.parameters {
        let name = parameter.name.clone();
        let Some(tensor) = file.get(&name) else { return Err(fail(ParametersError::Missing { name })) };
        if tensor.shape != parameter.shape {
            let (found, expected) = (tensor.shape.clone(), parameter.shape.clone());
            return Err(fail(ParametersError::Shape { name, found, expected }));
        }
        match tensor.to_f32() {
            Some(tensor) => values.push(tensor),
            None => {
                let found = format!("{:?}", tensor.dtype);
                return Err(fail(ParametersError::ElementType { name, found }));
            }
        }
    }
    if let Some(tensor) = file.tensors.iter().find(unknown) {
        return Err(fail(ParametersError::Unknown { name: tensor.name.clone() }));
    }
    let parameters = Parameters { values };
    parameters.check(graph).map_err(fail)?;
    Ok(parameters)
}

/// Writes weights by name.
pub fn write_parameters(path: &Path, graph: &StepGraph, parameters: &Parameters<f32>) -> Result<(), FileError> {
    let tensors = graph
        .parameters
        .iter()
        .zip(&parameters.values)
        .map(|(parameter, values)| NamedTensor::from_f32(&parameter.name, &parameter.shape, values))
        .collect();
    TensorFile { tensors, metadata: Default::default() }.write(path)
}

/// Writes integer types beside the weights that were trained with them.
pub fn write_types(directory: &Path, types: &ValueTypes) -> Result<(), FileError> {
    let text = serde_json::to_string_pretty(types).expect("numbers and text have a JSON form");
    crate::files::write_whole(&directory.join(names::QUANTIZATION), text.as_bytes())
}

fn read_types(directory: &Path) -> Result<Option<ValueTypes>, FileError> {
    let path = directory.join(names::QUANTIZATION);
    if !path.is_file() {
        return Ok(None);
    }
    let text = crate::files::read_text(&path)?;
    let content = |message| FileError::Content { path: path.clone(), message };
    let types: ValueTypes = serde_json::from_str(&text)
        .map_err(|error| content(format!("does not say what integers stand for: {error}")))?;
    types.check().map_err(content)?;
    Ok(Some(types))
}

/// Raw frames `[N, height, width, channels]` for calibration.
pub fn write_calibration(path: &Path, preprocessing: &Preprocessing, frames: Vec<u8>) -> Result<(), FileError> {
    let size = preprocessing.shape().elements();
    let shape = [frames.len() / size, preprocessing.height, preprocessing.width, preprocessing.channels];
    let tensors = vec![NamedTensor::from_u8("frames", &shape, frames)];
    TensorFile { tensors, metadata: Default::default() }.write(path)
}

/// Reads calibration frames, one `Vec` a frame.
pub fn read_calibration(path: &Path, preprocessing: &Preprocessing) -> Result<Vec<Vec<u8>>, FileError> {
    let file = TensorFile::read(path)?;
    let expected = [preprocessing.height, preprocessing.width, preprocessing.channels];
    match file.get("frames") {
        Some(frames) if frames.dtype == Dtype::U8 && frames.shape.len() == 4 && frames.shape[1..] == expected => {
            Ok(frames.bytes.chunks_exact(preprocessing.shape().elements()).map(<[u8]>::to_vec).collect())
        }
        found => {
            let found = found.map_or("none".into(), |tensor| format!("{:?} {:?}", tensor.dtype, tensor.shape));
            let message =
                format!("has frames {found}, expected U8 [N, {}, {}, {}]", expected[0], expected[1], expected[2]);
            Err(FileError::Content { path: path.into(), message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convrnn_graph::ParameterGroup;

    #[test]
    fn the_tensors_of_a_file_add_up_to_the_parameters_of_the_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(names::WEIGHTS);
        let is_small = |architecture: &Architecture| architecture.input.height <= 32;
        let mut files = 0;
        for (name, _) in crate::catalogue::ENTRIES {
            let architecture = crate::catalogue::find(name).unwrap();
            if !is_small(&architecture) && *name != "resnet-18" {
                continue;
            }
            let graph = architecture.lower().unwrap();
            let values = graph.parameters.iter().map(|parameter| vec![0.25; parameter.elements()]).collect();
            write_parameters(&path, &graph, &Parameters { values }).unwrap();
            let measured = graph.parameters.iter().filter(|parameter| parameter.group == ParameterGroup::Statistics);
            let measured: usize = measured.map(|parameter| parameter.elements()).sum();
            let tensors = TensorFile::read(&path).unwrap().tensors;
            let stored: usize = tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
            assert_eq!(stored - measured, crate::Report::new(&architecture).unwrap().parameters, "{name}");
            files += 1;
        }
        assert!(files > 20, "{files}");
    }
}
