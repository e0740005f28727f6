//! From an architecture to its step graph: the semantics of layers, edges and time.
//!
//! With R^l the output and S^l the states of layer l: layer 1 reads the frame of the same step;
//! every other read of another layer is of that layer's output after the previous step.

use crate::architecture::Architecture;
use crate::cells::{self, CellContext, Entering};
use crate::edge::{Edge, EdgeKind, Entry};
use crate::error::ArchitectureError;
use crate::layer::{Average, Layer, LayerConvolution, Norm, Residual};
use crate::shortcut::Shortcut;
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{
    GraphBuilder, GraphError, Initializer, NodeId, Operation, Pool, Read, Shape, StateId, StateKind, StepGraph,
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
        // Edges change no layer's output shape, so a first pass without them gives the shapes that
        // the second pass needs before the layers are built.
        let shapes = Lowering::new(self, &[], &[]).run().map_err(fail)?.1;
        let edges: Vec<(EdgeKind, Edge)> = self.edges().collect();
        let (graph, _) = Lowering::new(self, &edges, &shapes).run().map_err(fail)?;
        Ok(graph)
    }
}

struct Lowering<'a> {
    architecture: &'a Architecture,
    edges: &'a [(EdgeKind, Edge)],
    outputs: Vec<Option<StateId>>,
    shapes: &'a [Shape],
    builder: GraphBuilder,
}

impl<'a> Lowering<'a> {
    fn new(architecture: &'a Architecture, edges: &'a [(EdgeKind, Edge)], shapes: &'a [Shape]) -> Self {
        let builder = GraphBuilder::new(&architecture.name, architecture.input.shape());
        Self { architecture, edges, outputs: vec![None; architecture.layers.len()], shapes, builder }
    }

    fn run(mut self) -> Result<(StepGraph, Vec<Shape>), GraphError> {
        let count = self.architecture.layers.len();
        for index in 0..self.shapes.len() {
            let is_read = index + 1 < count || self.edges.iter().any(|(_, edge)| edge.from == index + 1);
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
        let mut edges: Vec<_> = self.edges.iter().filter(|(_, edge)| edge.to == index + 1).copied().collect();
        edges.sort_by_key(|(_, edge)| edge.from);
        let feedforward = match layer.average {
            Some(Average::Before) => {
                Read::Node(self.builder.node("average", Operation::GlobalAverage, &[feedforward])?)
            }
            Some(Average::After) | None => feedforward,
        };
        let size = self.builder.shape(feedforward);
        let mut below = vec![feedforward];
        below.extend(self.entering(&edges, Entry::Concatenate, size)?.iter().map(|edge| edge.read));

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

    /// The cell, and the edges that enter it; without a cell, the edges alone.
    fn cell(&mut self, layer: &Layer, edges: &[(EdgeKind, Edge)], x: Read, below: &[Read]) -> Result<Read, GraphError> {
        let size = self.builder.shape(x);
        let [input, hidden_edges, output_edges] = [
            self.entering(edges, Entry::CellInput, size)?,
            self.entering(edges, Entry::CellHidden, size)?,
            self.entering(edges, Entry::CellOutput, size)?,
        ];
        let Some(cell) = &layer.cell else { return cells::add(&mut self.builder, "input", x, &input) };
        let stride = layer.stride(layer.cell_after);
        self.builder.within_cell(|builder| {
            let input = cells::add(builder, "input", x, &input)?;
            let (hidden_edges, output_edges) = (hidden_edges.as_slice(), output_edges.as_slice());
            let context = CellContext { input, below, stride, hidden_edges, output_edges };
            cell.emit(builder, &context).map(Read::Node)
        })
    }

    /// `value + input`, the input through a 1x1 convolution where shapes differ.
    fn residual(&mut self, layer: &Layer, residual: &Residual, input: Read, value: Read) -> Result<Read, GraphError> {
        let to = self.builder.shape(value);
        let shortcut = Shortcut { name: "residual", to, stride: layer.stride(None), initializer: residual.initializer };
        let mut around = shortcut.emit(&mut self.builder, input)?;
        if around != input {
            around = self.norm("residual_norm", residual.norm, around)?;
        }
        self.builder.add("residual_sum", value, around).map(Read::Node)
    }

    /// The outputs that enter a layer in one way, brought to a size.
    fn entering(&mut self, edges: &[(EdgeKind, Edge)], entry: Entry, size: Shape) -> Result<Vec<Entering>, GraphError> {
        let mut entering = Vec::new();
        for &(kind, edge) in edges.iter().filter(|(_, edge)| edge.entry == entry) {
            let source = Read::State(self.outputs[edge.from - 1].expect("the source of an edge is read"));
            let is_alone = edges.iter().filter(|(_, other)| other.from == edge.from).count() == 1;
            let way = if is_alone { String::new() } else { format!(".{}", entry.name()) };
            let name = format!("{}.layer{}{way}.resize", kind.name(), edge.from);
            let read = edge.resize.apply(&mut self.builder, &name, source, size)?;
            entering.push(Entering { kind, read, initializer: edge.initializer });
        }
        Ok(entering)
    }
}
