//! Long short-term memory (Hochreiter and Schmidhuber 1997) in convolutional form (Shi et al. 2015).

use super::affine::Squashed;
use super::context::CellContext;
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{Activation, GraphBuilder, GraphError, Initializer, NodeId, Read, StateKind};
use serde::{Deserialize, Serialize};

/// ```text
/// i = sigmoid(W_i * [x, h] + p_i . c + b_i)      f = sigmoid(W_f * [x, h] + p_f . c + b_f)
/// g = tanh(W_g * [x, h] + b_g)                   c[t+1] = f . c + i . g
/// o = sigmoid(W_o * [x, h] + p_o . c[t+1] + b_o)  h[t+1] = o . tanh(c[t+1])
/// ```
///
/// ONNX `LSTM`, where maps are 1x1. The peepholes p are one number a channel, the same at all positions as the other
/// weights are (the released code has one a position, and its p_o sees the old c; none of its models uses them). The
/// bias of f starts from 1. With `depth` above 1 the output of one such cell is the x of the next, all in one step.
/// States: `hidden` and `memory`; `hidden2`, `memory2`, … with depth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lstm {
    /// Height and width of the convolutions.
    pub kernel: usize,
    /// Kernels of single gates, where they differ.
    #[serde(default, skip_serializing_if = "Kernels::is_empty")]
    pub kernels: Kernels,
    /// Whether the gates see the memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub peepholes: bool,
    /// Cells on top of each other.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub depth: usize,
    /// How the weights start.
    #[serde(default = "crate::defaults::xavier")]
    pub initializer: Initializer,
}

/// Height and width of the convolution of a gate; that of the cell if not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernels {
    /// i.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<usize>,
    /// f.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget: Option<usize>,
    /// g.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<usize>,
    /// o.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<usize>,
}

impl Kernels {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn one() -> usize {
    1
}

fn is_one(depth: &usize) -> bool {
    *depth == 1
}

/// Most cells on top of each other.
const DEEPEST: usize = 16;

/// What one gate needs to know.
struct Gate {
    name: &'static str,
    kernel: Option<usize>,
    bias: f64,
    /// The memory that its peephole sees.
    memory: Option<Read>,
    activation: Activation,
}

impl Lstm {
    pub(super) fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        if !(1..=DEEPEST).contains(&self.depth) {
            let message = format!("depth is {}, expected 1 to {DEEPEST}", self.depth);
            return Err(GraphError::Node { node: builder.path("cell"), message });
        }
        let mut output = self.one(builder, context, context.input, 1)?;
        for level in 2..=self.depth {
            output = builder
                .within(&format!("level{level}"), |builder| self.one(builder, context, Read::Node(output), level))?;
        }
        Ok(output)
    }

    fn one(
        &self,
        builder: &mut GraphBuilder,
        context: &CellContext<'_>,
        x: Read,
        level: usize,
    ) -> Result<NodeId, GraphError> {
        let shape = builder.shape(x);
        let suffix = if level == 1 { String::new() } else { level.to_string() };
        let hidden = builder.state(&format!("hidden{suffix}"), StateKind::Cell, shape);
        let memory = builder.state(&format!("memory{suffix}"), StateKind::Cell, shape);
        // Feedback enters the first cell's hidden state.
        let h = if level == 1 { context.hidden(builder, hidden)? } else { Read::State(hidden) };
        let c = Read::State(memory);
        let (sigmoid, tanh) = (Activation::Sigmoid, Activation::Tanh);
        let gate = |name, kernel, bias, memory, activation| Gate { name, kernel, bias, memory, activation };
        let kernels = &self.kernels;
        let input = self.gate(builder, &gate("input", kernels.input, 0.0, Some(c), sigmoid), x, h)?;
        let forget = self.gate(builder, &gate("forget", kernels.forget, 1.0, Some(c), sigmoid), x, h)?;
        let candidate = self.gate(builder, &gate("candidate", kernels.candidate, 0.0, None, tanh), x, h)?;
        let kept = Read::Node(builder.multiply("kept", forget, c)?);
        let taken = Read::Node(builder.multiply("taken", input, candidate)?);
        let next_memory = builder.add("next_memory", kept, taken)?;
        let seen = Some(Read::Node(next_memory));
        let output = self.gate(builder, &gate("output", kernels.output, 0.0, seen, sigmoid), x, h)?;
        let squashed = Read::Node(builder.activation("squashed", tanh, Read::Node(next_memory))?);
        let next = builder.multiply("next", output, squashed)?;
        builder.write_state(hidden, next);
        builder.write_state(memory, next_memory);
        Ok(next)
    }

    fn gate(&self, builder: &mut GraphBuilder, gate: &Gate, x: Read, h: Read) -> Result<Read, GraphError> {
        let name = gate.name;
        let channels = builder.shape(h).channels;
        let kernel = gate.kernel.unwrap_or(self.kernel);
        let squashed =
            Squashed { name, kernel, initializer: self.initializer, bias: gate.bias, activation: gate.activation };
        let mut affine = squashed.affine(builder, &[x, h], channels)?;
        if let (true, Some(memory)) = (self.peepholes, gate.memory) {
            // One number a channel is a depthwise 1x1 convolution.
            let spec = ConvolutionSpec { groups: channels, ..ConvolutionSpec::new(channels, 1) };
            let peephole = builder.convolution(&format!("peephole_{name}"), &[memory], spec)?;
            affine = Read::Node(builder.add(&format!("sum_{name}"), affine, Read::Node(peephole))?);
        }
        squashed.squash(builder, affine)
    }
}
