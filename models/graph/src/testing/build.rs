//! From the plan of a random network to its graph.

use super::plan::{CellPlan, EdgePlan, NetworkPlan, Sizing};
use crate::builder::{ConvolutionSpec, GraphBuilder};
use crate::graph::{GraphError, NodeId, Read, StateId, StateKind, StepGraph};
use crate::operation::{Activation, Operation, Padding, Pool, Resize, ResizeMode};
use crate::parameters::Initializer;
use crate::shape::Shape;

pub(super) struct Build<'a> {
    plan: &'a NetworkPlan,
    edges: &'a [EdgePlan],
    declared: bool,
    outputs: Vec<Option<StateId>>,
    builder: GraphBuilder,
}

impl<'a> Build<'a> {
    pub(super) fn new(plan: &'a NetworkPlan, edges: &'a [EdgePlan], shapes: Option<&[Shape]>) -> Self {
        let mut builder = GraphBuilder::new("random", plan.frame);
        let mut outputs = vec![None; plan.layers.len()];
        for (index, &shape) in shapes.unwrap_or(&[]).iter().enumerate() {
            let name = format!("layer{}.output", index + 1);
            let is_read = index + 1 < plan.layers.len() || edges.iter().any(|edge| edge.from == index);
            outputs[index] = is_read.then(|| builder.declare_state(name, index, StateKind::Output, shape));
        }
        Self { plan, edges, declared: shapes.is_some(), outputs, builder }
    }

    pub(super) fn run(mut self) -> Result<(StepGraph, Vec<Shape>), GraphError> {
        let count = self.plan.layers.len();
        let mut shapes = Vec::new();
        let mut last = NodeId(0);
        for index in 0..count {
            self.builder.enter_layer(&format!("layer{}", index + 1));
            last = self.layer(index)?;
            let shape = self.builder.shape(Read::Node(last));
            shapes.push(shape);
            self.builder.tap("output", last);
            if !self.declared && index + 1 < count {
                let name = format!("layer{}.output", index + 1);
                self.outputs[index] = Some(self.builder.declare_state(name, index, StateKind::Output, shape));
            }
            if let Some(state) = self.outputs[index] {
                self.builder.write_state(state, last);
            }
        }
        Ok((self.builder.finish(last)?, shapes))
    }

    fn layer(&mut self, index: usize) -> Result<NodeId, GraphError> {
        let plan = &self.plan.layers[index];
        let is_last = index + 1 == self.plan.layers.len();
        let mut feedforward = match index.checked_sub(1) {
            None => Read::Frame,
            Some(below) => Read::State(self.outputs[below].expect("declared")),
        };
        let below = feedforward;
        if is_last && self.plan.average_first {
            feedforward = Read::Node(self.builder.node("average", Operation::GlobalAverage, &[feedforward])?);
        }
        if plan.scaled_input {
            feedforward = Read::Node(self.builder.affine("scaled", -0.8, 0.1, feedforward)?);
        }
        let size = self.builder.shape(feedforward);
        let edges: Vec<EdgePlan> = self.edges.iter().filter(|edge| edge.to == index).copied().collect();
        let mut inputs = vec![feedforward];
        for edge in edges.iter().filter(|edge| !edge.added) {
            inputs.push(self.resized(edge, size)?);
        }
        // Decided from the plan, so that the build without edges has the same channels.
        let concatenates = self.plan.edges.iter().any(|edge| edge.to == index && !edge.added);
        let depthwise = plan.depthwise && !concatenates && !is_last;
        // Explicit padding where the window fits, "SAME" on maps that have become too small for it.
        let fits = |padding: &Padding| {
            size.height + padding.top + padding.bottom >= plan.kernel[0]
                && size.width + padding.left + padding.right >= plan.kernel[1]
        };
        let spec = ConvolutionSpec {
            kernel: plan.kernel,
            stride: plan.stride,
            padding: plan.padding.filter(fits),
            bias: plan.bias.then_some(Initializer::Zeros),
            groups: if depthwise { size.channels } else { 1 },
            ..ConvolutionSpec::new(if depthwise { 2 * size.channels } else { plan.channels }, 1)
        };
        let mut value = self.builder.convolution("conv", &inputs, spec)?;
        if plan.trained.norm {
            value = self.builder.batch_norm("norm", Read::Node(value))?;
        }
        if plan.trained.scale {
            value = self.builder.scale("scaled_input", 1.0, Read::Node(value))?;
        }
        for edge in edges.iter().filter(|edge| edge.added) {
            let target = self.builder.shape(Read::Node(value));
            let source = self.resized(edge, target)?;
            let path = format!("feedback{}", edge.from + 1);
            let spec = ConvolutionSpec { bias: Some(Initializer::Zeros), ..ConvolutionSpec::new(target.channels, 1) };
            let added = self.builder.convolution(&path, &[source], spec)?;
            value = self.builder.add(&format!("{path}.sum"), Read::Node(value), Read::Node(added))?;
        }
        value = self.cell(&plan.cell, value)?;
        if plan.residual && self.builder.shape(below) == self.builder.shape(Read::Node(value)) {
            value = self.builder.add("residual", Read::Node(value), below)?;
        }
        if let Some(activation) = plan.activation.filter(|_| !is_last) {
            value = self.builder.activation("activation", activation, Read::Node(value))?;
        }
        if plan.trained.norm_at_end {
            value = self.builder.batch_norm("norm_at_end", Read::Node(value))?;
        }
        if is_last {
            return self.builder.node("logits", Operation::GlobalAverage, &[Read::Node(value)]);
        }
        if let Some((kernel, stride)) = plan.pool {
            let shape = self.builder.shape(Read::Node(value));
            let padding = Padding::same([shape.height, shape.width], [kernel; 2], [stride; 2]);
            let pool = Pool { kernel: [kernel; 2], stride: [stride; 2], padding };
            value = self.builder.node("pool", Operation::MaxPool(pool), &[Read::Node(value)])?;
        }
        Ok(value)
    }

    fn resized(&mut self, edge: &EdgePlan, size: Shape) -> Result<Read, GraphError> {
        let source = Read::State(self.outputs[edge.from].expect("declared"));
        let shape = self.builder.shape(source);
        if (shape.height, shape.width) == (size.height, size.width) {
            return Ok(source);
        }
        let resize = |mode| Operation::Resize(Resize { height: size.height, width: size.width, mode });
        let operation = match edge.sizing {
            Sizing::Resize(mode) => resize(mode),
            Sizing::Pool if shape.height < size.height || shape.width < size.width => resize(ResizeMode::Nearest),
            Sizing::Pool => {
                let stride = [shape.height / size.height, shape.width / size.width];
                let kernel = [shape.height - (size.height - 1) * stride[0], shape.width - (size.width - 1) * stride[1]];
                Operation::MaxPool(Pool { kernel, stride, padding: Padding::NONE })
            }
        };
        let way = if edge.added { "_added" } else { "" };
        Ok(Read::Node(self.builder.node(&format!("resize{}{way}", edge.from + 1), operation, &[source])?))
    }

    fn cell(&mut self, plan: &CellPlan, input: NodeId) -> Result<NodeId, GraphError> {
        let builder = &mut self.builder;
        let x = Read::Node(input);
        let shape = builder.shape(x);
        match *plan {
            CellPlan::None => Ok(input),
            CellPlan::Plain(activation) => {
                let hidden = builder.state("hidden", StateKind::Cell, shape);
                let spec = ConvolutionSpec::new(shape.channels, 3);
                let recurrent = builder.convolution("w_hh", &[Read::State(hidden)], spec)?;
                let sum = builder.add("sum", x, Read::Node(recurrent))?;
                let next = builder.activation("next", activation, Read::Node(sum))?;
                builder.write_state(hidden, next);
                Ok(next)
            }
            CellPlan::Gated(activation) => {
                let hidden = builder.state("hidden", StateKind::Cell, shape);
                let memory = builder.state("memory", StateKind::Cell, shape);
                let (h, c) = (Read::State(hidden), Read::State(memory));
                let next_hidden = gated_update(builder, "hidden", activation, x, c, h)?;
                let next_memory = gated_update(builder, "memory", activation, x, h, c)?;
                builder.write_state(hidden, next_hidden);
                builder.write_state(memory, next_memory);
                Ok(next_hidden)
            }
            CellPlan::Interpolating => {
                let hidden = builder.state("hidden", StateKind::Cell, shape);
                let spec =
                    ConvolutionSpec { bias: Some(Initializer::Zeros), ..ConvolutionSpec::new(shape.channels, 3) };
                let affine = builder.convolution("w_z", &[Read::State(hidden)], spec)?;
                let gate = Read::Node(builder.activation("gate", Activation::Sigmoid, Read::Node(affine))?);
                let complement = Read::Node(builder.affine("complement", -1.0, 1.0, gate)?);
                let candidate = Read::Node(builder.activation("candidate", Activation::Tanh, x)?);
                let taken = builder.multiply("taken", gate, candidate)?;
                let kept = builder.multiply("kept", complement, Read::State(hidden))?;
                let next = builder.add("next", Read::Node(taken), Read::Node(kept))?;
                builder.write_state(hidden, next);
                Ok(next)
            }
            CellPlan::Shut => {
                let memory = builder.state("memory", StateKind::Cell, shape);
                let spec = ConvolutionSpec::new(shape.channels, 3);
                let affine = builder.convolution("w_c", &[Read::State(memory)], spec.clone())?;
                let gate = builder.activation("gate", Activation::Tanh, Read::Node(affine))?;
                let hidden = builder.multiply("hidden", x, Read::Node(gate))?;
                let spec = ConvolutionSpec { bias: Some(Initializer::Zeros), ..spec };
                let affine = builder.convolution("w_h", &[Read::Node(hidden)], spec)?;
                let next = builder.activation("next", Activation::Tanh, Read::Node(affine))?;
                builder.write_state(memory, next);
                Ok(hidden)
            }
            CellPlan::Exposing => {
                let hidden = builder.state("hidden", StateKind::Cell, shape);
                let recurrent =
                    builder.convolution("w_hh", &[Read::State(hidden)], ConvolutionSpec::new(shape.channels, 3))?;
                let sum = builder.add("sum", x, Read::Node(recurrent))?;
                let gate = Read::Node(builder.activation("gate", Activation::Sigmoid, x)?);
                let memory = Read::Node(builder.activation("memory", Activation::Tanh, Read::Node(sum))?);
                let next = builder.multiply("next", gate, memory)?;
                builder.write_state(hidden, next);
                Ok(next)
            }
        }
    }
}

/// `f((1 - sigmoid(W_cross * other)) . x + (1 - sigmoid(W_self * own)) . own)`
fn gated_update(
    builder: &mut GraphBuilder,
    name: &str,
    activation: Activation,
    input: Read,
    other: Read,
    own: Read,
) -> Result<NodeId, GraphError> {
    let mut gate = |part: &str, state: Read| {
        let spec = ConvolutionSpec::new(builder.shape(state).channels, 3);
        let affine = builder.convolution(&format!("{name}.w_{part}"), &[state], spec)?;
        let sigmoid = builder.activation(&format!("{name}.sigmoid_{part}"), Activation::Sigmoid, Read::Node(affine))?;
        builder.affine(&format!("{name}.gate_{part}"), -1.0, 1.0, Read::Node(sigmoid)).map(Read::Node)
    };
    let (cross, keep) = (gate("cross", other)?, gate("self", own)?);
    let passed = builder.multiply(&format!("{name}.passed"), cross, input)?;
    let kept = builder.multiply(&format!("{name}.kept"), keep, own)?;
    let sum = builder.add(&format!("{name}.sum"), Read::Node(passed), Read::Node(kept))?;
    builder.activation(&format!("{name}.next"), activation, Read::Node(sum))
}
