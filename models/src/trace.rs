//! Traces: what an executor computed, step by step, so that others can be compared with it.
//!
//! One safetensors file. `frames` U8 `[N, height, width, channels]` raw pixels; `labels` I64 `[N]`;
//! `indices` I64 `[N]`, places in the data set (not in older files); `logits` F32 `[N, T, classes]`; and
//! for the first K images every state (after each step) as `states.<path>` and every node's value as
//! `values.<path>`, F32 `[K, T, channels, height, width]`.
//! Metadata: `format`, `architecture`, `description`, and `weights`, the digest of the weights (not in older files).

use crate::architecture::Architecture;
use crate::checkpoint::Description;
use crate::error::FileError;
use crate::safetensors_file::{NamedTensor, TensorFile};
use convrnn_graph::StepGraph;
use std::collections::HashMap;
use std::path::Path;

const FORMAT: &str = "1";

/// A recorded run.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The network.
    pub architecture: Architecture,
    /// Preprocessing, presentation and class names of the run.
    pub description: Description,
    /// [`crate::digest::of_weights`] of the weights that were run; none in files written before it was recorded.
    pub weights: Option<String>,
    /// Raw pixels, N frames one after the other.
    pub frames: Vec<u8>,
    /// Right answers.
    pub labels: Vec<i64>,
    /// Place of each image in its data set; none in files written before places were recorded.
    pub indices: Option<Vec<i64>>,
    /// `[N, T, classes]`.
    pub logits: Vec<f32>,
    /// Number of images with full records, K.
    pub recorded: usize,
    /// By state, in the graph's order, `[K, T, elements]`.
    pub states: Vec<Vec<f32>>,
    /// By node, in the graph's order, `[K, T, elements]`.
    pub values: Vec<Vec<f32>>,
}

impl Trace {
    /// Number of images.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// The images in an order whose every leading part shows all classes: what to take `n` images of a trace by, whatever
    /// order the file has. See [`crate::sampling::balanced`].
    pub fn order(&self) -> Vec<usize> {
        crate::sampling::balanced(&self.labels)
    }

    /// Raw pixels of one image.
    pub fn frame(&self, image: usize) -> &[u8] {
        let size = self.description.preprocessing.shape().elements();
        &self.frames[image * size..(image + 1) * size]
    }

    /// Logits of one image after step `step` (from 1).
    pub fn logits_at(&self, image: usize, step: usize) -> &[f32] {
        let classes = self.description.class_names.len();
        let start = (image * self.description.presentation.steps + step - 1) * classes;
        &self.logits[start..start + classes]
    }

    /// Value of one node of a recorded image after step `step` (from 1), `[channels, height, width]`.
    pub fn value_at(&self, graph: &StepGraph, node: usize, image: usize, step: usize) -> &[f32] {
        let size = graph.nodes[node].shape.elements();
        let start = (image * self.description.presentation.steps + step - 1) * size;
        &self.values[node][start..start + size]
    }

    /// Value of one state of a recorded image after step `step` (from 1).
    pub fn state_at(&self, graph: &StepGraph, state: usize, image: usize, step: usize) -> &[f32] {
        let size = graph.states[state].shape.elements();
        let start = (image * self.description.presentation.steps + step - 1) * size;
        &self.states[state][start..start + size]
    }

    /// Writes the file whole.
    pub fn write(&self, path: &Path, graph: &StepGraph) -> Result<(), FileError> {
        let preprocessing = &self.description.preprocessing;
        let (images, steps) = (self.images(), self.description.presentation.steps);
        let frame = [images, preprocessing.height, preprocessing.width, preprocessing.channels];
        let mut tensors = vec![
            NamedTensor::from_u8("frames", &frame, self.frames.clone()),
            NamedTensor::from_i64("labels", &[images], &self.labels),
            NamedTensor::from_f32("logits", &[images, steps, graph.classes()], &self.logits),
        ];
        if let Some(indices) = &self.indices {
            tensors.push(NamedTensor::from_i64("indices", &[images], indices));
        }
        let full = |prefix: &str, name: &str, shape: convrnn_graph::Shape, values: &[f32]| {
            let shape = [self.recorded, steps, shape.channels, shape.height, shape.width];
            NamedTensor::from_f32(&format!("{prefix}.{name}"), &shape, values)
        };
        for (state, values) in graph.states.iter().zip(&self.states) {
            tensors.push(full("states", &state.name, state.shape, values));
        }
        for (node, values) in graph.nodes.iter().zip(&self.values) {
            tensors.push(full("values", &node.name, node.shape, values));
        }
        let description = serde_json::to_string(&self.description).expect("a description has a JSON form");
        let mut metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("architecture".to_owned(), self.architecture.to_toml()),
            ("description".to_owned(), description),
        ]);
        metadata.extend(self.weights.clone().map(|digest| ("weights".to_owned(), digest)));
        TensorFile { tensors, metadata }.write(path)
    }

    /// Reads a file and verifies it against its own architecture.
    pub fn read(path: &Path) -> Result<(Self, StepGraph), FileError> {
        let file = TensorFile::read(path)?;
        let content = |message: String| FileError::Content { path: path.into(), message };
        let text = |key: &str| {
            file.metadata
                .get(key)
                .ok_or_else(|| content(format!("has no {key}; it is not a trace that convrnn-train wrote")))
        };
        let format = text("format")?;
        if format != FORMAT {
            return Err(content(format!("has trace format {format}, expected {FORMAT}")));
        }
        let architecture = Architecture::parse(text("architecture")?, &format!("{} (architecture)", path.display()))?;
        let graph = architecture.lower()?;
        let description: Description = serde_json::from_str(text("description")?)
            .map_err(|error| content(format!("has a damaged description: {error}")))?;
        description.check(&graph).map_err(content)?;
        let get = |name: &str, shape: &[Option<usize>]| {
            let tensor = file.get(name).ok_or_else(|| content(format!("has no tensor {name}")))?;
            let fits = tensor.shape.len() == shape.len()
                && tensor.shape.iter().zip(shape).all(|(found, expected)| expected.is_none_or(|size| size == *found));
            match fits {
                true => Ok(tensor),
                false => Err(content(format!("tensor {name} has shape {:?}, expected {shape:?}", tensor.shape))),
            }
        };
        let real = |tensor: &NamedTensor| {
            tensor
                .to_f32()
                .ok_or_else(|| content(format!("tensor {} is {:?}, expected F32", tensor.name, tensor.dtype)))
        };
        let weights = file.metadata.get("weights").cloned();
        let labels = get("labels", &[None])?;
        let labels = labels.to_i64().ok_or_else(|| content("labels are not I64".into()))?;
        let (images, steps) = (Some(labels.len()), Some(description.presentation.steps));
        let indices = match file.get("indices") {
            None => None,
            Some(_) => Some(get("indices", &[images])?.to_i64().ok_or_else(|| content("indices are not I64".into()))?),
        };
        let preprocessing = &description.preprocessing;
        let frame = [images, Some(preprocessing.height), Some(preprocessing.width), Some(preprocessing.channels)];
        let frames = get("frames", &frame)?;
        if frames.dtype != safetensors::tensor::Dtype::U8 {
            return Err(content(format!("frames are {:?}, expected U8", frames.dtype)));
        }
        let logits = real(get("logits", &[images, steps, Some(graph.classes())])?)?;
        let mut recorded = None;
        let mut record = |prefix: &str, name: &str, shape: convrnn_graph::Shape| {
            let expected = [recorded, steps, Some(shape.channels), Some(shape.height), Some(shape.width)];
            let tensor = get(&format!("{prefix}.{name}"), &expected)?;
            recorded = Some(tensor.shape[0]);
            real(tensor)
        };
        let states =
            graph.states.iter().map(|state| record("states", &state.name, state.shape)).collect::<Result<_, _>>()?;
        let values =
            graph.nodes.iter().map(|node| record("values", &node.name, node.shape)).collect::<Result<_, _>>()?;
        let recorded = recorded.unwrap_or(0);
        let frames = frames.bytes.clone();
        let trace =
            Self { architecture, description, weights, frames, labels, indices, logits, recorded, states, values };
        Ok((trace, graph))
    }
}
