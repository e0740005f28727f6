//! The gated recurrent unit (Cho et al. 2014) in convolutional form.

use super::affine::{Squashed, interpolate};
use super::context::CellContext;
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, NodeId, Read, StateKind};
use serde::{Deserialize, Serialize};

/// ```text
/// r = sigmoid(W_r * [x, h] + b_r)        u = sigmoid(W_u * [x, h] + b_u)
/// n = f(W_n * [x, r . h] + b_n)          h[t+1] = u . h + (1 - u) . n
/// ```
///
/// ONNX `GRU` with `linear_before_reset = 0`, where maps are 1x1. The biases of r and u start from 1: neither reset nor
/// update. State: `hidden`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gru {
    /// Height and width of the three convolutions.
    pub kernel: usize,
    /// f.
    #[serde(default = "crate::defaults::tanh")]
    pub activation: Activation,
    /// How the weights start.
    #[serde(default = "crate::defaults::xavier")]
    pub initializer: Initializer,
}

impl Gru {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let x = context.input;
        let shape = builder.shape(x);
        let hidden = builder.state("hidden", StateKind::Cell, shape);
        let h = context.hidden(builder, hidden)?;
        let part = Squashed::family(self.kernel, self.initializer);
        let reset = part("reset", Activation::Sigmoid, 1.0).emit(builder, &[x, h], shape.channels)?;
        let update = part("update", Activation::Sigmoid, 1.0).emit(builder, &[x, h], shape.channels)?;
        let remembered = Read::Node(builder.multiply("remembered", reset, h)?);
        let new = part("new", self.activation, 0.0).emit(builder, &[x, remembered], shape.channels)?;
        let next = interpolate(builder, "next", update, h, new)?;
        builder.write_state(hidden, next);
        Ok(next)
    }
}
