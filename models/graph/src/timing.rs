//! When the image, the blank and each parameter can first reach the logits: what a graph says of itself, before there are
//! weights.
//!
//! **The image** is followed along the reads alone. For no weights does it arrive earlier; for some it arrives later, or
//! never ([`crate::first_image_steps`] looks at the weights).
//!
//! **Parameters** are those of a net at its start, with all biases, shifts and running means zero. Two facts are carried
//! forward for every value of every step: whether it is provably zero, and on which parameters it depends to first order.
//! A weight matters only where what it multiplies is not zero; a factor of a product only where the other factor is not
//! zero. So the gate `1 - sigmoid(W * c)` does not depend on W while c is zero. A relu at zero counts as open, since a
//! change passes it in one direction.

use crate::graph::{NodeId, ParameterId, Read, StepGraph};
use crate::operation::Operation;
use crate::presentation::Presentation;
use std::collections::BTreeSet;

/// How long to look before a parameter counts as without influence, in passes through all layers.
const PASSES: usize = 8;

/// Part of a parameter tensor: a convolution over concatenated inputs has one part an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterTiming {
    /// The tensor.
    pub parameter: ParameterId,
    /// What this part of the weight multiplies (`layer5.output`), where the convolution has several
    /// inputs.
    pub part: Option<String>,
    /// First input channel of this part and the one after its last.
    pub channels: (usize, usize),
    /// Whether it carries feedback from a later layer.
    pub feedback: bool,
    /// Whether it carries what skips layers: the output of one before the layer below.
    pub skip: bool,
    /// The smallest T at which it can change the logits of step T; none if it never does.
    pub first_step: Option<usize>,
}

/// The timing of a graph, in steps counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// First step whose logits can depend on the image, whatever the weights; for some it is later.
    pub first_image_step: Option<usize>,
    /// First step at which each tap can depend on the image, in the graph's order of taps.
    pub first_tap_steps: Vec<Option<usize>>,
    /// By part of each parameter.
    pub parameters: Vec<ParameterTiming>,
}

impl Timing {
    /// Analyses a graph with the image held on show.
    pub fn new(graph: &StepGraph) -> Self {
        let horizon = PASSES * (graph.layers.len() + 2);
        let parts = parts(graph);
        let mut analysis = Analysis::new(graph, &parts);
        let mut first_step = vec![None; parts.len()];
        let mut first_image_step = None;
        let mut first_tap_steps = vec![None; graph.taps.len()];
        for step in 1..=horizon {
            let facts = analysis.step();
            let logits = &facts[graph.logits.0];
            for &part in &logits.depends {
                first_step[part].get_or_insert(step);
            }
            if logits.image {
                first_image_step.get_or_insert(step);
            }
            for (first, tap) in first_tap_steps.iter_mut().zip(&graph.taps) {
                if facts[tap.node.0].image {
                    first.get_or_insert(step);
                }
            }
            let complete = first_step.iter().all(Option::is_some) && first_image_step.is_some();
            if complete && first_tap_steps.iter().all(Option::is_some) {
                break;
            }
        }
        let parameters = parts
            .into_iter()
            .zip(first_step)
            .map(|(part, first_step)| ParameterTiming {
                parameter: part.parameter,
                part: part.source,
                channels: part.channels,
                feedback: part.route == Route::Feedback,
                skip: part.route == Route::Skip,
                first_step,
            })
            .collect();
        Self { first_image_step, first_tap_steps, parameters }
    }

    /// The smallest T at which every local parameter can change the logits, or every parameter with
    /// feedback included.
    pub fn minimal_unroll(&self, with_feedback: bool) -> Option<usize> {
        let relevant = self.parameters.iter().filter(|part| with_feedback || !part.feedback);
        relevant.filter_map(|part| part.first_step).max()
    }

    /// The first step whose logits the blank can change, if that is within the run.
    pub fn first_blank_step(&self, presentation: &Presentation) -> Option<usize> {
        if presentation.image_steps == presentation.steps {
            return None;
        }
        // The blank goes the way of the image: the shortest path from the frame to the logits.
        self.first_image_step.map(|first| presentation.image_steps + first).filter(|&step| step <= presentation.steps)
    }
}

/// From where a value comes to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// The frame, the layer below, or the layer itself.
    Local,
    /// A later layer.
    Feedback,
    /// A layer before the one below.
    Skip,
}

struct Part {
    parameter: ParameterId,
    source: Option<String>,
    channels: (usize, usize),
    route: Route,
    node: usize,
    /// The input that this part multiplies; none for a bias.
    input: Option<usize>,
}

fn parts(graph: &StepGraph) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let whole = |parameter: ParameterId, input: Option<usize>| {
            let mut routes = node.inputs.iter().map(|&read| origin(graph, read, node.layer).1);
            let first = routes.next().unwrap_or(Route::Local);
            let route = if routes.all(|route| route == first) { first } else { Route::Local };
            Part { parameter, source: None, channels: (0, 0), route, node: index, input }
        };
        let convolution = match &node.operation {
            Operation::Convolution(convolution) => convolution,
            Operation::BatchNorm(norm) => {
                parts.extend([whole(norm.scale, Some(0)), whole(norm.shift, None)]);
                continue;
            }
            Operation::Scale { factor } => {
                parts.push(whole(*factor, Some(0)));
                continue;
            }
            Operation::Resize(_)
            | Operation::Add
            | Operation::Multiply
            | Operation::Affine { .. }
            | Operation::Activation(_)
            | Operation::MaxPool(_)
            | Operation::GlobalAverage => continue,
        };
        let mut channel = 0;
        for (slot, &read) in node.inputs.iter().enumerate() {
            let next = channel + graph.read_shape(read).channels / convolution.groups;
            let (source, route) = origin(graph, read, node.layer);
            parts.push(Part {
                parameter: convolution.weight,
                source: (node.inputs.len() > 1).then(|| source.to_owned()),
                channels: (channel, next),
                route,
                node: index,
                input: Some(slot),
            });
            channel = next;
        }
        parts.extend(convolution.bias.map(|bias| whole(bias, None)));
    }
    parts
}

/// What is read, behind what brings it to a size, and from where it comes.
fn origin(graph: &StepGraph, read: Read, layer: usize) -> (&str, Route) {
    match read {
        Read::Node(NodeId(index)) if brings_to_size(graph, index) => origin(graph, graph.nodes[index].inputs[0], layer),
        Read::State(state) => {
            let from = graph.states[state.0].layer;
            let route = match from > layer {
                true => Route::Feedback,
                false if from + 1 < layer => Route::Skip,
                false => Route::Local,
            };
            (graph.read_name(read), route)
        }
        Read::Frame | Read::Node(_) => (graph.read_name(read), Route::Local),
    }
}

/// Whether a node only gives a state of another layer another size.
fn brings_to_size(graph: &StepGraph, index: usize) -> bool {
    let node = &graph.nodes[index];
    let sizes = matches!(node.operation, Operation::Resize(_) | Operation::MaxPool(_) | Operation::GlobalAverage);
    sizes && matches!(node.inputs[0], Read::State(state) if graph.states[state.0].layer != node.layer)
}

/// What is known of one value at one step.
#[derive(Clone, Default)]
struct Fact {
    zero: bool,
    image: bool,
    depends: BTreeSet<usize>,
}

struct Analysis<'a> {
    graph: &'a StepGraph,
    parts: &'a [Part],
    states: Vec<Fact>,
}

impl<'a> Analysis<'a> {
    fn new(graph: &'a StepGraph, parts: &'a [Part]) -> Self {
        let zero = Fact { zero: true, ..Fact::default() };
        Self { graph, parts, states: vec![zero; graph.states.len()] }
    }

    fn step(&mut self) -> Vec<Fact> {
        let frame = Fact { image: true, ..Fact::default() };
        let mut facts: Vec<Fact> = Vec::with_capacity(self.graph.nodes.len());
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let inputs: Vec<&Fact> = node
                .inputs
                .iter()
                .map(|&read| match read {
                    Read::Frame => &frame,
                    Read::Node(other) => &facts[other.0],
                    Read::State(state) => &self.states[state.0],
                })
                .collect();
            let fact = self.fact(index, &node.operation, &inputs);
            facts.push(fact);
        }
        for (state, declared) in self.states.iter_mut().zip(&self.graph.states) {
            *state = facts[declared.next.0].clone();
        }
        facts
    }

    fn fact(&self, index: usize, operation: &Operation, inputs: &[&Fact]) -> Fact {
        let union = |zero: bool| Fact {
            zero,
            image: inputs.iter().any(|input| input.image),
            depends: inputs.iter().flat_map(|input| &input.depends).copied().collect(),
        };
        match operation {
            // With zero shift and running mean a normalisation keeps zero, and so does a factor.
            Operation::Convolution(_) | Operation::BatchNorm(_) | Operation::Scale { .. } => {
                let mut fact = union(inputs.iter().all(|input| input.zero));
                for (number, part) in self.parts.iter().enumerate().filter(|(_, part)| part.node == index) {
                    if part.input.is_none_or(|slot| !inputs[slot].zero) {
                        fact.depends.insert(number);
                    }
                }
                fact
            }
            Operation::Multiply => {
                let image = inputs[0].image || inputs[1].image;
                let mut fact = Fact { zero: inputs[0].zero || inputs[1].zero, image, ..Fact::default() };
                for (factor, other) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] {
                    // A factor matters only where the other one is not zero.
                    if !other.zero {
                        fact.depends.extend(&factor.depends);
                    }
                }
                fact
            }
            Operation::Add => union(inputs[0].zero && inputs[1].zero),
            Operation::Affine { scale, offset } => match *scale == 0.0 {
                true => Fact { zero: *offset == 0.0, ..Fact::default() },
                false => union(inputs[0].zero && *offset == 0.0),
            },
            Operation::Activation(activation) => union(inputs[0].zero && activation.keeps_zero()),
            Operation::Resize(_) | Operation::MaxPool(_) | Operation::GlobalAverage => union(inputs[0].zero),
        }
    }
}
