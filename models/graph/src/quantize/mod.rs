//! The int8 form of a step graph: integer types, integer operations, and how they come about.
//!
//! Activations that convolutions read are i8 with a zero point; everything between a convolution
//! and the next one, and every cell state, is i16 with zero point 0. Weights are i8, symmetric, one
//! scale an output channel. There is one rounding rule, [`Rescale::apply`]. [`IntegerInterpreter`]
//! is the oracle of every executor of the integer graph.

mod interpreter;
mod types;

pub use interpreter::{IntegerInterpreter, IntegerTensor, resize_sample};
pub use types::{
    Element, FrameTable, Lookup, QuantizedConvolution, QuantizedGraph, QuantizedNode, QuantizedOperation,
    QuantizedState, QuantizedType, Rescale,
};
