//! The intersection recurrent network (Collins et al. 2017) in convolutional form.

use super::affine::{Squashed, interpolate};
use super::context::CellContext;
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, NodeId, StateKind};
use serde::{Deserialize, Serialize};

/// One gate for the way through time, one for the way through depth:
///
/// ```text
/// g_h = sigmoid(W_gh * [x, h] + b_gh)    n_h = tanh(W_nh * [x, h] + b_nh)    h[t+1] = g_h . h + (1 - g_h) . n_h
/// g_y = sigmoid(W_gy * [x, h] + b_gy)    n_y = relu(W_ny * [x, h] + b_ny)    y[t+1] = g_y . x + (1 - g_y) . n_y
/// ```
///
/// y is the output. The gates' biases start from 1. State: `hidden`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intersection {
    /// Height and width of the four convolutions.
    pub kernel: usize,
    /// How the weights start.
    #[serde(default = "crate::defaults::xavier")]
    pub initializer: Initializer,
}

impl Intersection {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let x = context.input;
        let shape = builder.shape(x);
        let hidden = builder.state("hidden", StateKind::Cell, shape);
        let h = context.hidden(builder, hidden)?;
        let part = Squashed::family(self.kernel, self.initializer);
        let gate_time = part("gate_time", Activation::Sigmoid, 1.0).emit(builder, &[x, h], shape.channels)?;
        let new_time = part("new_time", Activation::Tanh, 0.0).emit(builder, &[x, h], shape.channels)?;
        let gate_depth = part("gate_depth", Activation::Sigmoid, 1.0).emit(builder, &[x, h], shape.channels)?;
        let new_depth = part("new_depth", Activation::Relu, 0.0).emit(builder, &[x, h], shape.channels)?;
        let next = interpolate(builder, "next", gate_time, h, new_time)?;
        let output = interpolate(builder, "output", gate_depth, x, new_depth)?;
        builder.write_state(hidden, next);
        Ok(output)
    }
}
