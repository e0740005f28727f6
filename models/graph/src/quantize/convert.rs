//! From a float graph to its quantised form.

use super::calibrate::Calibration;
use super::error::QuantizeError;
use super::frame;
use super::plan::Plan;
use super::range::RangeRule;
use super::scales::{Ranges, Scales, ValueTypes};
use super::types::*;
use crate::graph::{NodeId, Read, StepGraph, Tap};
use crate::operation::Operation;
use crate::parameters::Parameters;
use crate::passes::{drop_unread, fuse_gates, pool_first};
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
pub(super) fn convert<'a>(
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
pub(super) enum Stop {
    Refused(QuantizeError),
    /// A value's scale is too small for the factor that leads to it.
    Widen {
        value: Read,
        element: Element,
        scale: f64,
    },
}

pub(super) struct Converter<'a, 's> {
    pub(super) graph: &'a StepGraph,
    pub(super) parameters: &'a Parameters<f32>,
    /// What biases are corrected with; none where they are not.
    pub(super) means: Option<&'a Calibration>,
    pub(super) plan: &'a Plan,
    pub(super) scales: &'s mut Scales<'a>,
    pub(super) nodes: Vec<QuantizedNode>,
    /// By float node: the integer node that holds its value in the width of the plan.
    pub(super) primary: Vec<Option<NodeId>>,
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
    pub(super) fn kept(&mut self, read: Read) -> (Read, QuantizedType) {
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
    pub(super) fn view(&mut self, read: Read, layer: usize, wanted: QuantizedType) -> Result<Read, Stop> {
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
    pub(super) fn rescaled(
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

    pub(super) fn free_name(&self, name: &str) -> String {
        let taken = |name: &str| {
            self.nodes.iter().any(|node| node.name == name) || self.graph.nodes.iter().any(|node| node.name == name)
        };
        let numbered = (2..).map(|number| format!("{name}{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).expect("endless")
    }

    pub(super) fn push(
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
}
