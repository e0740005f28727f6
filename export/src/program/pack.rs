//! Weights as kernels like to read them.

use super::step::{ConvolutionWork, Weights, bytes_of};
use convrnn_format::Packing;
use convrnn_format::packing::{WeightPosition, WeightShape};

/// How weights lie in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PackingChoice {
    /// Plain rows, `[out][row][column][in]`.
    Rows,
    /// Output channels side by side, four for f32 and two for int8; depthwise convolutions by
    /// position. The portable kernels are fastest with it.
    #[default]
    Interleaved,
}

impl PackingChoice {
    /// The packing of a convolution with so many input and output channels a group.
    pub(super) fn packing(self, work: &ConvolutionWork, inputs: usize, outputs: usize) -> Packing {
        let width = match work.weights {
            Weights::Real(_) => 4,
            Weights::Integer(_) => 1,
        };
        match self {
            PackingChoice::Rows => Packing::rows(width),
            PackingChoice::Interleaved if work.groups > 1 && (inputs, outputs) == (1, 1) => Packing::depthwise(width),
            PackingChoice::Interleaved if width == 1 => Packing::interleaved(width, 2),
            PackingChoice::Interleaved => Packing::interleaved(width, 4),
        }
    }
}

/// The weights of one operand, whose channels start at `first` among all input channels of a group.
pub(super) fn pack(work: &ConvolutionWork, packing: &Packing, shape: WeightShape, first: usize) -> Option<Vec<u8>> {
    match &work.weights {
        Weights::Real(weights) => Some(bytes_of(&reorder(weights, packing, shape, first)?, f32::to_le_bytes)),
        Weights::Integer(weights) => Some(bytes_of(&reorder(weights, packing, shape, first)?, i8::to_le_bytes)),
    }
}

fn reorder<T: Copy + Default>(weights: &[T], packing: &Packing, shape: WeightShape, first: usize) -> Option<Vec<T>> {
    let mut packed = vec![T::default(); packing.length(shape)?];
    let area = shape.height * shape.width;
    let total_outputs = shape.groups * shape.outputs;
    let total_inputs = weights.len() / (total_outputs * area);
    for group in 0..shape.groups {
        for output in 0..shape.outputs {
            for input in 0..shape.inputs {
                for tap in 0..area {
                    let (row, column) = (tap / shape.width, tap % shape.width);
                    let at = WeightPosition { group, output, input, row, column };
                    let source = ((group * shape.outputs + output) * total_inputs + first + input) * area + tap;
                    packed[packing.index(shape, at)] = weights[source];
                }
            }
        }
    }
    Some(packed)
}
