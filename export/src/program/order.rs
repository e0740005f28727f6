//! Which operation when.
//!
//! Layers run from the top down, so that what a layer leaves for the next step is overwritten after
//! the layer above has read it. Within a layer every reader of a state comes before its writer
//! where that is possible, for the same reason. Reads of another layer's value of the same step,
//! which some cells need, are respected before all else.

use super::ProgramOptions;
use super::error::ProgramError;
use super::step::{Step, StepNode};
use convrnn_format::{Plan, Skipping};
use convrnn_graph::{NodeId, Read, StateId};

/// The order of execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Layers with their nodes.
    pub layers: Vec<(usize, Vec<usize>)>,
    /// By node: its position among all nodes.
    pub position: Vec<usize>,
}

impl Order {
    pub fn new(step: &Step, options: &ProgramOptions) -> Result<Self, ProgramError> {
        let needs = layer_needs(step);
        if options.plan == Plan::Parallel {
            refuse_current_reads(step, "the parallel plan")?;
        }
        if options.skipping != Skipping::None {
            refuse_current_reads(step, "skipping")?;
        }
        let mut layers: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut done = vec![false; step.layers.len()];
        while layers.len() < step.layers.len() {
            let ready = |&layer: &usize| !done[layer] && needs[layer].iter().all(|&other| done[other]);
            let Some(layer) = (0..step.layers.len()).rev().find(ready) else {
                let waiting: Vec<&str> = (0..step.layers.len())
                    .filter(|&layer| !done[layer])
                    .map(|layer| step.layers[layer].as_str())
                    .collect();
                return Err(ProgramError::LayerCircle { layers: waiting.join(", ") });
            };
            done[layer] = true;
            layers.push((layer, within_layer(step, layer)));
        }
        let mut order = Self { layers, position: vec![0; step.nodes.len()] };
        order.number();
        Ok(order)
    }

    fn number(&mut self) {
        for (index, &node) in self.layers.iter().flat_map(|(_, nodes)| nodes).enumerate() {
            self.position[node] = index;
        }
    }

    /// Gives a layer's nodes another order.
    pub fn set_layer(&mut self, layer: usize, nodes: Vec<usize>) {
        self.layers[layer].1 = nodes;
        self.number();
    }

    /// Nodes in order of execution.
    pub fn nodes(&self) -> impl Iterator<Item = usize> + '_ {
        self.layers.iter().flat_map(|(_, nodes)| nodes).copied()
    }
}

/// By layer: the layers whose values of the same step it reads.
fn layer_needs(step: &Step) -> Vec<Vec<usize>> {
    let mut needs = vec![Vec::new(); step.layers.len()];
    for node in &step.nodes {
        for &read in &node.inputs {
            if let Read::Node(NodeId(other)) = read
                && step.nodes[other].layer != node.layer
            {
                needs[node.layer].push(step.nodes[other].layer);
            }
        }
    }
    needs
}

fn refuse_current_reads(step: &Step, choice: &'static str) -> Result<(), ProgramError> {
    for node in &step.nodes {
        for &read in &node.inputs {
            if let Read::Node(NodeId(other)) = read
                && step.nodes[other].layer != node.layer
            {
                let other = &step.nodes[other];
                let layer = step.layers[other.layer].clone();
                let (node, read) = (node.name.clone(), other.name.clone());
                return Err(ProgramError::CurrentRead { choice, node, read, layer });
            }
        }
    }
    Ok(())
}

/// The nodes of a layer, each after what it reads, and before the states it reads are overwritten
/// where no circle forbids that; otherwise as in the graph.
fn within_layer(step: &Step, layer: usize) -> Vec<usize> {
    let nodes: Vec<usize> = (0..step.nodes.len()).filter(|&node| step.nodes[node].layer == layer).collect();
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); step.nodes.len()];
    for &node in &nodes {
        for &read in &step.nodes[node].inputs {
            if let Read::Node(NodeId(other)) = read
                && step.nodes[other].layer == layer
            {
                before[node].push(other);
            }
        }
    }
    for (index, state) in step.states.iter().enumerate() {
        let writer = state.next.0;
        if step.nodes[writer].layer != layer {
            continue;
        }
        let readers: Vec<usize> =
            nodes.iter().copied().filter(|&node| node != writer && reads_state(&step.nodes[node], index)).collect();
        if readers.iter().all(|&reader| !depends(&before, reader, writer)) {
            before[writer].extend(readers);
        }
    }
    let mut order = Vec::with_capacity(nodes.len());
    let mut placed = vec![false; step.nodes.len()];
    while order.len() < nodes.len() {
        // Constraints were only added where they close no circle, so some node is always ready.
        let ready =
            nodes.iter().copied().find(|&node| !placed[node] && before[node].iter().all(|&other| placed[other]));
        let Some(node) = ready else { break };
        placed[node] = true;
        order.push(node);
    }
    order
}

pub(super) fn reads_state(node: &StepNode, state: usize) -> bool {
    node.inputs.contains(&Read::State(StateId(state)))
}

/// Whether `node` must come after `other`.
fn depends(before: &[Vec<usize>], node: usize, other: usize) -> bool {
    let mut stack = vec![node];
    let mut seen = vec![false; before.len()];
    while let Some(current) = stack.pop() {
        if current == other {
            return true;
        }
        if !std::mem::replace(&mut seen[current], true) {
            stack.extend(&before[current]);
        }
    }
    false
}
