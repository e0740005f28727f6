//! ConvRNN architectures and how they become step graphs.
//!
//! An [`Architecture`] is a TOML file: one table a layer, one an edge beside the arrows between layers. [`Architecture::lower`]
//! turns it into a [`convrnn_graph::StepGraph`], the only thing executors ever see. Each recurrent
//! cell is one file under `cells/` holding one function that emits graph nodes; no formula of a
//! ConvRNN exists anywhere else.

pub mod architecture;
pub mod calibration;
pub mod catalogue;
pub mod cells;
mod check;
pub mod checkpoint;
mod defaults;
pub mod digest;
pub mod edge;
pub mod error;
pub mod files;
pub mod hints;
pub mod layer;
pub mod lower;
pub mod matched;
pub mod padding;
pub mod preprocessing;
pub mod quantization;
mod refused;
pub mod report;
pub mod safetensors_file;
pub mod sampling;
mod shortcut;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod toml_file;
pub mod trace;

pub use architecture::Architecture;
pub use checkpoint::Checkpoint;
pub use edge::Edge;
pub use error::{ArchitectureError, FileError};
pub use layer::Layer;
pub use preprocessing::{Decoding, Preprocessing};
pub use report::Report;
pub use trace::Trace;
