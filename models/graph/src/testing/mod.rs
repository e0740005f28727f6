//! Random small step graphs, parameters and frames for the tests of every executor (feature
//! `testing`). The same seed always gives the same network.
//!
//! They hold what real networks hold and what goes wrong: several layers, strides, uneven padding,
//! depthwise convolutions, feedback and skips that are resized or pooled and concatenated or added through a
//! convolution, two edges between the same layers, gates that zero shuts, residuals across layers, gated and plain recurrent cells built from generic nodes,
//! overlapping max-pools, averages before and after the classifier.

mod build;
mod plan;

use crate::graph::StepGraph;
use crate::parameters::{Initializer, Parameters};
use crate::quantize::{Calibration, PixelScale, QuantizeOptions, QuantizedGraph, quantize};
use crate::shape::Shape;
use crate::tensor::Tensor;
use plan::NetworkPlan;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A network and values for its parameters.
#[derive(Clone, Debug)]
pub struct RandomNetwork {
    /// The step.
    pub graph: StepGraph,
    /// Values scaled so that activations stay within a few units over many steps.
    pub parameters: Parameters<f32>,
}

/// A random network of two to four layers on frames of at most 3x9x9.
pub fn random_network(seed: u64) -> RandomNetwork {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let plan = plan(seed, &mut random);
    let graph = plan.build().expect("a random plan fits together");
    let parameters = random_parameters(&graph, &mut random);
    RandomNetwork { graph, parameters }
}

/// Half of the networks have more than feedback.
fn plan(seed: u64, random: &mut ChaCha8Rng) -> NetworkPlan {
    let plan = NetworkPlan::random(random);
    match seed % 2 {
        0 => plan,
        _ => plan.with_skips(&mut ChaCha8Rng::seed_from_u64(seed)),
    }
}

/// The same networks with normalisations and trained factors, as they are before [`crate::passes::fold`].
pub fn random_trained_network(seed: u64) -> RandomNetwork {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let plan = plan(seed, &mut random).with_training(&mut random);
    let graph = plan.build().expect("a random plan fits together");
    let parameters = random_parameters(&graph, &mut random);
    RandomNetwork { graph, parameters }
}

/// A random network in integers, as the conversion leaves it or after the passes over integer graphs.
pub fn quantized_network(seed: u64, passes: bool) -> QuantizedGraph {
    let RandomNetwork { graph, parameters } = random_network(seed);
    let frames = random_frames(graph.frame, 12, seed);
    let calibration = Calibration::of_sequences(&graph, &parameters, &[frames.iter().collect()]).expect("finite");
    let (mean, deviation) = (vec![0.5; graph.frame.channels], vec![0.25; graph.frame.channels]);
    let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
    let options = QuantizeOptions { passes, ..QuantizeOptions::default() };
    quantize(&graph, &parameters, &calibration, pixels, &options).expect("quantises").graph
}

/// Values for any graph's parameters: uniform within `gain / sqrt(fan-in)`, the gain drawn for each
/// tensor between 0.5 and 1.5; biases within 0.3.
pub fn random_parameters(graph: &StepGraph, random: &mut impl RngExt) -> Parameters<f32> {
    let values = graph.parameters.iter().map(|parameter| -> Vec<f32> {
        let fan_in: usize = parameter.shape.iter().skip(1).product();
        if let Initializer::Constant { value } = parameter.initializer {
            // Scales and variances: about what they start from.
            let factors = (0..parameter.elements()).map(|_| random.random_range(0.5..1.5));
            return factors.map(|factor| value as f32 * factor).collect();
        }
        let limit = match parameter.shape.len() {
            1 => 0.3,
            _ => random.random_range(0.5..1.5) / (fan_in as f32).sqrt(),
        };
        (0..parameter.elements()).map(|_| random.random_range(-limit..limit)).collect()
    });
    Parameters { values: values.collect() }
}

/// Frames of values between -2 and 2, smooth enough that a held frame and a changing one both occur:
/// each frame repeats the one before with probability one half.
pub fn random_frames(shape: Shape, count: usize, seed: u64) -> Vec<Tensor> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed_f4a3);
    let mut frames: Vec<Tensor> = Vec::with_capacity(count);
    for _ in 0..count {
        let frame = match frames.last() {
            Some(last) if random.random_bool(0.5) => last.clone(),
            _ => Tensor::new(shape, (0..shape.elements()).map(|_| random.random_range(-2.0..2.0)).collect()),
        };
        frames.push(frame);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Read;
    use crate::operation::Operation;
    use crate::reference::Interpreter;
    use std::collections::HashSet;

    #[test]
    fn networks_are_valid_varied_and_stay_finite() {
        let (mut kinds, mut multiple, mut silent, mut largest) = (HashSet::new(), 0, 0, 0.0f64);
        let (mut skips, mut pooled) = (0, 0);
        for seed in 0..200 {
            let RandomNetwork { graph, parameters } = random_network(seed);
            graph.check().expect("valid");
            parameters.check(&graph).expect("parameters fit");
            kinds.extend(graph.nodes.iter().map(|node| node.operation.kind()));
            let convolutions = graph.nodes.iter().filter(|node| matches!(node.operation, Operation::Convolution(_)));
            multiple += convolutions.filter(|node| node.inputs.len() > 1).count();
            for node in &graph.nodes {
                let reads_skip =
                    |read: &Read| matches!(read, Read::State(state) if graph.states[state.0].layer + 1 < node.layer);
                let has_skip = node.inputs.iter().any(reads_skip);
                skips += usize::from(has_skip);
                pooled += usize::from(has_skip && matches!(node.operation, Operation::MaxPool(_)));
            }
            let values = parameters.to_f64();
            let logits = Interpreter::new(&graph, &values).logits(&random_frames(graph.frame, 12, seed));
            let peak = logits.iter().flatten().fold(0.0f64, |peak, x| peak.max(x.abs()));
            silent += usize::from(peak == 0.0);
            largest = largest.max(peak);
        }
        for kind in ["convolution", "resize", "add", "multiply", "affine", "relu", "elu", "sigmoid", "tanh", "max-pool"]
        {
            assert!(kinds.contains(kind), "no {kind} in 200 networks");
        }
        assert!(multiple > 50, "{multiple} convolutions over concatenations");
        assert!(skips > 40 && pooled > 15, "{skips} skips, {pooled} pooled");
        assert!(silent < 20, "{silent} networks with logits that stay zero");
        assert!(largest.is_finite() && largest < 100.0, "logits up to {largest}");
    }

    #[test]
    fn a_seed_names_one_network() {
        let (first, second) = (random_network(7), random_network(7));
        assert_eq!((first.graph, first.parameters), (second.graph, second.parameters));
        assert_ne!(random_network(8).parameters, random_network(9).parameters);
    }
}
