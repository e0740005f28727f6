//! Builds step graphs node by node.

use crate::graph::*;
use crate::operation::*;
use crate::parameters::{Initializer, ParameterGroup};
use crate::shape::Shape;

/// Adds nodes, states and parameters and infers every shape. Cells and layers are functions that
/// take this builder.
pub struct GraphBuilder {
    graph: StepGraph,
    prefix: String,
    layer: usize,
    is_cell: bool,
    pending: Vec<bool>,
}

impl GraphBuilder {
    /// An empty graph for frames of the given shape.
    pub fn new(name: &str, frame: Shape) -> Self {
        let graph = StepGraph {
            name: name.into(),
            frame,
            layers: Vec::new(),
            nodes: Vec::new(),
            states: Vec::new(),
            parameters: Vec::new(),
            logits: NodeId(0),
            taps: Vec::new(),
        };
        Self { graph, prefix: String::new(), layer: 0, is_cell: false, pending: Vec::new() }
    }

    /// Starts a layer; the names of what follows are put under it.
    pub fn enter_layer(&mut self, name: &str) {
        self.layer = self.graph.layers.len();
        self.graph.layers.push(name.into());
        self.prefix = name.into();
    }

    /// Puts the names that `body` gives under `part` of the current layer.
    pub fn within<T>(&mut self, part: &str, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}.{part}");
        let result = body(self);
        self.prefix = outer;
        result
    }

    /// The current layer's cell: names under `cell`, weights and biases of the cell's groups.
    pub fn within_cell<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.is_cell, true);
        let result = self.within("cell", body);
        self.is_cell = outer;
        result
    }

    /// The full path of a part of the current layer, for messages.
    pub fn path(&self, part: &str) -> String {
        let layer = &self.graph.layers[self.layer];
        format!("{layer}.{part}")
    }

    /// The shape of a value.
    pub fn shape(&self, read: Read) -> Shape {
        self.graph.read_shape(read)
    }

    /// Declares a state of the current layer, to be given its next value by [`Self::write_state`].
    pub fn state(&mut self, name: &str, kind: StateKind, shape: Shape) -> StateId {
        let name = format!("{}.{name}", self.graph.layers[self.layer]);
        self.declare_state(name, self.layer, kind, shape)
    }

    /// Declares a state of any layer under its full path, before that layer is built.
    pub fn declare_state(&mut self, name: String, layer: usize, kind: StateKind, shape: Shape) -> StateId {
        self.graph.states.push(State { name, layer, kind, shape, next: NodeId(0) });
        self.pending.push(true);
        StateId(self.graph.states.len() - 1)
    }

    /// Says which value a state takes when the step ends.
    pub fn write_state(&mut self, state: StateId, next: NodeId) {
        self.graph.states[state.0].next = next;
        self.pending[state.0] = false;
    }

    /// Adds a trained tensor.
    pub fn parameter(
        &mut self,
        name: &str,
        shape: Vec<usize>,
        initializer: Initializer,
        group: ParameterGroup,
    ) -> ParameterId {
        let name = format!("{}.{name}", self.prefix);
        self.graph.parameters.push(Parameter { name, shape, initializer, group });
        ParameterId(self.graph.parameters.len() - 1)
    }

    /// Adds a node and infers its shape.
    pub fn node(&mut self, name: &str, operation: Operation, inputs: &[Read]) -> Result<NodeId, GraphError> {
        let name = format!("{}.{name}", self.prefix);
        let shape = crate::infer::infer(&self.graph, &operation, inputs)
            .map_err(|message| GraphError::Node { node: name.clone(), message })?;
        let node = Node { name, layer: self.layer, operation, inputs: inputs.to_vec(), shape };
        self.graph.nodes.push(node);
        Ok(NodeId(self.graph.nodes.len() - 1))
    }

    /// Adds a convolution with its own weight and, where asked for, a bias.
    pub fn convolution(&mut self, name: &str, inputs: &[Read], spec: ConvolutionSpec) -> Result<NodeId, GraphError> {
        let channels: usize = inputs.iter().map(|&read| self.shape(read).channels).sum();
        let first = self.shape(inputs[0]);
        let padding = match spec.padding {
            Some(padding) => padding,
            None => Padding::same([first.height, first.width], spec.kernel, spec.stride),
        };
        let groups = spec.groups.max(1);
        let shape = vec![spec.channels, channels / groups, spec.kernel[0], spec.kernel[1]];
        let (weights, biases) = match self.is_cell {
            true => (ParameterGroup::CellWeight, ParameterGroup::CellBias),
            false => (ParameterGroup::Weight, ParameterGroup::Bias),
        };
        let (weight, bias) = self.within(name, |builder| {
            let weight = builder.parameter("weight", shape, spec.initializer, weights);
            let bias = spec.bias.map(|initializer| builder.parameter("bias", vec![spec.channels], initializer, biases));
            (weight, bias)
        });
        let convolution = Convolution { weight, bias, kernel: spec.kernel, stride: spec.stride, padding, groups };
        self.node(name, Operation::Convolution(convolution), inputs)
    }

    /// Normalisation by channel, with its tensors: scale and variance start from 1, shift and mean from 0.
    pub fn batch_norm(&mut self, name: &str, input: Read) -> Result<NodeId, GraphError> {
        let channels = self.shape(input).channels;
        let one = Initializer::Constant { value: 1.0 };
        let norm = self.within(name, |builder| {
            let mut vector = |what, initializer, group| builder.parameter(what, vec![channels], initializer, group);
            BatchNorm {
                scale: vector("scale", one, ParameterGroup::Normalization),
                shift: vector("shift", Initializer::Zeros, ParameterGroup::Normalization),
                mean: vector("mean", Initializer::Zeros, ParameterGroup::Statistics),
                variance: vector("variance", one, ParameterGroup::Statistics),
                epsilon: 1e-5,
            }
        });
        self.node(name, Operation::BatchNorm(norm), &[input])
    }

    /// Product with one trained number that starts from `initial`.
    pub fn scale(&mut self, name: &str, initial: f64, input: Read) -> Result<NodeId, GraphError> {
        let group = if self.is_cell { ParameterGroup::CellWeight } else { ParameterGroup::Weight };
        let initializer = Initializer::Constant { value: initial };
        let factor = self.within(name, |builder| builder.parameter("factor", vec![1], initializer, group));
        self.node(name, Operation::Scale { factor }, &[input])
    }

    /// Elementwise function.
    pub fn activation(&mut self, name: &str, activation: Activation, input: Read) -> Result<NodeId, GraphError> {
        self.node(name, Operation::Activation(activation), &[input])
    }

    /// `scale * x + offset`.
    pub fn affine(&mut self, name: &str, scale: f64, offset: f64, input: Read) -> Result<NodeId, GraphError> {
        self.node(name, Operation::Affine { scale, offset }, &[input])
    }

    /// Elementwise sum.
    pub fn add(&mut self, name: &str, left: Read, right: Read) -> Result<NodeId, GraphError> {
        self.node(name, Operation::Add, &[left, right])
    }

    /// Elementwise product.
    pub fn multiply(&mut self, name: &str, left: Read, right: Read) -> Result<NodeId, GraphError> {
        self.node(name, Operation::Multiply, &[left, right])
    }

    /// Names a value that can be watched.
    pub fn tap(&mut self, name: &str, node: NodeId) {
        let name = format!("{}.{name}", self.prefix);
        self.graph.taps.push(Tap { name, node });
    }

    /// Ends the graph and checks it whole.
    pub fn finish(mut self, logits: NodeId) -> Result<StepGraph, GraphError> {
        self.graph.logits = logits;
        if let Some(index) = self.pending.iter().position(|&pending| pending) {
            let node = self.graph.states[index].name.clone();
            return Err(GraphError::Node { node, message: "is read, but nothing writes it".into() });
        }
        self.graph.check()?;
        Ok(self.graph)
    }
}

/// What a convolution looks like before it knows its input channels.
#[derive(Clone, Debug)]
pub struct ConvolutionSpec {
    /// Output channels.
    pub channels: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride down and to the right.
    pub stride: [usize; 2],
    /// Padding; `None` is TensorFlow's "SAME".
    pub padding: Option<Padding>,
    /// Channel groups.
    pub groups: usize,
    /// How the bias starts, if there is one.
    pub bias: Option<Initializer>,
    /// How the weight starts.
    pub initializer: Initializer,
}

impl ConvolutionSpec {
    /// Stride 1, "SAME" padding, one group, no bias, Xavier.
    pub fn new(channels: usize, kernel: usize) -> Self {
        Self {
            channels,
            kernel: [kernel, kernel],
            stride: [1, 1],
            padding: None,
            groups: 1,
            bias: None,
            initializer: Initializer::XavierUniform,
        }
    }
}
