//! When the image, the blank and each parameter first reach the logits.
//!
//! Two facts are carried forward for every value of every step, with all biases, shifts and running means zero: whether it is
//! provably zero, and on which parameters it depends to first order. A weight matters only where
//! what it multiplies is not zero; a factor of a product only where the other factor is not zero.
//! So the gate `1 - sigmoid(W * c)` does not depend on W while c is zero. A relu at zero counts as open, since a change
//! passes it in one direction.

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
    /// The smallest T at which it can change the logits of step T; none if it never does.
    pub first_step: Option<usize>,
}

/// The timing of a graph, in steps counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// First step whose logits depend on the image.
    pub first_image_step: Option<usize>,
    /// First step at which each tap depends on the image, in the graph's order of taps.
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
                feedback: part.feedback,
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

struct Part {
    parameter: ParameterId,
    source: Option<String>,
    channels: (usize, usize),
    feedback: bool,
    node: usize,
    /// The input that this part multiplies; none for a bias.
    input: Option<usize>,
}

fn parts(graph: &StepGraph) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let whole = |parameter: ParameterId, input: Option<usize>| {
            let feedback = node.inputs.iter().all(|&read| origin(graph, read, node.layer).1);
            Part { parameter, source: None, channels: (0, 0), feedback, node: index, input }
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
            let (source, later) = origin(graph, read, node.layer);
            parts.push(Part {
                parameter: convolution.weight,
                source: (node.inputs.len() > 1).then(|| source.to_owned()),
                channels: (channel, next),
                feedback: later,
                node: index,
                input: Some(slot),
            });
            channel = next;
        }
        parts.extend(convolution.bias.map(|bias| whole(bias, None)));
    }
    parts
}

/// What is read, behind a resize, and whether it comes from a later layer.
fn origin(graph: &StepGraph, read: Read, layer: usize) -> (&str, bool) {
    match read {
        Read::Node(NodeId(index)) if matches!(graph.nodes[index].operation, Operation::Resize(_)) => {
            origin(graph, graph.nodes[index].inputs[0], layer)
        }
        Read::State(state) => (graph.read_name(read), graph.states[state.0].layer > layer),
        Read::Frame | Read::Node(_) => (graph.read_name(read), false),
    }
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
                let mut fact = Fact { zero: inputs[0].zero || inputs[1].zero, ..Fact::default() };
                for (factor, other) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] {
                    // A factor matters only where the other one is not zero.
                    if !other.zero {
                        fact.image |= factor.image;
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
