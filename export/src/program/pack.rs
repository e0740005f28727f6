//! Weights as kernels like to read them.

use super::step::{ConvolutionWork, Weights, bytes_of};
use convrnn_format::Packing;
use convrnn_format::packing::{WeightPosition, WeightShape};

/// What a program is packed for. Every backend computes every program, to the same bits in int8; the
/// target's own kernels take their packing fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum Target {
    /// Plain rows, `[out][row][column][in]`: for looking at.
    Rows,
    /// Output channels side by side, four for f32 and two for int8; depthwise convolutions by
    /// position. The portable kernels are fastest with it.
    #[default]
    Portable,
    /// Cortex-M4, M7 and M33: as portable.
    CortexM4,
    /// Cortex-M55: plain rows for int8, depthwise convolutions by position; f32 as portable.
    CortexM55,
    /// x86-64: 16 output channels side by side, for int8 four input channels of each together.
    X86_64,
    /// AArch64 with NEON: as x86-64.
    Aarch64,
    /// WebAssembly with SIMD: as x86-64.
    Wasm,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Rows, Self::Portable, Self::CortexM4, Self::CortexM55, Self::X86_64, Self::Aarch64, Self::Wasm];

    /// The machine that this program runs on.
    pub const HOST: Self = if cfg!(target_arch = "x86_64") {
        Self::X86_64
    } else if cfg!(all(target_arch = "aarch64", target_feature = "neon")) {
        Self::Aarch64
    } else if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
        Self::Wasm
    } else {
        Self::Portable
    };

    /// The packing of a convolution with so many input and output channels a group.
    pub(super) fn packing(self, work: &ConvolutionWork, inputs: usize, outputs: usize) -> Packing {
        let element_width = match work.weights {
            Weights::Real(_) => 4,
            Weights::Integer(_) => 1,
        };
        let is_depthwise = work.groups > 1 && (inputs, outputs) == (1, 1);
        match (self, &work.weights) {
            (Self::Rows, _) => Packing::rows(element_width),
            _ if is_depthwise => Packing::depthwise(element_width),
            (Self::Portable | Self::CortexM4 | Self::CortexM55, Weights::Real(_)) => {
                Packing::interleaved(element_width, 4)
            }
            (Self::Portable | Self::CortexM4, Weights::Integer(_)) => Packing::interleaved(element_width, 2),
            (Self::CortexM55, Weights::Integer(_)) => Packing::rows(element_width),
            (Self::X86_64 | Self::Aarch64 | Self::Wasm, Weights::Real(_)) => Packing::interleaved(element_width, 16),
            (Self::X86_64 | Self::Aarch64 | Self::Wasm, Weights::Integer(_)) => {
                Packing { channel_tile: 4, ..Packing::interleaved(element_width, 16) }
            }
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
