//! The reciprocal gated cell of Nayebi et al. 2018 in its three forms, each a point of the general cell.

use super::affine::AffineKind;
use super::context::CellContext;
use super::search::{Gate, InputMap, Operand, Search, Update};
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, NodeId};
use serde::{Deserialize, Serialize};

/// Output h and memory c gate each other and themselves. As in the paper's section 6.2, equations 1 and 2:
///
/// ```text
/// a[t+1] = (1 - sigmoid(W_ch * c[t])) . x + (1 - sigmoid(W_hh * h[t])) . h[t]     h = f(a)
/// b[t+1] = (1 - sigmoid(W_hc * h[t])) . x + (1 - sigmoid(W_cc * c[t])) . c[t]     c = f(b)
/// ```
///
/// `*` is convolution without bias, `.` the elementwise product. Both updates read the old states. States: `hidden`
/// (h) and `memory` (c).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReciprocalGated {
    /// Which of the three forms.
    #[serde(default)]
    pub form: Form,
    /// Height and width of the gate convolutions; 3, or 7 in the form `released-median`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<usize>,
    /// f of both equations.
    #[serde(default = "crate::defaults::elu")]
    pub activation: Activation,
}

/// The forms: the paper's, and those of the code that its authors released with a later paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Section 6.2.
    #[default]
    Paper,
    /// The memory takes a 3x3 convolution of x, and the gate of the output reads the layer below too.
    ReleasedShallow,
    /// The memory has 64 channels and takes a 2x2 convolution of x; the output takes a 3x3 convolution of x and the
    /// layer's own input; gates are depth-separable, with biases, and scaled by constants that a search found:
    /// `0.7007 (1 - tanh)` for the cross gates, `0.9219 (1 - sigmoid)` for the others.
    ReleasedMedian,
}

/// Factor of the cross gates of the released median model.
const MEDIAN_GATE: f64 = 0.700_656_668_498_886_2;
/// Factor of its self gates.
const MEDIAN_KEEP: f64 = 0.921_934_806_429_161_1;
/// Scale of its recurrent weights' variance.
const MEDIAN_SCALE: f64 = 0.639_337_838_627_399_8;
/// Channels of its memory.
const MEDIAN_MEMORY: usize = 64;

impl ReciprocalGated {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        self.as_search().emit(builder, context)
    }

    /// The same cell as a point of the search space.
    pub fn as_search(&self) -> Search {
        match self.form {
            Form::Paper => self.plain(&[Operand::Memory], None),
            Form::ReleasedShallow => self.plain(
                &[Operand::Memory, Operand::Below],
                Some(InputMap { affine: AffineKind::Convolution, kernel: 3, bias: false }),
            ),
            Form::ReleasedMedian => self.median(),
        }
    }

    fn plain(&self, output_gate: &[Operand], memory_input: Option<InputMap>) -> Search {
        let gate = |reads: &[Operand]| Gate {
            reads: reads.to_vec(),
            affine: AffineKind::Convolution,
            kernel: self.kernel.unwrap_or(3),
            bias: false,
            squash: Activation::Sigmoid,
            offset: 1.0,
            factor: -1.0,
        };
        let update = |input, cross: &[Operand], own| Update {
            activation: self.activation,
            input,
            residual: false,
            gate: Some(gate(cross)),
            keep: Some(gate(&[own])),
        };
        Search {
            memory_channels: None,
            initializer: Initializer::XavierUniform,
            hidden: update(None, output_gate, Operand::Hidden),
            memory: Some(update(memory_input, &[Operand::Hidden], Operand::Memory)),
        }
    }

    fn median(&self) -> Search {
        let gate = |read, squash, factor: f64| Gate {
            reads: vec![read],
            affine: AffineKind::Separable,
            kernel: self.kernel.unwrap_or(7),
            bias: true,
            squash,
            offset: factor,
            factor: -factor,
        };
        let update = |kernel, residual, cross, own| Update {
            activation: self.activation,
            input: Some(InputMap { affine: AffineKind::Convolution, kernel, bias: true }),
            residual,
            gate: Some(gate(cross, Activation::Tanh, MEDIAN_GATE)),
            keep: Some(gate(own, Activation::Sigmoid, MEDIAN_KEEP)),
        };
        Search {
            memory_channels: Some(MEDIAN_MEMORY),
            initializer: Initializer::VarianceScaling { scale: MEDIAN_SCALE },
            hidden: update(3, true, Operand::Memory, Operand::Hidden),
            memory: Some(update(2, false, Operand::Hidden, Operand::Memory)),
        }
    }
}
