//! The int8 form of a step graph: integer types, integer operations, and how they come about.
//!
//! Activations that convolutions read are i8 with a zero point; everything between a convolution
//! and the next one, and every cell state, is i16 with zero point 0. Weights are i8, symmetric, one
//! scale an output channel. There is one rounding rule, [`Rescale::apply`]. [`IntegerInterpreter`]
//! is the oracle of every executor of the integer graph.
//!
//! [`Calibration`] measures the values of the float graph, [`quantize()`] converts it, and
//! [`QuantizationReport`] says what the conversion costs at every node.

mod calibrate;
mod check;
mod choose;
mod convert;
mod convolution;
mod emit;
mod error;
mod factor;
mod frame;
mod fuse;
mod histogram;
mod interpreter;
mod lookup;
mod plan;
mod range;
mod report;
mod scales;
#[cfg(test)]
mod tests;
mod types;

pub use calibrate::{Calibration, presented};
pub use choose::{Candidates, Chosen, Trial, quantize_by_error};
pub use convert::{PixelScale, QuantizeOptions, Quantized, quantize, quantize_with_types};
pub use error::{CheckError, QuantizeError};
pub use factor::MAXIMUM_SHIFT;
pub use histogram::Histogram;
pub use interpreter::{IntegerInterpreter, IntegerTensor, resize_sample};
pub use lookup::{GATE_INPUT_SCALE, UNIT_SCALE};
pub use range::RangeRule;
pub use report::{NodeError, QuantizationReport};
pub use scales::{ValueType, ValueTypes};
pub use types::{
    Element, FrameTable, GatedSum, Lookup, QuantizedConvolution, QuantizedGraph, QuantizedNode, QuantizedOperation,
    QuantizedState, QuantizedType, Rescale,
};
