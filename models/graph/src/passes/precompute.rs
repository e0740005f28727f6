//! What does not depend on what is on show, computed once: the states that a run may start from, and the step at which
//! each layer must first be computed.
//!
//! Before its first image-driven step nothing that layer l computes depends on a frame. So its values there are those of
//! every run, and a run may start with its states as they are after step `s(l) - 1` and compute the layer from step `s(l)`
//! on. What others find in those states in the meantime must be what they would have found: layer k, computed at a step
//! t from `s(k)` on, reads a state of layer j as after step `t - 1` and finds it as after step `max(t - 1, s(j) - 1)`. So
//! either the two are equal at every such step, or `s(j)` is as low as it takes; and where k reads a value of j of the same
//! step, `s(j) <= s(k)`.

use crate::graph::{NodeId, Read, StepGraph};
use crate::parameters::Parameters;
use crate::quantize::{IntegerInterpreter, IntegerTensor, QuantizedGraph};
use crate::reference::Interpreter;
use crate::tensor::Tensor;

/// Where a run may start.
#[derive(Clone, Debug, PartialEq)]
pub struct Precomputed<T> {
    /// By layer: the first step (from 1) at which it is computed. At earlier steps its states stay what they are.
    pub first_step: Vec<usize>,
    /// By state: its value before the first step.
    pub states: Vec<T>,
}

/// For a float graph, with the values of the f64 reference interpreter. From its first step on, every value of a layer is
/// that of a run from zero states that computes every layer at every step, whatever the frames are: exactly in the
/// reference interpreter, and to rounding in executors that start from the states rounded to f32.
pub fn precompute(graph: &StepGraph, parameters: &Parameters<f32>) -> Precomputed<Tensor> {
    let nodes = graph.nodes.iter().map(|node| (node.layer, node.inputs.as_slice()));
    let reads = Reads::new(graph.layers.len(), nodes, graph.states.iter().map(|state| state.next));
    let parameters = parameters.to_f64();
    let mut interpreter = Interpreter::new(graph, &parameters);
    let frame = Tensor::zeros(graph.frame);
    let mut after = vec![interpreter.states().to_vec()];
    for step in 1..reads.latest() {
        interpreter.step_where(&frame, |node| reads.is_free(node, step));
        after.push(interpreter.states().to_vec());
    }
    reads.starts(&after)
}

/// For a quantised graph, with the values of the integer interpreter: the same bits from each layer's first step on.
pub fn precompute_integers(graph: &QuantizedGraph) -> Precomputed<IntegerTensor> {
    let nodes = graph.nodes.iter().map(|node| (node.layer, node.inputs.as_slice()));
    let reads = Reads::new(graph.layers.len(), nodes, graph.states.iter().map(|state| state.next));
    let mut interpreter = IntegerInterpreter::new(graph);
    let frame = vec![0; graph.frame.shape.elements()];
    let mut after = vec![interpreter.states().to_vec()];
    for step in 1..reads.latest() {
        interpreter.step_where(&frame, |node| reads.is_free(node, step));
        after.push(interpreter.states().to_vec());
    }
    reads.starts(&after)
}

/// Who reads what, in either kind of graph.
struct Reads<'a> {
    layers: usize,
    /// By node: its layer and what it reads.
    nodes: Vec<(usize, &'a [Read])>,
    /// By state: the node that writes it.
    next: Vec<NodeId>,
    /// By node: the first step at which it can depend on a frame; none if it never does.
    driven: Vec<Option<usize>>,
}

impl<'a> Reads<'a> {
    fn new(
        layers: usize,
        nodes: impl Iterator<Item = (usize, &'a [Read])>,
        next: impl Iterator<Item = NodeId>,
    ) -> Self {
        let nodes: Vec<_> = nodes.collect();
        let driven = vec![None; nodes.len()];
        let mut reads = Self { layers, nodes, next: next.collect(), driven };
        // Each round finds the frame reaching some node at all, or sooner, or is the last.
        while reads.find_driven() {}
        reads
    }

    /// Follows every read once; whether anything was found earlier than before.
    fn find_driven(&mut self) -> bool {
        let mut has_changed = false;
        for index in 0..self.nodes.len() {
            let steps = self.nodes[index].1.iter().filter_map(|&read| match read {
                Read::Frame => Some(1),
                Read::Node(other) => self.driven[other.0],
                Read::State(state) => self.driven[self.next[state.0].0].map(|step| step + 1),
            });
            let first = steps.min();
            has_changed |= first != self.driven[index];
            self.driven[index] = first;
        }
        has_changed
    }

    /// Whether a node's value at a step is the same whatever is on show.
    fn is_free(&self, node: NodeId, step: usize) -> bool {
        self.driven[node.0].is_none_or(|driven| step < driven)
    }

    /// By layer: its first image-driven step; 1 for a layer that no frame ever reaches.
    fn first_driven(&self) -> Vec<usize> {
        let layer = |layer: usize| {
            let nodes = self.nodes.iter().zip(&self.driven).filter(|((own, _), _)| *own == layer);
            nodes.filter_map(|(_, driven)| *driven).min().unwrap_or(1)
        };
        (0..self.layers).map(layer).collect()
    }

    fn latest(&self) -> usize {
        self.first_driven().into_iter().max().unwrap_or(1)
    }

    /// The latest first steps that leave every read right. `after` holds the states before the first step, then after each.
    fn starts<T: Clone + PartialEq>(&self, after: &[Vec<T>]) -> Precomputed<T> {
        let mut first_step = self.first_driven();
        let layer_of = |node: NodeId| self.nodes[node.0].0;
        // Each round lowers a step or is the last.
        loop {
            let before = first_step.clone();
            for &(layer, inputs) in &self.nodes {
                let start = first_step[layer];
                for &read in inputs {
                    let (other, latest) = match read {
                        Read::Frame => continue,
                        Read::Node(node) => (layer_of(node), start),
                        Read::State(state) => {
                            let other = layer_of(self.next[state.0]);
                            let is_same = |step: &usize| after[*step][state.0] == after[start - 1][state.0];
                            (other, start + (start..first_step[other]).take_while(is_same).count())
                        }
                    };
                    first_step[other] = first_step[other].min(latest);
                }
            }
            if first_step == before {
                break;
            }
        }
        let value = |(state, next): (usize, &NodeId)| after[first_step[layer_of(*next)] - 1][state].clone();
        let states = self.next.iter().enumerate().map(value).collect();
        Precomputed { first_step, states }
    }
}

#[cfg(test)]
mod tests;
