//! Engines: everything that can run a network, behind one trait, so that their answers can be laid
//! side by side.

mod onnx_runtime;
mod reference;
mod runtime;
mod tract;

pub use onnx_runtime::{OnnxRuntimeStep, OnnxRuntimeUnrolled};
pub use reference::Reference;
pub use runtime::{Programs, Runtime};
pub use tract::{TractStep, TractUnrolled};

use crate::onnx::Source;
use convrnn_graph::Presentation;

/// One image as engines take it.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Raw pixels, `[height, width, channels]`, for engines that normalise by themselves.
    pub pixels: &'a [u8],
    /// Normalised, `[channels, height, width]`.
    pub values: &'a [f32],
}

/// What an engine computed on one image, by step of the presentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Class scores by step.
    pub logits: Vec<Vec<f32>>,
    /// By step and node of the step graph, `[channels, height, width]`; none where the engine does
    /// not keep the value.
    pub values: Vec<Vec<Option<Vec<f32>>>>,
}

/// A network on one engine, with one presentation.
pub trait Engine {
    /// Shows one image from zero states and gives the class scores of every step.
    fn run(&mut self, image: Image<'_>) -> Result<Vec<Vec<f32>>, EngineError>;

    /// First step (from 1) whose class scores it computes. A program with computed states leaves layers, and with them the
    /// scores, until an image can reach them.
    fn first_step(&self) -> usize {
        1
    }

    /// The same with the values of the nodes, for finding where engines part. May be slow: it may
    /// build a second model that gives every value.
    fn record(&mut self, image: Image<'_>) -> Result<Record, EngineError>;
}

/// What engines are built from.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// Step graph and weights.
    pub source: Source<'a>,
    /// The same as models and f32 programs have it: some of its nodes are not there, others are nobody else's. Taps, states
    /// and logits are those of `source`.
    pub exported: Source<'a>,
    /// What is on show at each step.
    pub presentation: Presentation,
    /// Device programs of the same network.
    pub programs: &'a Programs,
}

/// What an engine computes with, which decides how it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numerics {
    /// f32 or f64: its logits must be close.
    Float,
    /// Integers: its decisions must be as good.
    Integer,
}

/// The engines there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// The f64 reference interpreter.
    Reference,
    /// `step.onnx` in ONNX Runtime.
    OnnxRuntimeStep,
    /// `unrolled.onnx` in ONNX Runtime.
    OnnxRuntimeUnrolled,
    /// `step.onnx` in tract.
    TractStep,
    /// `unrolled.onnx` in tract.
    TractUnrolled,
    /// The f32 program in the device runtime, on the host.
    RuntimeReal,
    /// The int8 program in the device runtime, on the host.
    RuntimeInteger,
}

impl EngineKind {
    /// All of them, the reference first.
    pub const ALL: [EngineKind; 7] = [
        EngineKind::Reference,
        EngineKind::OnnxRuntimeStep,
        EngineKind::OnnxRuntimeUnrolled,
        EngineKind::TractStep,
        EngineKind::TractUnrolled,
        EngineKind::RuntimeReal,
        EngineKind::RuntimeInteger,
    ];

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Reference => "reference f64",
            EngineKind::OnnxRuntimeStep => "ONNX Runtime step",
            EngineKind::OnnxRuntimeUnrolled => "ONNX Runtime unrolled",
            EngineKind::TractStep => "tract step",
            EngineKind::TractUnrolled => "tract unrolled",
            EngineKind::RuntimeReal => "runtime f32",
            EngineKind::RuntimeInteger => "runtime int8",
        }
    }

    /// What the engine computes with.
    pub fn numerics(self) -> Numerics {
        match self {
            EngineKind::Reference
            | EngineKind::OnnxRuntimeStep
            | EngineKind::OnnxRuntimeUnrolled
            | EngineKind::TractStep
            | EngineKind::TractUnrolled
            | EngineKind::RuntimeReal => Numerics::Float,
            EngineKind::RuntimeInteger => Numerics::Integer,
        }
    }

    /// Builds the engine for a network.
    pub fn build<'a>(self, network: &Network<'a>) -> Result<Box<dyn Engine + 'a>, EngineError> {
        Ok(match self {
            EngineKind::Reference => Box::new(Reference::new(network)),
            EngineKind::OnnxRuntimeStep => Box::new(OnnxRuntimeStep::new(network)?),
            EngineKind::OnnxRuntimeUnrolled => Box::new(OnnxRuntimeUnrolled::new(network)?),
            EngineKind::TractStep => Box::new(TractStep::new(network)?),
            EngineKind::TractUnrolled => Box::new(TractUnrolled::new(network)?),
            EngineKind::RuntimeReal => Box::new(Runtime::real(network)?),
            EngineKind::RuntimeInteger => Box::new(Runtime::integer(network)?),
        })
    }
}

/// An engine that cannot be built or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EngineError {
    #[error("{engine}: {message}")]
    Failed { engine: &'static str, message: String },
    #[error(
        "ONNX Runtime's library cannot be loaded ({reason}): run `cargo xtask setup`, or set ORT_DYLIB_PATH to \
         libonnxruntime.so of version 1.24 or newer"
    )]
    OnnxRuntimeMissing { reason: String },
}

/// Rows of a `[steps, classes]` array.
fn rows(values: &[f32], classes: usize) -> Vec<Vec<f32>> {
    values.chunks_exact(classes).map(<[f32]>::to_vec).collect()
}

/// The frame of a step: the image or the blank.
fn frame_at<'a>(presentation: &Presentation, step: usize, image: &'a [f32], blank: &'a [f32]) -> &'a [f32] {
    if presentation.shows_image(step) { image } else { blank }
}
