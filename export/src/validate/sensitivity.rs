//! How far rounding alone moves the logits of a network: some networks amplify it step by step.

use super::limits::Limits;
use crate::engines::Network;
use convrnn_graph::{NodeId, Read, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Runs with roundings drawn at random.
const DRAWS: u64 = 4;

/// Times the largest of these that differences of that origin may reach.
const MARGIN: f64 = 2.0;

/// The largest difference of a logit, at any step, that roundings of the size of their limits make of this frame
/// `[channels, height, width]`: every value of every step of the f64 reference is moved by a random part of its limit
/// (uniform within plus and minus), in some runs, and the largest difference is taken twice.
pub(super) fn of_logits(network: &Network<'_>, shown: &[f32]) -> f64 {
    let graph = network.source.graph;
    let limits = Limits::new(graph, network.source.parameters);
    let presentation = network.presentation;
    let image = Tensor::new(graph.frame, shown.iter().map(|&x| f64::from(x)).collect());
    let blank = Tensor::full(graph.frame, presentation.blank);
    let run = |mut random: Option<ChaCha8Rng>| -> Vec<Vec<f64>> {
        let mut states: Vec<Tensor> = graph.states.iter().map(|state| Tensor::zeros(state.shape)).collect();
        let mut logits = Vec::new();
        for step in 1..=presentation.steps {
            let frame = if presentation.shows_image(step) { &image } else { &blank };
            let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes.len());
            for node in &graph.nodes {
                let operand = |read: &Read| match *read {
                    Read::Frame => frame,
                    Read::Node(NodeId(node)) => &values[node],
                    Read::State(state) => &states[state.0],
                };
                let operands: Vec<&Tensor> = node.inputs.iter().map(operand).collect();
                let (exact, limit) = limits.of(&node.operation, &operands, node.shape);
                values.push(match &mut random {
                    Some(random) => {
                        let part = limit.values.iter().map(|limit| limit * random.random_range(-1.0..=1.0));
                        let moved = exact.values.iter().zip(part).map(|(x, part)| x + part);
                        Tensor::new(node.shape, moved.collect())
                    }
                    None => exact,
                });
            }
            for (state, declared) in states.iter_mut().zip(&graph.states) {
                *state = values[declared.next.0].clone();
            }
            logits.push(values[graph.logits.0].values.clone());
        }
        logits
    };
    let exact = run(None);
    let difference = |draw: u64| {
        let moved = run(Some(ChaCha8Rng::seed_from_u64(draw)));
        let differences = moved.iter().flatten().zip(exact.iter().flatten()).map(|(x, y)| (x - y).abs());
        differences.fold(0.0, f64::max)
    };
    MARGIN * (0..DRAWS).map(difference).fold(0.0, f64::max)
}
