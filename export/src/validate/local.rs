//! Operations judged one by one, each on the operands that were recorded: an error is seen where it arises, whatever it
//! does further on.

use crate::engines::Network;
use convrnn_graph::reference::evaluate;
use convrnn_graph::{Parameters, Read, Tensor};

/// Rounding to f32 costs an operation less than this part of its node's largest value in the run.
const ROUNDING: f64 = 4e-6;

/// What was recorded of one image.
pub(super) struct Recording<'a> {
    /// The frame of a step (from 1), `[channels, height, width]`.
    pub frame: &'a dyn Fn(usize) -> Vec<f32>,
    /// The value of a node at a step, where it was kept.
    pub value: &'a dyn Fn(usize, usize) -> Option<Vec<f32>>,
    /// Number of steps.
    pub steps: usize,
}

/// The first (step, node) whose recorded value is not what the checkpoint's weights make of the recorded operands, with its
/// absolute difference and that relative to the node's largest magnitude.
pub(super) fn first(
    network: &Network<'_>,
    parameters: &Parameters<f64>,
    recording: &Recording<'_>,
) -> Option<(usize, usize, (f64, f64))> {
    let graph = network.source.graph;
    let magnitudes: Vec<f64> = (0..graph.nodes.len()).map(|node| magnitude(recording, node)).collect();
    for step in 1..=recording.steps {
        let frame = tensor(graph.frame, (recording.frame)(step));
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
            let expected = evaluate(&node.operation, &operands, node.shape, parameters);
            let differences = expected.values.iter().zip(&found).map(|(x, &y)| (x - f64::from(y)).abs());
            let difference =
                differences.fold(0.0, |largest: f64, x| if x.is_nan() { f64::INFINITY } else { largest.max(x) });
            if difference > ROUNDING * magnitudes[index] {
                return Some((step, index, (difference, difference / magnitudes[index])));
            }
        }
    }
    None
}

fn tensor(shape: convrnn_graph::Shape, values: Vec<f32>) -> Tensor {
    Tensor::new(shape, values.into_iter().map(f64::from).collect())
}

/// The largest magnitude of a node in the run; 1 where it is zero throughout or was not kept.
fn magnitude(recording: &Recording<'_>, node: usize) -> f64 {
    let values = (1..=recording.steps).filter_map(|step| (recording.value)(step, node)).flatten();
    let largest = values.fold(0.0, |largest, x| f64::max(largest, f64::from(x).abs()));
    if largest > 0.0 { largest } else { 1.0 }
}
