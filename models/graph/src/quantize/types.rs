//! Types of the quantised graph. The doc comment of each operation is its exact arithmetic.

use crate::graph::{NodeId, Read, Tap};
use crate::operation::{Padding, Pool, Resize};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// Integer width of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Element {
    /// -128 to 127, any zero point.
    I8,
    /// -32768 to 32767, zero point 0.
    I16,
}

impl Element {
    /// Smallest and largest value.
    pub const fn range(self) -> (i32, i32) {
        match self {
            Element::I8 => (-128, 127),
            Element::I16 => (-32768, 32767),
        }
    }

    /// Limits an integer to the range.
    pub fn saturate(self, value: i32) -> i32 {
        let (low, high) = self.range();
        value.clamp(low, high)
    }
}

/// Shape and meaning of a quantised tensor: `real = scale * (integer - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedType {
    /// Shape.
    pub shape: Shape,
    /// Width.
    pub element: Element,
    /// Real value of one integer step.
    pub scale: f64,
    /// The integer that stands for zero; 0 for i16.
    pub zero_point: i32,
}

impl QuantizedType {
    /// Limits an integer to the element's range.
    pub fn saturate(&self, value: i32) -> i32 {
        self.element.saturate(value)
    }

    /// The nearest integer (ties away from zero), saturated.
    pub fn quantize(&self, real: f64) -> i32 {
        let (low, high) = self.element.range();
        ((real / self.scale).round() + f64::from(self.zero_point)).clamp(f64::from(low), f64::from(high)) as i32
    }

    /// The largest `|x - zero point|`.
    pub fn magnitude(&self) -> i64 {
        let (low, high) = self.element.range();
        i64::from((high - self.zero_point).max(self.zero_point - low))
    }

    /// The real value of an integer.
    pub fn dequantize(&self, integer: i32) -> f64 {
        self.scale * f64::from(integer - self.zero_point)
    }
}

/// A change of scale: the real factor is `multiplier * 2^(shift - 32)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescale {
    /// 0 to 2^31 - 1.
    pub multiplier: i32,
    /// Left shift before the product; chosen so that no value that can occur overflows an i32.
    pub shift: u8,
}

impl Rescale {
    /// The one rounding rule: `((value << shift) * multiplier + 2^31) >> 32`, the product in 64
    /// bits, the right shift arithmetic (towards minus infinity).
    pub fn apply(self, value: i32) -> i32 {
        let shifted = i64::from(value) << self.shift;
        debug_assert!(i32::try_from(shifted).is_ok(), "{value} << {} overflows", self.shift);
        ((shifted * i64::from(self.multiplier) + (1 << 31)) >> 32) as i32
    }
}

/// A quantised convolution over the concatenation of its (i8) inputs.
///
/// `acc[o] = bias[o] + sum of (x - zero point of its input) * w` in i32, padding adding nothing
/// (real zero); `y = saturate(zero_point + rescale[o](acc[o]))`. All of `rescale` share one shift.
/// Because each input may have its own scale, the weights of input i are quantised with
/// `accumulator scale[o] / scale of input i`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedConvolution {
    /// `[out channels, in channels / groups, kernel height, kernel width]`.
    pub weight: Vec<i8>,
    /// By output channel.
    pub bias: Vec<i32>,
    /// By output channel.
    pub rescale: Vec<Rescale>,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride down and to the right.
    pub stride: [usize; 2],
    /// Real zeros on each side.
    pub padding: Padding,
    /// Channel groups.
    pub groups: usize,
}

/// A unary function by table. Entries lie in the output's element range.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lookup {
    /// For i8 inputs: 256 entries, `y = table[x + 128]`.
    Direct(Vec<i16>),
    /// For i16 inputs: 513 entries; `u = x + 32768, i = u >> 7, f = u & 127`,
    /// `y = table[i] + (((table[i + 1] - table[i]) * f + 64) >> 7)` in i32.
    Interpolated(Vec<i16>),
    /// For i16 inputs: 2048 entries, `y = table[(x + 32768) >> 5]`; for gates, where a step of 1/1024
    /// does no harm and time counts.
    Fine(Vec<i16>),
}

/// The gated sum of one or two products, and a function of it:
///
/// ```text
/// u[k] = table[k](x[k])  or, without a table,  x[k] - z[k]
/// s    = sum over products k of rescale[k](u[2k] * u[2k + 1])
/// y    = saturate(function(saturate16(s)))  or, without a function,  saturate(z_out + s)
/// ```
///
/// One product with two tables is the output of an LSTM, two products with two tables and an elu the
/// state of a reciprocal gated cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatedSum {
    /// By operand.
    pub tables: Vec<Option<Lookup>>,
    /// By product, of the operands `2k` and `2k + 1`.
    pub rescale: Vec<Rescale>,
    /// A table of i16 inputs.
    pub function: Option<Lookup>,
}

/// One integer operation. `z` is the zero point of the operand named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum QuantizedOperation {
    /// See [`QuantizedConvolution`].
    Convolution(QuantizedConvolution),
    /// `saturate(z_out + left(a - z_a) + right(b - z_b))`
    Add {
        /// For the first operand.
        left: Rescale,
        /// For the second operand.
        right: Rescale,
    },
    /// `saturate(z_out + rescale((a - z_a) * (b - z_b)))`
    Multiply {
        /// For the product.
        rescale: Rescale,
    },
    /// `saturate(table(x))`; any chain of affine functions and activations.
    Lookup(Lookup),
    /// `saturate(z_out + rescale(x - z_x))`: another scale or width.
    Rescale(Rescale),
    /// Maximum over the window's positions inside the map; the type of the input is kept.
    MaxPool(Pool),
    /// `saturate(z_out + rescale(sum over positions of (x - z_x)))`; the factor holds 1 / positions.
    GlobalAverage {
        /// For the sum.
        rescale: Rescale,
    },
    /// The type of the input is kept. With the weights of `ResizeMode::sample` rounded to 1/128,
    /// `wy` and `wx`: `(sum of four (128 - wy | wy) * (128 - wx | wx) * x + 8192) >> 14`.
    Resize(Resize),
    /// See [`GatedSum`].
    GatedSum(GatedSum),
}

/// One operation of the quantised step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedNode {
    /// Path; the float node's where one gave rise to it.
    pub name: String,
    /// Index into [`QuantizedGraph::layers`].
    pub layer: usize,
    /// What is computed.
    pub operation: QuantizedOperation,
    /// Operands; [`NodeId`]s are indices into [`QuantizedGraph::nodes`].
    pub inputs: Vec<Read>,
    /// Type of the output.
    pub output: QuantizedType,
}

/// A state in integers; its zero is `zero_point`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedState {
    /// Path, as in the float graph.
    pub name: String,
    /// The layer that writes it.
    pub layer: usize,
    /// What it holds.
    pub kind: crate::graph::StateKind,
    /// Type.
    pub value: QuantizedType,
    /// The node whose value becomes the state when the step ends; it has the same type.
    pub next: NodeId,
}

/// From raw pixels to the quantised frame: `frame[c] = table[c * 256 + pixel]`, which holds
/// preprocessing and quantisation at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameTable {
    /// 256 entries a channel.
    pub entries: Vec<i8>,
}

/// One time step in integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedGraph {
    /// Name of the architecture.
    pub name: String,
    /// The frame; always i8.
    pub frame: QuantizedType,
    /// Names of the layers.
    pub layers: Vec<String>,
    /// Operations in a valid order.
    pub nodes: Vec<QuantizedNode>,
    /// What is carried between steps.
    pub states: Vec<QuantizedState>,
    /// The class scores, i16.
    pub logits: NodeId,
    /// Values worth watching.
    pub taps: Vec<Tap>,
}

impl QuantizedGraph {
    /// The type of what a node reads.
    pub fn read_type(&self, read: Read) -> QuantizedType {
        match read {
            Read::Frame => self.frame,
            Read::Node(node) => self.nodes[node.0].output,
            Read::State(state) => self.states[state.0].value,
        }
    }
}
