//! The vanilla recurrent cell (Elman 1990) in convolutional form.

use super::context::CellContext;
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{Activation, GraphBuilder, GraphError, NodeId, Read, StateKind};
use serde::{Deserialize, Serialize};

/// `h[t+1] = f(x + W_hh * h[t])`, the convolution without bias since x has one already. With h zero
/// the input passes (bypassing, no gating; Figure 2a of the paper). State: `hidden`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vanilla {
    /// Height and width of the recurrent convolution.
    pub kernel: usize,
    /// f.
    #[serde(default = "elu")]
    pub activation: Activation,
}

fn elu() -> Activation {
    Activation::Elu
}

impl Vanilla {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let shape = builder.shape(context.input);
        let hidden = builder.state("hidden", StateKind::Cell, shape);
        let h = context.hidden(builder, hidden)?;
        let spec = ConvolutionSpec::new(shape.channels, self.kernel);
        let recurrent = builder.convolution("w_hh", &[h], spec)?;
        let sum = builder.add("sum", context.input, Read::Node(recurrent))?;
        let next = builder.activation("next", self.activation, Read::Node(sum))?;
        builder.write_state(hidden, next);
        Ok(next)
    }
}
