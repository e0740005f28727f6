//! The update gate recurrent network (Collins et al. 2017) in convolutional form.

use super::affine::{Squashed, interpolate};
use super::context::CellContext;
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, NodeId, StateKind};
use serde::{Deserialize, Serialize};

/// ```text
/// g = sigmoid(W_g * [x, h] + b_g)     n = tanh(W_n * [x, h] + b_n)     h[t+1] = g . h + (1 - g) . n
/// ```
///
/// The gate's bias starts from 1. State: `hidden`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ugrnn {
    /// Height and width of the two convolutions.
    pub kernel: usize,
    /// How the weights start.
    #[serde(default = "crate::defaults::xavier")]
    pub initializer: Initializer,
}

impl Ugrnn {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let x = context.input;
        let shape = builder.shape(x);
        let hidden = builder.state("hidden", StateKind::Cell, shape);
        let h = context.hidden(builder, hidden)?;
        let part = Squashed::family(self.kernel, self.initializer);
        let gate = part("gate", Activation::Sigmoid, 1.0).emit(builder, &[x, h], shape.channels)?;
        let new = part("new", Activation::Tanh, 0.0).emit(builder, &[x, h], shape.channels)?;
        let next = interpolate(builder, "next", gate, h, new)?;
        builder.write_state(hidden, next);
        Ok(next)
    }
}
