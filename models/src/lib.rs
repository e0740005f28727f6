//! ConvRNN architectures and how they become step graphs.
//!
//! An [`Architecture`] is a TOML file: one table a layer, one a feedback edge. [`Architecture::lower`]
//! turns it into a [`convrnn_graph::StepGraph`], the only thing executors ever see. Each recurrent
//! cell is one file under `cells/` holding one function that emits graph nodes; no formula of a
//! ConvRNN exists anywhere else.

pub mod architecture;
pub mod catalogue;
pub mod cells;
mod check;
pub mod checkpoint;
mod defaults;
pub mod error;
pub mod files;
pub mod layer;
pub mod lower;
pub mod matched;
pub mod padding;
pub mod preprocessing;
pub mod quantization;
pub mod report;
pub mod safetensors_file;
pub mod toml_file;
pub mod trace;

pub use architecture::{Architecture, Feedback};
pub use checkpoint::Checkpoint;
pub use error::{ArchitectureError, FileError};
pub use layer::Layer;
pub use preprocessing::{Decoding, Preprocessing};
pub use report::Report;
pub use trace::Trace;
