//! Engines: everything that can run a network, behind one trait, so that their answers can be laid
//! side by side.

mod guard;
#[cfg(feature = "onnxruntime")]
mod onnx_runtime;
mod reference;
mod runtime;
#[cfg(feature = "tract")]
mod tract;

pub(crate) use guard::guarded;
#[cfg(feature = "onnxruntime")]
pub use onnx_runtime::{OnnxRuntimeStep, OnnxRuntimeUnrolled};
pub use reference::Reference;
pub use runtime::{Programs, Runtime};
#[cfg(feature = "tract")]
pub use tract::{TractStep, TractUnrolled};

use crate::onnx::Source;
use convrnn_graph::Presentation;
use std::collections::HashMap;

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
    /// By step: the values `[channels, height, width]` of the nodes that the engine keeps, by path. A node of
    /// [`Network::exported`] has one name in every engine; the reference gives the nodes of [`Network::source`].
    pub values: Vec<HashMap<String, Vec<f32>>>,
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
    /// Step graph and weights, as they were trained.
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

    /// Whether the engine is part of this project. What keeps one of others from answering is no fault of the network.
    pub fn is_own(self) -> bool {
        match self {
            EngineKind::Reference | EngineKind::RuntimeReal | EngineKind::RuntimeInteger => true,
            EngineKind::OnnxRuntimeStep
            | EngineKind::OnnxRuntimeUnrolled
            | EngineKind::TractStep
            | EngineKind::TractUnrolled => false,
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

    /// The feature of this crate that the engine needs and that this program was built without; none where it is there.
    pub fn left_out(self) -> Option<&'static str> {
        match self {
            EngineKind::Reference | EngineKind::RuntimeReal | EngineKind::RuntimeInteger => None,
            EngineKind::OnnxRuntimeStep | EngineKind::OnnxRuntimeUnrolled => {
                (!cfg!(feature = "onnxruntime")).then_some("onnxruntime")
            }
            EngineKind::TractStep | EngineKind::TractUnrolled => (!cfg!(feature = "tract")).then_some("tract"),
        }
    }

    /// Builds the engine for a network.
    ///
    /// # Errors
    /// The engine's own, and [`EngineError::LeftOut`].
    pub fn build<'a>(self, network: &Network<'a>) -> Result<Box<dyn Engine + 'a>, EngineError> {
        Ok(match self {
            EngineKind::Reference => Box::new(Reference::new(network)),
            #[cfg(feature = "onnxruntime")]
            EngineKind::OnnxRuntimeStep => Box::new(OnnxRuntimeStep::new(network)?),
            #[cfg(feature = "onnxruntime")]
            EngineKind::OnnxRuntimeUnrolled => Box::new(OnnxRuntimeUnrolled::new(network)?),
            #[cfg(not(feature = "onnxruntime"))]
            EngineKind::OnnxRuntimeStep | EngineKind::OnnxRuntimeUnrolled => {
                return Err(EngineError::LeftOut { engine: self.name(), feature: "onnxruntime" });
            }
            #[cfg(feature = "tract")]
            EngineKind::TractStep => Box::new(TractStep::new(network)?),
            #[cfg(feature = "tract")]
            EngineKind::TractUnrolled => Box::new(TractUnrolled::new(network)?),
            #[cfg(not(feature = "tract"))]
            EngineKind::TractStep | EngineKind::TractUnrolled => {
                return Err(EngineError::LeftOut { engine: self.name(), feature: "tract" });
            }
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
    #[error("{engine}: it panicked: {message}")]
    Panicked { engine: &'static str, message: String },
    #[error(
        "ONNX Runtime's library cannot be loaded ({reason}): run `cargo xtask setup`, or set ORT_DYLIB_PATH to \
         libonnxruntime.so of version 1.24 or newer"
    )]
    OnnxRuntimeMissing { reason: String },
    #[error(
        "{engine}: this program was built without it; build it with `cargo build -p convrnn-export --features {feature}`"
    )]
    LeftOut { engine: &'static str, feature: &'static str },
}

/// Rows of a `[steps, classes]` array.
#[cfg(any(feature = "onnxruntime", feature = "tract"))]
fn rows(values: &[f32], classes: usize) -> Vec<Vec<f32>> {
    values.chunks_exact(classes).map(<[f32]>::to_vec).collect()
}

/// The frame of a step: the image or the blank.
fn frame_at<'a>(presentation: &Presentation, step: usize, image: &'a [f32], blank: &'a [f32]) -> &'a [f32] {
    if presentation.shows_image(step) { image } else { blank }
}
