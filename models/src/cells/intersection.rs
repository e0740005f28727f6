//! The intersection recurrent network (Collins et al. 2017) in convolutional form.

use super::affine::{Affine, interpolate};
use super::context::CellContext;
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, NodeId, Read, StateKind};
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
    #[serde(default = "xavier")]
    pub initializer: Initializer,
}

fn xavier() -> Initializer {
    Initializer::XavierUniform
}

impl Intersection {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let x = context.input;
        let shape = builder.shape(x);
        let hidden = builder.state("hidden", StateKind::Cell, shape);
        let h = context.hidden(builder, hidden)?;
        let part = |builder: &mut GraphBuilder, name: &str, activation, bias| {
            let affine =
                Affine::convolution(self.kernel, Some(Initializer::Constant { value: bias }), self.initializer);
            let affine = affine.emit(builder, &format!("w_{name}"), &[x, h], shape.channels)?;
            builder.activation(name, activation, affine).map(Read::Node)
        };
        let gate = part(builder, "gate_time", Activation::Sigmoid, 1.0)?;
        let new = part(builder, "new_time", Activation::Tanh, 0.0)?;
        let next = interpolate(builder, "next", gate, h, new)?;
        let gate = part(builder, "gate_depth", Activation::Sigmoid, 1.0)?;
        let new = part(builder, "new_depth", Activation::Relu, 0.0)?;
        let output = interpolate(builder, "output", gate, x, new)?;
        builder.write_state(hidden, next);
        Ok(output)
    }
}
