//! From a float graph to its quantised form.

use super::calibrate::Calibration;
use super::convolution::{self, Failure, Operand};
use super::error::QuantizeError;
use super::frame;
use super::plan::{Function, Plan, Role};
use super::range::RangeRule;
use super::scales::{Ranges, Scales, ValueTypes};
use super::types::*;
use crate::graph::{NodeId, Read, StepGraph, Tap};
use crate::operation::{Activation, Operation};
use crate::parameters::Parameters;
use crate::passes::{drop_unread, fuse_gates, pool_first};
use crate::shape::Shape;
use std::collections::BTreeMap;

/// How often scales may be widened before giving up: once for a value is the rule.
const ATTEMPTS: usize = 1000;

/// Choices of the quantisation.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizeOptions {
    /// How i8 ranges are found.
    pub range: RangeRule,
    /// Values, by the path of their float node, whose i8 range is found by another rule.
    pub exceptions: BTreeMap<String, RangeRule>,
    /// How far beyond the measured magnitude an i16 value may go before it saturates.
    pub headroom: f64,
    /// Whether the mean error of rounded weights is taken off the biases.
    pub correct_bias: bool,
    /// Whether the passes over integer graphs follow: [`crate::passes::pool_first`],
    /// [`crate::passes::fuse_gates`] and [`crate::passes::drop_unread`].
    pub passes: bool,
}

impl Default for QuantizeOptions {
    fn default() -> Self {
        let (range, exceptions) = (RangeRule::LeastError, BTreeMap::new());
        Self { range, exceptions, headroom: 1.5, correct_bias: false, passes: true }
    }
}

/// What raw pixels mean: `(pixel / 255 - mean[c]) / standard_deviation[c]`, in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelScale<'a> {
    /// By channel.
    pub mean: &'a [f32],
    /// By channel.
    pub standard_deviation: &'a [f32],
}

/// A quantised graph, the table that quantises its frames, and the types that were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// The step.
    pub graph: QuantizedGraph,
    /// From raw pixels to the frame.
    pub frame_table: FrameTable,
    /// The type of every value of the float graph, in each width that it is used in.
    pub types: ValueTypes,
}

/// Quantises a graph. The result passes [`QuantizedGraph::check`].
pub fn quantize(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    calibration: &Calibration,
    pixels: PixelScale<'_>,
    options: &QuantizeOptions,
) -> Result<Quantized, QuantizeError> {
    if calibration.nodes.len() != graph.nodes.len() {
        let (found, expected) = (calibration.nodes.len(), graph.nodes.len());
        return Err(QuantizeError::OtherGraph { found, expected });
    }
    let frame = frame::frame_type(graph.frame, &calibration.frame, pixels)?;
    let plan = Plan::new(graph);
    let QuantizeOptions { range, exceptions, headroom, correct_bias, passes } = options;
    let ranges = Ranges { calibration, headroom: *headroom, rule: *range, exceptions };
    let scales = Scales::measured(graph, &plan, ranges, frame);
    convert(graph, parameters, &plan, scales, correct_bias.then_some(calibration), pixels, *passes)
}

/// Quantises a graph with the types that an earlier conversion found for it, whatever its weights were then; the
/// passes over integer graphs follow.
pub fn quantize_with_types(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    types: &ValueTypes,
    pixels: PixelScale<'_>,
) -> Result<Quantized, QuantizeError> {
    let plan = Plan::new(graph);
    convert(graph, parameters, &plan, Scales::given(graph, &plan, types), None, pixels, true)
}

/// Converts, with wider scales until everything fits.
fn convert<'a>(
    graph: &'a StepGraph,
    parameters: &'a Parameters<f32>,
    plan: &'a Plan,
    mut scales: Scales<'a>,
    means: Option<&'a Calibration>,
    pixels: PixelScale<'_>,
    passes: bool,
) -> Result<Quantized, QuantizeError> {
    parameters.check(graph)?;
    for node in &graph.nodes {
        if matches!(node.operation, Operation::BatchNorm(_) | Operation::Scale { .. }) {
            return Err(QuantizeError::Unfolded { node: node.name.clone(), operation: node.operation.kind() });
        }
    }
    for _ in 0..ATTEMPTS {
        let frame = scales.frame();
        let (nodes, primary) = (Vec::new(), vec![None; graph.nodes.len()]);
        let converter = Converter { graph, parameters, means, plan, scales: &mut scales, nodes, primary };
        let converted = converter.convert(frame);
        if let Some(node) = scales.missing() {
            return Err(QuantizeError::NoType { node: graph.nodes[node.0].name.clone() });
        }
        match converted {
            Ok(mut quantized) => {
                if passes {
                    quantized = drop_unread(&fuse_gates(&pool_first(&quantized)), true);
                }
                quantized.check()?;
                let frame_table = frame::frame_table(&frame, pixels);
                return Ok(Quantized { graph: quantized, frame_table, types: scales.types() });
            }
            Err(Stop::Refused(error)) => return Err(error),
            Err(Stop::Widen { value, element, scale }) => {
                if !scales.widen(value, element, scale) {
                    return Err(QuantizeError::Scale { node: graph.read_name(value).into() });
                }
            }
        }
    }
    Err(QuantizeError::Scale { node: graph.name.clone() })
}

/// Why a conversion ended early.
enum Stop {
    Refused(QuantizeError),
    /// A value's scale is too small for the factor that leads to it.
    Widen {
        value: Read,
        element: Element,
        scale: f64,
    },
}

struct Converter<'a, 's> {
    graph: &'a StepGraph,
    parameters: &'a Parameters<f32>,
    /// What biases are corrected with; none where they are not.
    means: Option<&'a Calibration>,
    plan: &'a Plan,
    scales: &'s mut Scales<'a>,
    nodes: Vec<QuantizedNode>,
    /// By float node: the integer node that holds its value in the width of the plan.
    primary: Vec<Option<NodeId>>,
}

impl Converter<'_, '_> {
    fn convert(mut self, frame: QuantizedType) -> Result<QuantizedGraph, Stop> {
        for index in 0..self.graph.nodes.len() {
            self.emit(NodeId(index))?;
            // What a state carries is made next to its source, in the layer that writes it.
            for state in 0..self.graph.states.len() {
                if self.graph.states[state].next == NodeId(index) {
                    self.next_of(state)?;
                }
            }
        }
        let logits = self.view_of_node(self.graph.logits, Element::I16)?;
        let mut states = Vec::with_capacity(self.graph.states.len());
        for (index, state) in self.graph.states.iter().enumerate() {
            let next = self.next_of(index)?;
            let value = self.nodes[next.0].output;
            states.push(QuantizedState { name: state.name.clone(), layer: state.layer, kind: state.kind, value, next });
        }
        let tap = |tap: &Tap| Tap { name: tap.name.clone(), node: self.primary[tap.node.0].expect("a tap is kept") };
        let taps = self.graph.taps.iter().map(tap).collect();
        Ok(QuantizedGraph {
            name: self.graph.name.clone(),
            frame,
            layers: self.graph.layers.clone(),
            nodes: self.nodes,
            states,
            logits,
            taps,
        })
    }

    fn next_of(&mut self, state: usize) -> Result<NodeId, Stop> {
        self.view_of_node(self.graph.states[state].next, self.plan.state_elements[state])
    }

    fn view_of_node(&mut self, node: NodeId, element: Element) -> Result<NodeId, Stop> {
        let wanted = self.scales.of(Read::Node(node), element);
        match self.view(Read::Node(node), self.graph.nodes[node.0].layer, wanted)? {
            Read::Node(view) => Ok(view),
            Read::Frame | Read::State(_) => unreachable!("a node's view is a node"),
        }
    }

    /// The integer value of what a float node reads, as it is kept.
    fn kept(&mut self, read: Read) -> (Read, QuantizedType) {
        match read {
            Read::Frame => (read, self.scales.of(read, Element::I8)),
            Read::State(state) => (read, self.scales.of(read, self.plan.state_elements[state.0])),
            Read::Node(node) => {
                let kept = self.primary[node.0].expect("nodes are in order");
                (Read::Node(kept), self.nodes[kept.0].output)
            }
        }
    }

    /// The value in a wanted type: as it is kept, or a view, which all readers in one layer share.
    fn view(&mut self, read: Read, layer: usize, wanted: QuantizedType) -> Result<Read, Stop> {
        let (kept, kind) = self.kept(read);
        if kind == wanted {
            return Ok(kept);
        }
        let is_it = |node: &QuantizedNode| {
            matches!(node.operation, QuantizedOperation::Rescale(_))
                && node.inputs == [kept]
                && node.layer == layer
                && node.output == wanted
        };
        if let Some(index) = self.nodes.iter().position(is_it) {
            return Ok(Read::Node(NodeId(index)));
        }
        let name = self.free_name(&format!("{}.view", self.graph.read_name(read)));
        self.rescaled(read, name, layer, (kept, kind), wanted).map(Read::Node)
    }

    /// Emits what is kept in a wanted type, as the float graph's `value`.
    fn rescaled(
        &mut self,
        value: Read,
        name: String,
        layer: usize,
        (kept, kind): (Read, QuantizedType),
        wanted: QuantizedType,
    ) -> Result<NodeId, Stop> {
        let magnitude = kind.magnitude();
        let rescale = Rescale::new(kind.scale / wanted.scale, magnitude).ok_or(Stop::Widen {
            value,
            element: wanted.element,
            scale: Rescale::smallest_output_scale(kind.scale, magnitude),
        })?;
        Ok(self.push(name, layer, QuantizedOperation::Rescale(rescale), vec![kept], wanted))
    }

    fn free_name(&self, name: &str) -> String {
        let taken = |name: &str| {
            self.nodes.iter().any(|node| node.name == name) || self.graph.nodes.iter().any(|node| node.name == name)
        };
        let numbered = (2..).map(|number| format!("{name}{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).expect("endless")
    }

    fn push(
        &mut self,
        name: String,
        layer: usize,
        operation: QuantizedOperation,
        inputs: Vec<Read>,
        output: QuantizedType,
    ) -> NodeId {
        self.nodes.push(QuantizedNode { name, layer, operation, inputs, output });
        NodeId(self.nodes.len() - 1)
    }

    fn emit(&mut self, id: NodeId) -> Result<(), Stop> {
        let node = &self.graph.nodes[id.0];
        let kept = match &self.plan.roles[id.0] {
            Role::Inner => return Ok(()),
            Role::Itself => self.emit_operation(id, id)?,
            Role::Saturation { producer } => self.emit_operation(*producer, id)?,
            Role::Lookup { input, functions } => {
                let (input, kind) = self.kept(*input);
                let function = |x: f64| functions.iter().fold(x, |x, function| function.apply(x));
                let element = self.plan.elements[id.0];
                let output = self.scales.of(Read::Node(id), element);
                let is_relu = *functions == [Function::Activation(Activation::Relu)];
                if is_relu && kind.element == Element::I16 && output.zero_point == -128 {
                    // Where zero is the smallest integer, saturation is the relu.
                    self.rescaled(Read::Node(id), node.name.clone(), node.layer, (input, kind), output)?
                } else if kind.element == Element::I16 && element == Element::I8 {
                    // Interpolating between i8 entries would round twice to i8; so i16 first.
                    let wide = self.scales.of(Read::Node(id), Element::I16);
                    let lookup = QuantizedOperation::Lookup(Lookup::new(&kind, &wide, function));
                    let name = self.free_name(&format!("{}.wide", node.name));
                    let wide_id = self.push(name, node.layer, lookup, vec![input], wide);
                    self.primary[id.0] = Some(wide_id);
                    let Read::Node(narrow) = self.view(Read::Node(id), node.layer, output)? else {
                        unreachable!("a node's view is a node")
                    };
                    self.nodes[narrow.0].name = node.name.clone();
                    narrow
                } else {
                    let lookup = QuantizedOperation::Lookup(Lookup::new(&kind, &output, function));
                    self.push(node.name.clone(), node.layer, lookup, vec![input], output)
                }
            }
        };
        self.primary[id.0] = Some(kept);
        Ok(())
    }

    /// Emits the operation of `source` as the value of `id`.
    fn emit_operation(&mut self, source: NodeId, id: NodeId) -> Result<NodeId, Stop> {
        let (graph, layer) = (self.graph, self.graph.nodes[id.0].layer);
        let inputs = &graph.nodes[source.0].inputs;
        let element = self.plan.elements[id.0];
        let output = self.scales.of(Read::Node(id), element);
        let widen = |scale: f64| Stop::Widen { value: Read::Node(id), element, scale };
        // `input` is the scale of what is rescaled to the output, `magnitude` its largest integer.
        let rescale = |input: f64, magnitude: i64| {
            let smallest = || widen(Rescale::smallest_output_scale(input, magnitude));
            Rescale::new(input / output.scale, magnitude).ok_or_else(smallest)
        };
        let (operation, reads) = match &graph.nodes[source.0].operation {
            Operation::Convolution(_) => return self.emit_convolution(source, id, output),
            Operation::Add => {
                let [(left, left_kind), (right, right_kind)] = [self.kept(inputs[0]), self.kept(inputs[1])];
                let add = QuantizedOperation::Add {
                    left: rescale(left_kind.scale, left_kind.magnitude())?,
                    right: rescale(right_kind.scale, right_kind.magnitude())?,
                };
                (add, vec![left, right])
            }
            Operation::Multiply => {
                let [(left, left_kind), (right, right_kind)] = [self.kept(inputs[0]), self.kept(inputs[1])];
                let magnitude = left_kind.magnitude() * right_kind.magnitude();
                let rescale = rescale(left_kind.scale * right_kind.scale, magnitude)?;
                (QuantizedOperation::Multiply { rescale }, vec![left, right])
            }
            Operation::GlobalAverage => {
                let (input, kind) = self.kept(inputs[0]);
                let positions = kind.shape.positions();
                let rescale = rescale(kind.scale / positions as f64, kind.magnitude() * positions as i64)?;
                (QuantizedOperation::GlobalAverage { rescale }, vec![input])
            }
            Operation::MaxPool(pool) => {
                (QuantizedOperation::MaxPool(*pool), vec![self.moved(inputs[0], layer, output)?])
            }
            Operation::Resize(resize) => {
                (QuantizedOperation::Resize(*resize), vec![self.moved(inputs[0], layer, output)?])
            }
            Operation::Affine { .. } | Operation::Activation(_) => unreachable!("unary functions become tables"),
            Operation::BatchNorm(_) | Operation::Scale { .. } => unreachable!("refused before the conversion"),
        };
        Ok(self.push(graph.nodes[id.0].name.clone(), layer, operation, reads, output))
    }

    /// The operand of an operation that keeps its type.
    fn moved(&mut self, input: Read, layer: usize, output: QuantizedType) -> Result<Read, Stop> {
        let shape: Shape = self.graph.read_shape(input);
        self.view(input, layer, QuantizedType { shape, ..output })
    }

    fn emit_convolution(&mut self, source: NodeId, id: NodeId, output: QuantizedType) -> Result<NodeId, Stop> {
        let node = &self.graph.nodes[source.0];
        let Operation::Convolution(spec) = &node.operation else { unreachable!("called for convolutions") };
        let (mut reads, mut operands) = (Vec::new(), Vec::new());
        for &input in &node.inputs {
            let kind = self.scales.of(input, Element::I8);
            reads.push(self.view(input, node.layer, kind)?);
            let measured = self.means.map(|calibration| match input {
                Read::Frame => &calibration.frame,
                Read::Node(other) => &calibration.nodes[other.0],
                Read::State(state) => &calibration.nodes[self.graph.states[state.0].next.0],
            });
            let mean = |channel| measured.map_or(0.0, |histogram| histogram.channel_mean(channel));
            let means = (0..kind.shape.channels).map(mean).collect();
            operands.push(Operand { kind, means });
        }
        let weight = self.parameters.get(spec.weight);
        let bias = spec.bias.map(|bias| self.parameters.get(bias));
        let quantized = convolution::quantize(spec, &operands, weight, bias, &output);
        let name = self.graph.nodes[id.0].name.clone();
        match quantized {
            Ok(convolution) => {
                Ok(self.push(name, node.layer, QuantizedOperation::Convolution(convolution), reads, output))
            }
            Err(Failure::OutputScale(scale)) => {
                Err(Stop::Widen { value: Read::Node(id), element: output.element, scale })
            }
            Err(Failure::Accumulator { channel, terms, bound }) => {
                Err(Stop::Refused(QuantizeError::Accumulator { node: node.name.clone(), channel, terms, bound }))
            }
        }
    }
}
