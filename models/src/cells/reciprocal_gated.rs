//! The reciprocal gated cell of Nayebi et al. 2018, section 6.2, equations 1 and 2.

use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{Activation, GraphBuilder, GraphError, NodeId, Read, StateKind};
use serde::{Deserialize, Serialize};

/// Output h and memory c gate each other and themselves:
///
/// ```text
/// a[t+1] = (1 - sigmoid(W_ch * c[t])) . x + (1 - sigmoid(W_hh * h[t])) . h[t]     h = f(a)
/// b[t+1] = (1 - sigmoid(W_hc * h[t])) . x + (1 - sigmoid(W_cc * c[t])) . c[t]     c = f(b)
/// ```
///
/// `*` is convolution without bias, `.` the elementwise product. Both updates read the old states.
/// x, h and c share one shape. States: `hidden` (h) and `memory` (c).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReciprocalGated {
    /// Height and width of the four gate convolutions.
    pub kernel: usize,
    /// f of both equations.
    #[serde(default = "elu")]
    pub activation: Activation,
}

fn elu() -> Activation {
    Activation::Elu
}

impl ReciprocalGated {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, input: Read) -> Result<NodeId, GraphError> {
        let shape = builder.shape(input);
        let hidden = builder.state("hidden", StateKind::Cell, shape);
        let memory = builder.state("memory", StateKind::Cell, shape);
        let (h, c) = (Read::State(hidden), Read::State(memory));
        let next_hidden = self.update(builder, ["ch", "hh"], input, c, h)?;
        let next_memory = self.update(builder, ["hc", "cc"], input, h, c)?;
        builder.write_state(hidden, next_hidden);
        builder.write_state(memory, next_memory);
        Ok(next_hidden)
    }

    /// `f((1 - sigmoid(W_cross * other)) . x + (1 - sigmoid(W_self * own)) . own)`
    fn update(
        &self,
        builder: &mut GraphBuilder,
        [cross, own_gate]: [&str; 2],
        input: Read,
        other: Read,
        own: Read,
    ) -> Result<NodeId, GraphError> {
        let cross_gate = self.gate(builder, cross, other)?;
        let self_gate = self.gate(builder, own_gate, own)?;
        let passed = builder.multiply(&format!("input_{cross}"), cross_gate, input)?;
        let kept = builder.multiply(&format!("kept_{own_gate}"), self_gate, own)?;
        let sum = builder.add(&format!("sum_{cross}"), Read::Node(passed), Read::Node(kept))?;
        builder.activation(&format!("next_{cross}"), self.activation, Read::Node(sum))
    }

    /// `1 - sigmoid(W * state)`
    fn gate(&self, builder: &mut GraphBuilder, name: &str, state: Read) -> Result<Read, GraphError> {
        let channels = builder.shape(state).channels;
        let affine =
            builder.convolution(&format!("w_{name}"), &[state], ConvolutionSpec::new(channels, self.kernel))?;
        let sigmoid = builder.activation(&format!("sigmoid_{name}"), Activation::Sigmoid, Read::Node(affine))?;
        builder.affine(&format!("gate_{name}"), -1.0, 1.0, Read::Node(sigmoid)).map(Read::Node)
    }
}
