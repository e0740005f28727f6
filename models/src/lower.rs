//! From an architecture to its step graph: the semantics of layers, feedback and time.
//!
//! With R^l the output and S^l the states of layer l: layer 1 reads the frame of the same step;
//! every other read of another layer is of that layer's output after the previous step.

use crate::architecture::{Architecture, Average, Entry, Feedback, Layer, LayerPadding};
use crate::error::ArchitectureError;
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{
    GraphBuilder, GraphError, Initializer, NodeId, Operation, Pool, Read, Resize, Shape, StateId, StateKind, StepGraph,
};

/// Sides, channels, kernels and strides that are taken for meant.
const EXTENT: std::ops::RangeInclusive<usize> = 1..=65536;

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

    fn check(&self, origin: &str) -> Result<(), ArchitectureError> {
        let origin = origin.to_owned();
        self.presentation
            .check()
            .map_err(|source| ArchitectureError::Presentation { origin: origin.clone(), source })?;
        let input = self.input;
        for (name, value) in [("channels", input.channels), ("height", input.height), ("width", input.width)] {
            if !EXTENT.contains(&value) {
                let message = format!("input.{name} is {value}, expected {} to {}", EXTENT.start(), EXTENT.end());
                return Err(ArchitectureError::Syntax { origin, message });
            }
        }
        if self.layers.is_empty() {
            let message = "has no [[layer]], expected at least one".into();
            return Err(ArchitectureError::Syntax { origin, message });
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let convolution = &layer.convolution;
            let named = [
                ("convolution.kernel", convolution.kernel),
                ("convolution.channels", convolution.channels),
                ("convolution.stride", convolution.stride),
                ("pool.kernel", layer.pool.map_or(1, |pool| pool.kernel)),
                ("pool.stride", layer.pool.and_then(|pool| pool.stride).unwrap_or(1)),
            ];
            if let Some((name, value)) = named.into_iter().find(|(_, value)| !EXTENT.contains(value)) {
                let message = format!("{name} is {value}, expected {} to {}", EXTENT.start(), EXTENT.end());
                return Err(ArchitectureError::Layer { origin, layer: index + 1, message });
            }
            let paddings = [Some(convolution.padding), layer.pool.map(|pool| pool.padding)];
            let widest = paddings.into_iter().flatten().map(LayerPadding::widest).max().unwrap_or(0);
            if widest > *EXTENT.end() {
                let message = format!("padding is {widest}, expected at most {}", EXTENT.end());
                return Err(ArchitectureError::Layer { origin, layer: index + 1, message });
            }
        }
        let count = self.layers.len();
        for (index, &Feedback { from, to, .. }) in self.feedback.iter().enumerate() {
            let fail = |message: String| Err(ArchitectureError::Feedback { origin: origin.clone(), from, to, message });
            if let Some(layer) = [from, to].into_iter().find(|&layer| layer == 0 || layer > count) {
                return fail(format!("layer {layer} does not exist; the layers are 1 to {count}"));
            }
            if from <= to {
                return fail("feedback goes from a later layer to an earlier one; exchange from and to".into());
            }
            if self.feedback[..index].iter().any(|other| (other.from, other.to) == (from, to)) {
                return fail("is declared twice".into());
            }
        }
        Ok(())
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

        let mut inputs = vec![feedforward];
        for edge in edges.iter().filter(|edge| edge.entry == Entry::Concatenate) {
            inputs.push(self.resized(edge, size)?);
        }
        let spec = &layer.convolution;
        let padding = spec.padding.resolve(size, spec.kernel, spec.stride);
        let spec = ConvolutionSpec {
            stride: [spec.stride; 2],
            padding: Some(padding),
            bias: spec.bias.then_some(Initializer::Zeros),
            initializer: spec.initializer,
            ..ConvolutionSpec::new(spec.channels, spec.kernel)
        };
        let mut value = self.builder.convolution("conv", &inputs, spec)?;

        for edge in edges.iter().filter(|edge| edge.entry == Entry::CellInput) {
            let target = self.builder.shape(Read::Node(value));
            let source = self.resized(edge, target)?;
            let spec = ConvolutionSpec { bias: Some(Initializer::Zeros), ..ConvolutionSpec::new(target.channels, 1) };
            let path = format!("feedback.layer{}", edge.from);
            let added = self.builder.convolution(&path, &[source], spec)?;
            value = self.builder.add(&format!("{path}.sum"), Read::Node(value), Read::Node(added))?;
        }
        if let Some(cell) = &layer.cell {
            value = self.builder.within("cell", |builder| cell.emit(builder, Read::Node(value)))?;
        }
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
