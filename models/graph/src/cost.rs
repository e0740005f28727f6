//! Multiply-accumulates, parameters and state sizes of a graph.

use crate::graph::{NodeId, Read, StepGraph};
use crate::operation::Operation;

/// What one node costs a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCost {
    /// Multiply-accumulates of convolutions, padding counted as if it were data.
    pub multiply_accumulates: u64,
    /// Elements written by operations other than convolutions.
    pub elementwise: u64,
}

/// What a graph costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// By node.
    pub nodes: Vec<NodeCost>,
    /// By layer, multiply-accumulates.
    pub layers: Vec<u64>,
    /// Trained values.
    pub parameters: usize,
    /// Values carried between steps.
    pub state_elements: usize,
}

impl Cost {
    /// Counts one step.
    pub fn new(graph: &StepGraph) -> Self {
        let nodes: Vec<NodeCost> = (0..graph.nodes.len()).map(|index| node_cost(graph, NodeId(index))).collect();
        let mut layers = vec![0; graph.layers.len()];
        for (node, cost) in graph.nodes.iter().zip(&nodes) {
            layers[node.layer] += cost.multiply_accumulates;
        }
        Self {
            nodes,
            layers,
            parameters: graph.parameter_count(),
            state_elements: graph.states.iter().map(|state| state.shape.elements()).sum(),
        }
    }

    /// Multiply-accumulates of a step.
    pub fn multiply_accumulates(&self) -> u64 {
        self.layers.iter().sum()
    }
}

fn node_cost(graph: &StepGraph, id: NodeId) -> NodeCost {
    let node = &graph.nodes[id.0];
    let elements = node.shape.elements() as u64;
    let channels = |reads: &[Read]| reads.iter().map(|&read| graph.read_shape(read).channels).sum::<usize>();
    match &node.operation {
        Operation::Convolution(convolution) => {
            let taps = channels(&node.inputs) / convolution.groups * convolution.kernel[0] * convolution.kernel[1];
            NodeCost { multiply_accumulates: elements * taps as u64, elementwise: 0 }
        }
        Operation::Resize(_)
        | Operation::BatchNorm(_)
        | Operation::Scale { .. }
        | Operation::Add
        | Operation::Multiply
        | Operation::Affine { .. }
        | Operation::Activation(_)
        | Operation::MaxPool(_)
        | Operation::GlobalAverage => NodeCost { multiply_accumulates: 0, elementwise: elements },
    }
}
