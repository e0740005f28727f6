//! ONNX models of a step graph: one step with states in and out, or a whole run.
//!
//! Operator set 17, IR 8, dynamic batch. Values are `[batch, channels, height, width]` in f32; the
//! image is normalised by the caller as the metadata properties say: see [`metadata`].

mod metadata;
mod operation;
mod proto;
pub mod protobuf;
mod step;
#[cfg(all(test, feature = "tract"))]
mod tests;
mod unrolled;

pub use metadata::{Model, metadata};
#[cfg(feature = "tract")]
pub(crate) use proto::dimensions;
pub use step::{past, present, step_model};
pub use unrolled::{Frames, Logits, at_step, unrolled_model};

use convrnn_graph::{Parameters, StepGraph};
use convrnn_models::{Checkpoint, FileError, files};
use prost::Message;
use protobuf::{ModelProto, ValueInfoProto};
use std::path::Path;

/// Name of the input that takes one image (or a batch of them).
pub const IMAGE: &str = "image";
/// Name of the input that takes a frame for every step.
pub const FRAMES: &str = "frames";
/// Name of the output that gives class scores.
pub const LOGITS: &str = "logits";

/// What a model is written from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The step.
    pub graph: &'a StepGraph,
    /// Its weights.
    pub parameters: &'a Parameters<f32>,
}

impl<'a> From<&'a Checkpoint> for Source<'a> {
    fn from(checkpoint: &'a Checkpoint) -> Self {
        Self { graph: &checkpoint.graph, parameters: &checkpoint.parameters }
    }
}

/// Which values a model gives beside its logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Those that have a name for users: taps and states of a step, nothing of a whole run.
    Named,
    /// Every node's, for finding where two engines part.
    Every,
}

/// Inputs and outputs of a model, each as `name [batch, 1, 28, 28]`.
pub fn interface(model: &ModelProto) -> (Vec<String>, Vec<String>) {
    let graph = model.graph.as_ref();
    let describe = |values: &[ValueInfoProto]| values.iter().map(proto::describe).collect();
    (
        graph.map_or(Vec::new(), |graph| describe(&graph.input)),
        graph.map_or(Vec::new(), |graph| describe(&graph.output)),
    )
}

/// Writes models that belong together: all under temporary names first, then renamed, so that a
/// failed write leaves none of them. Gives the size of each in bytes.
pub fn write<const N: usize>(models: [(&ModelProto, &Path); N]) -> Result<[u64; N], FileError> {
    let fail = |path: &Path, source| FileError::Write { path: path.into(), source };
    let mut encoded = Vec::with_capacity(N);
    for (model, path) in models {
        // No model can take the name of a folder or a device: found out before any is written.
        let destination = files::destination(path)?;
        encoded.push((path, files::partial(&destination), destination, model.encode_to_vec()));
    }
    let write = || -> Result<(), FileError> {
        for (path, temporary, _, bytes) in &encoded {
            let written = std::fs::write(temporary, bytes).and_then(|()| std::fs::File::open(temporary)?.sync_all());
            written.map_err(|source| fail(path, source))?;
        }
        for (path, temporary, destination, _) in &encoded {
            std::fs::rename(temporary, destination).map_err(|source| fail(path, source))?;
        }
        Ok(())
    };
    write().inspect_err(|_| {
        for (_, temporary, ..) in &encoded {
            let _ = std::fs::remove_file(temporary);
        }
    })?;
    Ok(std::array::from_fn(|index| encoded[index].3.len() as u64))
}
