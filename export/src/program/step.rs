//! One step in the terms of the device, for both arithmetics.

use convrnn_format::{Element, Function, Numerics, TableKind};
use convrnn_graph::{NodeId, Padding, Pool, Read, Resize, Shape, StateKind, Tap};

/// A tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub shape: Shape,
    pub element: Element,
    pub scale: f32,
    pub zero_point: i32,
}

impl Value {
    pub fn real(shape: Shape) -> Self {
        Self { shape, element: Element::F32, scale: 1.0, zero_point: 0 }
    }

    pub fn bytes(&self) -> usize {
        self.shape.elements() * self.element.size()
    }
}

/// A multiplier with its left shift; for f32, the bits of a constant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Factor {
    pub bits: u32,
    pub shift: u8,
}

/// Weights in the graph's order, `[out channels, in channels / groups, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Weights {
    Real(Vec<f32>),
    Integer(Vec<i8>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConvolutionWork {
    pub weights: Weights,
    /// Little-endian f32 or i32, one an output channel.
    pub bias: Option<Vec<u8>>,
    /// Little-endian i32, one an output channel; none for f32.
    pub multipliers: Option<Vec<u8>>,
    pub shift: u8,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: Padding,
    pub groups: usize,
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Work {
    Convolution(ConvolutionWork),
    Add { left: Factor, right: Factor },
    Multiply(Factor),
    Affine { scale: f32, offset: f32 },
    Activation(Function),
    Lookup(Table),
    Rescale(Factor),
    MaxPool(Pool),
    GlobalAverage(Factor),
    Resize(Resize),
    GatedSum(GatedSumWork),
}

/// A table of i16 entries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub kind: TableKind,
    pub entries: Vec<i16>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct GatedSumWork {
    /// By operand.
    pub tables: Vec<Option<Table>>,
    /// By product; the second is unused where there is one.
    pub factors: [Factor; 2],
    /// Interpolated.
    pub function: Option<Table>,
}

impl Work {
    /// Whether element i of the output depends on element i of the operands alone and kernels can
    /// therefore write it where an operand lies.
    pub fn can_be_in_place(&self) -> bool {
        match self {
            Work::GatedSum(_) => true,
            Work::Convolution(_)
            | Work::Add { .. }
            | Work::Multiply(_)
            | Work::Affine { .. }
            | Work::Activation(_)
            | Work::Lookup(_)
            | Work::Rescale(_)
            | Work::MaxPool(_)
            | Work::GlobalAverage(_)
            | Work::Resize(_) => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct StepNode {
    pub name: String,
    pub layer: usize,
    pub work: Work,
    pub inputs: Vec<Read>,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct StepState {
    pub name: String,
    pub layer: usize,
    pub kind: StateKind,
    pub value: Value,
    pub next: NodeId,
    /// What it holds before the first step, as it lies in the arena; none for zero.
    pub initial: Option<Vec<u8>>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub name: String,
    pub numerics: Numerics,
    pub frame: Value,
    pub layers: Vec<String>,
    /// By layer: the first step (from 1) at which it is computed.
    pub first_steps: Vec<usize>,
    pub nodes: Vec<StepNode>,
    pub states: Vec<StepState>,
    pub taps: Vec<Tap>,
    pub logits: NodeId,
    /// Element of a blank frame.
    pub blank: u32,
    /// Little-endian elements, 256 a channel.
    pub frame_table: Option<Vec<u8>>,
}

impl Step {
    pub fn read_value(&self, read: Read) -> Value {
        match read {
            Read::Frame => self.frame,
            Read::Node(node) => self.nodes[node.0].value,
            Read::State(state) => self.states[state.0].value,
        }
    }

    /// Multiply-accumulates of a node, padding counted as if it were data.
    pub fn multiply_accumulates(&self, node: &StepNode) -> u64 {
        match &node.work {
            Work::Convolution(convolution) => {
                let channels: usize = node.inputs.iter().map(|&read| self.read_value(read).shape.channels).sum();
                let taps = channels / convolution.groups * convolution.kernel[0] * convolution.kernel[1];
                node.value.shape.elements() as u64 * taps as u64
            }
            Work::Add { .. }
            | Work::Multiply(_)
            | Work::Affine { .. }
            | Work::Activation(_)
            | Work::Lookup(_)
            | Work::Rescale(_)
            | Work::MaxPool(_)
            | Work::GlobalAverage(_)
            | Work::Resize(_)
            | Work::GatedSum(_) => 0,
        }
    }
}

/// Little-endian bytes of numbers.
pub(super) fn bytes_of<const N: usize, T: Copy>(values: &[T], convert: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| convert(value)).collect()
}
