//! From an architecture to its step graph: the semantics of layers, feedback and time.
//!
//! With R^l the output and S^l the states of layer l: layer 1 reads the frame of the same step;
//! every other read of another layer is of that layer's output after the previous step.

use crate::architecture::{Architecture, Entry, Feedback};
use crate::cells::CellContext;
use crate::error::ArchitectureError;
use crate::layer::{Average, Layer, LayerConvolution, Norm, Residual};
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{
    GraphBuilder, GraphError, Initializer, NodeId, Operation, Pool, Read, Resize, Shape, StateId, StateKind, StepGraph,
};

impl Architecture {
    /// The step graph.
    pub fn lower(&self) -> Result<StepGraph, ArchitectureError> {
        self.lower_named(&self.name)
    }

    pub(crate) fn lower_named(&self, origin: &str) -> Result<StepGraph, ArchitectureError> {
        let origin = origin.to_owned();
        let fail = |source| ArchitectureError::Graph { origin: origin.clone(), source };
        self.check(&origin)?;
        // Feedback changes no layer's output shape, so a first pass without it gives the shapes that
        // the second pass needs before the layers are built.
        let shapes = Lowering::new(self, &[], &[]).run().map_err(fail)?.1;
        let (graph, _) = Lowering::new(self, &self.feedback, &shapes).run().map_err(fail)?;
        Ok(graph)
    }
}

struct Lowering<'a> {
    architecture: &'a Architecture,
    feedback: &'a [Feedback],
    outputs: Vec<Option<StateId>>,
    shapes: &'a [Shape],
    builder: GraphBuilder,
}

impl<'a> Lowering<'a> {
    fn new(architecture: &'a Architecture, feedback: &'a [Feedback], shapes: &'a [Shape]) -> Self {
        let builder = GraphBuilder::new(&architecture.name, architecture.input.shape());
        Self { architecture, feedback, outputs: vec![None; architecture.layers.len()], shapes, builder }
    }

    fn run(mut self) -> Result<(StepGraph, Vec<Shape>), GraphError> {
        let count = self.architecture.layers.len();
        for index in 0..self.shapes.len() {
            let is_read = index + 1 < count || self.feedback.iter().any(|edge| edge.from == index + 1);
            if is_read {
                self.declare_output(index, self.shapes[index]);
            }
        }
        let mut shapes = Vec::new();
        let mut last = NodeId(0);
        for (index, layer) in self.architecture.layers.iter().enumerate() {
            self.builder.enter_layer(&format!("layer{}", index + 1));
            let feedforward = match index.checked_sub(1) {
                None => Read::Frame,
                Some(below) => Read::State(self.outputs[below].expect("a layer below is read")),
            };
            last = self.layer(index, layer, feedforward)?;
            let shape = self.builder.shape(Read::Node(last));
            shapes.push(shape);
            self.builder.tap("output", last);
            if self.shapes.is_empty() && index + 1 < count {
                self.declare_output(index, shape);
            }
            if let Some(state) = self.outputs[index] {
                self.builder.write_state(state, last);
            }
        }
        Ok((self.builder.finish(last)?, shapes))
    }

    fn declare_output(&mut self, index: usize, shape: Shape) {
        let name = format!("layer{}.output", index + 1);
        self.outputs[index] = Some(self.builder.declare_state(name, index, StateKind::Output, shape));
    }

    fn layer(&mut self, index: usize, layer: &Layer, feedforward: Read) -> Result<NodeId, GraphError> {
        let mut edges: Vec<Feedback> = self.feedback.iter().filter(|edge| edge.to == index + 1).copied().collect();
        edges.sort_by_key(|edge| edge.from);
        let feedforward = match layer.average {
            Some(Average::Before) => {
                Read::Node(self.builder.node("average", Operation::GlobalAverage, &[feedforward])?)
            }
            Some(Average::After) | None => feedforward,
        };
        let size = self.builder.shape(feedforward);
        let mut below = vec![feedforward];
        below.extend(self.sources(&edges, Entry::Concatenate, size)?);

        let cell_after = layer.cell_after.unwrap_or(layer.convolutions.len());
        let mut value = feedforward;
        for (index, convolution) in layer.convolutions.iter().enumerate() {
            let inputs = if index == 0 { below.as_slice() } else { &[value] };
            value = self.convolution(index, convolution, inputs)?;
            if index + 1 == cell_after {
                value = self.cell(layer, &edges, value, &below)?;
            }
        }
        if let Some(residual) = &layer.residual {
            value = self.residual(layer, residual, feedforward, value)?;
        }
        let Read::Node(mut value) = value else { unreachable!("a layer has a convolution") };
        if let Some(activation) = layer.activation.activation() {
            value = self.builder.activation("activation", activation, Read::Node(value))?;
        }
        if let Some(pool) = &layer.pool {
            let stride = pool.stride.unwrap_or(pool.kernel);
            let padding = pool.padding.resolve(self.builder.shape(Read::Node(value)), pool.kernel, stride);
            let pool = Pool { kernel: [pool.kernel; 2], stride: [stride; 2], padding };
            value = self.builder.node("pool", Operation::MaxPool(pool), &[Read::Node(value)])?;
        }
        if layer.average == Some(Average::After) {
            value = self.builder.node("average", Operation::GlobalAverage, &[Read::Node(value)])?;
        }
        Ok(value)
    }

    fn convolution(
        &mut self,
        index: usize,
        convolution: &LayerConvolution,
        inputs: &[Read],
    ) -> Result<Read, GraphError> {
        let suffix = if index == 0 { String::new() } else { (index + 1).to_string() };
        let size = self.builder.shape(inputs[0]);
        let spec = ConvolutionSpec {
            stride: [convolution.stride; 2],
            padding: Some(convolution.padding.resolve(size, convolution.kernel, convolution.stride)),
            bias: convolution.bias.then_some(Initializer::Zeros),
            initializer: convolution.initializer,
            ..ConvolutionSpec::new(convolution.channels, convolution.kernel)
        };
        let mut value = Read::Node(self.builder.convolution(&format!("conv{suffix}"), inputs, spec)?);
        value = self.norm(&format!("norm{suffix}"), convolution.norm, value)?;
        if let Some(activation) = convolution.activation.activation() {
            let name = format!("conv{suffix}_activation");
            value = Read::Node(self.builder.activation(&name, activation, value)?);
        }
        Ok(value)
    }

    fn norm(&mut self, name: &str, norm: Option<Norm>, value: Read) -> Result<Read, GraphError> {
        match norm {
            Some(Norm::Batch) => self.builder.batch_norm(name, value).map(Read::Node),
            None => Ok(value),
        }
    }

    /// The cell, and the feedback that enters it; without a cell, the feedback alone.
    fn cell(&mut self, layer: &Layer, edges: &[Feedback], x: Read, below: &[Read]) -> Result<Read, GraphError> {
        let size = self.builder.shape(x);
        let [input, hidden, output] = [
            self.sources(edges, Entry::CellInput, size)?,
            self.sources(edges, Entry::CellHidden, size)?,
            self.sources(edges, Entry::CellOutput, size)?,
        ];
        let added = edges.iter().find(|edge| edge.entry != Entry::Concatenate);
        let context = CellContext {
            input: x,
            below,
            hidden_feedback: &hidden,
            output_feedback: &output,
            feedback_initializer: added.map_or(Initializer::XavierUniform, |edge| edge.initializer),
        };
        let Some(cell) = &layer.cell else { return context.add(&mut self.builder, "feedback_input", x, &input) };
        self.builder.within_cell(|builder| {
            let input = context.add(builder, "feedback_input", x, &input)?;
            cell.emit(builder, &CellContext { input, ..context }).map(Read::Node)
        })
    }

    /// `value + input`, the input through a 1x1 convolution where shapes differ.
    fn residual(&mut self, layer: &Layer, residual: &Residual, input: Read, value: Read) -> Result<Read, GraphError> {
        let (from, to) = (self.builder.shape(input), self.builder.shape(value));
        let mut around = input;
        if from != to {
            let stride = layer.convolutions.iter().map(|convolution| convolution.stride).product();
            let spec = ConvolutionSpec {
                stride: [stride; 2],
                padding: Some(convrnn_graph::Padding::NONE),
                initializer: residual.initializer,
                ..ConvolutionSpec::new(to.channels, 1)
            };
            around = Read::Node(self.builder.convolution("residual", &[input], spec)?);
            around = self.norm("residual_norm", residual.norm, around)?;
        }
        self.builder.add("residual_sum", value, around).map(Read::Node)
    }

    /// The outputs that enter in one way, brought to a size.
    fn sources(&mut self, edges: &[Feedback], entry: Entry, size: Shape) -> Result<Vec<Read>, GraphError> {
        edges.iter().filter(|edge| edge.entry == entry).map(|edge| self.resized(edge, size)).collect()
    }

    /// The output of a later layer brought to a size; the state itself where it fits already.
    fn resized(&mut self, edge: &Feedback, size: Shape) -> Result<Read, GraphError> {
        let source = Read::State(self.outputs[edge.from - 1].expect("a feedback source is read"));
        let shape = self.builder.shape(source);
        if (shape.height, shape.width) == (size.height, size.width) {
            return Ok(source);
        }
        let resize = Resize { height: size.height, width: size.width, mode: edge.resize };
        let name = format!("feedback.layer{}.resize", edge.from);
        Ok(Read::Node(self.builder.node(&name, Operation::Resize(resize), &[source])?))
    }
}
