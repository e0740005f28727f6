//! The operations of a step graph. Every executor matches on [`Operation`] without a catch-all arm,
//! so that a new operation cannot be forgotten in one of them.

use crate::graph::ParameterId;
use serde::{Deserialize, Serialize};

/// One operation. Shapes are `[channels, height, width]`; every operation has exactly one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// Cross-correlation as in ONNX `Conv`, over the channel-wise concatenation of its inputs (in
    /// order), which need not exist in memory. Inputs share height and width.
    Convolution(Convolution),
    /// Spatial resize of one input, channels untouched (ONNX `Resize`).
    Resize(Resize),
    /// Normalisation of each channel by its own mean and variance (ONNX `BatchNormalization`).
    BatchNorm(BatchNorm),
    /// `factor * x` with one trained number for the whole map.
    Scale {
        /// Shape `[1]`.
        factor: ParameterId,
    },
    /// Elementwise sum of two inputs of one shape.
    Add,
    /// Elementwise (Hadamard) product of two inputs of one shape.
    Multiply,
    /// `scale * x + offset` with constants; `1 - x` is `scale = -1, offset = 1`.
    Affine {
        /// Factor of x.
        scale: f64,
        /// Added afterwards.
        offset: f64,
    },
    /// An elementwise function.
    Activation(Activation),
    /// Maximum over windows; padding counts as minus infinity (ONNX `MaxPool`).
    MaxPool(Pool),
    /// Mean over all positions of a channel, giving `[channels, 1, 1]` (ONNX `GlobalAveragePool`).
    GlobalAverage,
}

/// Elementwise functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `x` for `x > 0`, else `exp(x) - 1`
    Elu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
}

impl Activation {
    /// The function itself, in f64.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Activation::Relu => x.max(0.0),
            Activation::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Activation::Tanh => x.tanh(),
        }
    }

    /// Whether the function maps zero to zero.
    pub fn keeps_zero(self) -> bool {
        match self {
            Activation::Relu | Activation::Elu | Activation::Tanh => true,
            Activation::Sigmoid => false,
        }
    }

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Elu => "elu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
        }
    }
}

/// Rows and columns added on each side. "SAME" in the sense of TensorFlow is asymmetric for even
/// kernels and for stride 2 on even sizes, so the four sides are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// No padding.
    pub const NONE: Padding = Padding { top: 0, bottom: 0, left: 0, right: 0 };

    /// TensorFlow's "SAME" along both axes: the output has `ceil(size / stride)` positions and the
    /// odd row or column of padding goes to the bottom or right.
    pub fn same(size: [usize; 2], kernel: [usize; 2], stride: [usize; 2]) -> Self {
        let along = |axis: usize| {
            let output = size[axis].div_ceil(stride[axis]);
            let total = ((output.max(1) - 1) * stride[axis] + kernel[axis]).saturating_sub(size[axis]);
            (total / 2, total - total / 2)
        };
        let ((top, bottom), (left, right)) = (along(0), along(1));
        Self { top, bottom, left, right }
    }
}

/// A 2-D convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convolution {
    /// `[out channels, in channels / groups, kernel height, kernel width]`.
    pub weight: ParameterId,
    /// `[out channels]`.
    pub bias: Option<ParameterId>,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride down and to the right.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: Padding,
    /// Channel groups; equal to the channels for a depthwise convolution. With more than one group
    /// there must be one input.
    pub groups: usize,
}

/// `y = scale[c] * (x - mean[c]) / sqrt(variance[c] + epsilon) + shift[c]` (Ioffe and Szegedy 2015).
///
/// Mean and variance are the running ones, wherever the graph is run for its answers. In training
/// they are those of the batch and its positions (the variance divided by their number), at the steps
/// at which the input depends on the image; at all other steps, where a batch is one value many
/// times over, they are the running ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNorm {
    /// `[channels]`.
    pub scale: ParameterId,
    /// `[channels]`.
    pub shift: ParameterId,
    /// `[channels]`, measured.
    pub mean: ParameterId,
    /// `[channels]`, measured; unbiased, as libtorch keeps it.
    pub variance: ParameterId,
    /// Added to the variance.
    pub epsilon: f64,
}

impl BatchNorm {
    /// Its tensors.
    pub fn parameters(&self) -> [ParameterId; 4] {
        [self.scale, self.shift, self.mean, self.variance]
    }
}

/// A pooling window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pool {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Stride down and to the right.
    pub stride: [usize; 2],
    /// Padding on each side; smaller than the window, so that no window is empty.
    pub padding: Padding,
}

/// How a map is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// Bilinear, the corners' centres aligned: `source = target * (in - 1) / (out - 1)`, and 0 where
    /// `out = 1`. ONNX `align_corners`; the released code's mode.
    BilinearAlignedCorners,
    /// Bilinear, `source = (target + 0.5) * in / out - 0.5`, clamped. ONNX `half_pixel`.
    BilinearHalfPixel,
    /// The source at `floor(target * in / out)`. ONNX `nearest`, `asymmetric`, `floor`.
    Nearest,
}

/// A spatial resize.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resize {
    /// Height of the output.
    pub height: usize,
    /// Width of the output.
    pub width: usize,
    /// Sampling rule.
    pub mode: ResizeMode,
}

impl ResizeMode {
    /// The two source positions and the weight of the second one for output position `target`, on
    /// an axis of `input` positions resized to `output`. The value is
    /// `(1 - weight) * source[first] + weight * source[second]`. This is the only definition of the
    /// sampling positions: executors that resize by themselves call it.
    pub fn sample(self, target: usize, input: usize, output: usize) -> (usize, usize, f64) {
        let position = match self {
            ResizeMode::BilinearAlignedCorners if output == 1 => 0.0,
            ResizeMode::BilinearAlignedCorners => target as f64 * (input - 1) as f64 / (output - 1) as f64,
            ResizeMode::BilinearHalfPixel => {
                ((target as f64 + 0.5) * input as f64 / output as f64 - 0.5).clamp(0.0, (input - 1) as f64)
            }
            ResizeMode::Nearest => (target * input / output) as f64,
        };
        let first = (position.floor() as usize).min(input - 1);
        (first, (first + 1).min(input - 1), position - first as f64)
    }
}

/// The kinds of operation, for code that sorts or counts by kind.
impl Operation {
    /// The tensors it reads.
    pub fn parameters(&self) -> Vec<ParameterId> {
        match self {
            Operation::Convolution(convolution) => {
                std::iter::once(convolution.weight).chain(convolution.bias).collect()
            }
            Operation::BatchNorm(norm) => norm.parameters().to_vec(),
            Operation::Scale { factor } => vec![*factor],
            Operation::Resize(_)
            | Operation::Add
            | Operation::Multiply
            | Operation::Affine { .. }
            | Operation::Activation(_)
            | Operation::MaxPool(_)
            | Operation::GlobalAverage => Vec::new(),
        }
    }

    /// A short name for reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Operation::Convolution(_) => "convolution",
            Operation::Resize(_) => "resize",
            Operation::BatchNorm(_) => "batch-norm",
            Operation::Scale { .. } => "scale",
            Operation::Add => "add",
            Operation::Multiply => "multiply",
            Operation::Affine { .. } => "affine",
            Operation::Activation(activation) => activation.name(),
            Operation::MaxPool(_) => "max-pool",
            Operation::GlobalAverage => "global-average",
        }
    }
}
