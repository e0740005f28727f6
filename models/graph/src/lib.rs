//! One 10 ms time step of a convolutional recurrent network as a graph.
//!
//! A [`StepGraph`] lists the operations of one step in an order that respects every read of a
//! value of the *current* step. Reads of the *previous* step go through named [`State`]s, which are
//! zero before the first step. Executors (libtorch, ONNX, the device runtime) run this graph and
//! know nothing of cells or layers; [`reference::Interpreter`] is the f64 oracle they are compared
//! with, and [`quantize`] defines the int8 form of the graph and its integer oracle.
//!
//! Layout: activations are `[channels, height, width]`, convolution weights
//! `[out channels, in channels / groups, kernel height, kernel width]`.

pub mod builder;
pub mod cost;
pub mod graph;
pub mod image_steps;
pub mod infer;
pub mod operation;
pub mod parameters;
pub mod passes;
pub mod presentation;
pub mod propagation;
pub mod quantize;
pub mod reference;
pub mod shape;
pub mod tensor;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timing;
pub mod unroll;

pub use builder::GraphBuilder;
pub use cost::{Cost, NodeCost};
pub use graph::{GraphError, Node, NodeId, Parameter, ParameterId, Read, State, StateId, StateKind, StepGraph, Tap};
pub use image_steps::{first_image_steps, first_image_steps_of_integers};
pub use operation::{Activation, BatchNorm, Convolution, Operation, Padding, Pool, Resize, ResizeMode};
pub use parameters::{Initializer, ParameterGroup, Parameters, ParametersError};
pub use presentation::{Presentation, PresentationError};
pub use reference::Interpreter;
pub use shape::Shape;
pub use tensor::Tensor;
pub use unroll::{StepInput, UnrollPlan, Wanted};
