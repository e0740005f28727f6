//! Operations judged one by one, each on the operands that were recorded: an error is seen where it arises, whatever it
//! does further on.

use super::limits::Limits;
use convrnn_graph::{Read, StepGraph, Tensor};
use std::collections::HashSet;

/// What was recorded of one image.
pub(super) struct Recording<'a> {
    /// The frame of a step (from 1), `[channels, height, width]`.
    pub frame: &'a dyn Fn(usize) -> Vec<f32>,
    /// The value of a node at a step, where it was kept.
    pub value: &'a dyn Fn(usize, usize) -> Option<&'a [f32]>,
    /// Number of steps.
    pub steps: usize,
}

/// An operation whose value does not follow from its operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fault {
    /// From 1.
    pub step: usize,
    /// Index into the graph's nodes.
    pub node: usize,
    /// Distance from the exact value, of the element that is furthest beyond its limit.
    pub difference: f64,
    /// That element's limit.
    pub limit: f64,
    /// The largest magnitude of the exact value in this step.
    pub magnitude: f64,
}

/// What judging a recording gave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Judgement {
    /// Operations that were judged, all steps together.
    pub judged: usize,
    /// The largest difference as a part of its limit, of those within.
    pub largest_part: f64,
    /// The first operation beyond its limit.
    pub fault: Option<Fault>,
}

impl Judgement {
    /// Of two recordings, with the earlier fault.
    pub(super) fn and(self, other: Self) -> Self {
        let place = |fault: &Fault| (fault.step, fault.node);
        Self {
            judged: self.judged + other.judged,
            largest_part: self.largest_part.max(other.largest_part),
            fault: [self.fault, other.fault].into_iter().flatten().min_by_key(place),
        }
    }
}

/// Judges every operation of a graph whose value and operands were kept, up to the first that is wrong.
pub(super) fn judge(graph: &StepGraph, limits: &Limits<'_>, recording: &Recording<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    for step in 1..=recording.steps {
        let frame = tensor(graph.frame, &(recording.frame)(step));
        for (index, node) in graph.nodes.iter().enumerate() {
            let Some(found) = (recording.value)(step, index) else { continue };
            let operand = |&read: &Read| match read {
                Read::Frame => Some(frame.clone()),
                Read::Node(other) => {
                    (recording.value)(step, other.0).map(|value| tensor(graph.nodes[other.0].shape, value))
                }
                Read::State(state) => {
                    let state = &graph.states[state.0];
                    match step {
                        1 => Some(Tensor::zeros(state.shape)),
                        _ => (recording.value)(step - 1, state.next.0).map(|value| tensor(state.shape, value)),
                    }
                }
            };
            let Some(operands) = node.inputs.iter().map(operand).collect::<Option<Vec<Tensor>>>() else { continue };
            let operands: Vec<&Tensor> = operands.iter().collect();
            let (exact, limit) = limits.of(&node.operation, &operands, node.shape);
            judgement.judged += 1;
            let mut worst = (0.0, 0.0, 0.0);
            for ((&exact, &limit), &found) in exact.values.iter().zip(&limit.values).zip(found) {
                let difference = (exact - f64::from(found)).abs();
                let part = difference / limit;
                // What is no number is as far away as can be.
                let part = if part.is_nan() { f64::INFINITY } else { part };
                if part > worst.0 {
                    worst = (part, if difference.is_nan() { f64::INFINITY } else { difference }, limit);
                }
            }
            let (part, difference, limit) = worst;
            if part > 1.0 {
                let magnitude = exact.values.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
                judgement.fault = Some(Fault { step, node: index, difference, limit, magnitude });
                return judgement;
            }
            judgement.largest_part = judgement.largest_part.max(part);
        }
    }
    judgement
}

fn tensor(shape: convrnn_graph::Shape, values: &[f32]) -> Tensor {
    Tensor::new(shape, values.iter().map(|&x| f64::from(x)).collect())
}

/// Names of all trained tensors that went into an operation of an exported graph: those of the operation of the same name
/// as it was trained, and of whatever became part of it since, such as the normalisation of a convolution.
pub(super) fn ingredients(trained: &StepGraph, exported: &StepGraph, name: &str) -> Vec<String> {
    let is_exported = |node: usize| exported.node_named(&trained.nodes[node].name).is_some();
    // A node that holds another value since constants became part of it is `<name>.scaled`.
    let plain = name.split(".scaled").next().unwrap_or(name);
    let start = trained.node_named(name).or_else(|| trained.node_named(plain));
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    let mut open: Vec<usize> = start.map(|node| node.0).into_iter().collect();
    while let Some(node) = open.pop() {
        if !seen.insert(node) {
            continue;
        }
        let node = &trained.nodes[node];
        names.extend(node.operation.parameters().iter().map(|id| trained.parameters[id.0].name.clone()));
        for read in &node.inputs {
            if let Read::Node(other) = read
                && !is_exported(other.0)
            {
                open.push(other.0);
            }
        }
    }
    names
}
