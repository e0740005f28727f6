//! Values before and after, and what goes and what stays.

use super::*;
use crate::builder::{ConvolutionSpec, GraphBuilder};
use crate::graph::StateKind;
use crate::passes::fold;
use crate::reference::Interpreter;
use crate::shape::Shape;
use crate::testing::{random_frames, random_parameters, random_trained_network};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Rounding of weights to f32, relative to the largest magnitude of a node (at least 1), over several steps.
const TOLERANCE: f64 = 1e-5;

fn affine_count(graph: &StepGraph) -> usize {
    graph.nodes.iter().filter(|node| matches!(node.operation, Operation::Affine { .. })).count()
}

/// Fails unless every node of a name has the value it had; gives how many names are new.
fn assert_same_values(
    (before, parameters): (&StepGraph, &Parameters<f32>),
    (after, folded): (&StepGraph, &Parameters<f32>),
    context: &str,
) -> usize {
    after.check().expect("valid");
    folded.check(after).expect("the tensors fit");
    assert_eq!((before.taps.len(), before.states.len()), (after.taps.len(), after.states.len()));
    let (parameters, folded) = (parameters.to_f64(), folded.to_f64());
    let mut expected = Interpreter::new(before, &parameters);
    let mut found = Interpreter::new(after, &folded);
    for frame in random_frames(before.frame, 8, 1) {
        let (expected, found) = (expected.step(&frame), found.step(&frame));
        let watched = before.taps.iter().zip(&after.taps).map(|(before, after)| (before.node, after.node));
        let states = before.states.iter().zip(&after.states).map(|(before, after)| (before.next, after.next));
        for (before_node, after_node) in watched.chain(states).chain([(before.logits, after.logits)]) {
            assert_eq!(before.nodes[before_node.0].name, after.nodes[after_node.0].name, "{context}");
        }
        for (node, found) in after.nodes.iter().zip(&found) {
            let Some(place) = before.node_named(&node.name) else { continue };
            let expected = &expected[place.0];
            let magnitude = expected.values.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
            for (expected, found) in expected.values.iter().zip(&found.values) {
                assert!((expected - found).abs() < TOLERANCE * magnitude, "{context}, {}", node.name);
            }
        }
    }
    after.nodes.iter().filter(|node| before.node_named(&node.name).is_none()).count()
}

#[test]
fn values_of_a_name_stay_the_same_and_operations_go() {
    let (mut affine, mut left, mut removed, mut renamed, mut unchanged) = (0, 0, 0, 0, 0);
    for seed in 0..200 {
        let network = random_trained_network(seed);
        let (before, parameters) = fold(&network.graph, &network.parameters).expect("finite");
        let (after, folded) = fold_constants(&before, &parameters).expect("finite");
        renamed += assert_same_values((&before, &parameters), (&after, &folded), &format!("seed {seed}"));
        affine += affine_count(&before);
        left += affine_count(&after);
        removed += before.nodes.len() - after.nodes.len();
        unchanged += usize::from(before == after && parameters == folded);
        assert_eq!(
            fold_constants(&after, &folded).expect("finite"),
            (after, folded),
            "seed {seed}: nothing is left to do"
        );
    }
    println!(
        "{affine} affine functions, {left} left, {removed} operations less, {renamed} renamed, {unchanged} unchanged"
    );
    assert!(affine > 300 && removed > 200 && left < affine - 200 && renamed > 100 && unchanged > 10);
}

/// What stands between a convolution and the logits of a small graph.
struct Parts {
    builder: GraphBuilder,
    first: Read,
}

impl Parts {
    fn new() -> Self {
        let mut builder = GraphBuilder::new("parts", Shape::new(2, 4, 3));
        builder.enter_layer("layer1");
        let first = builder.convolution("conv", &[Read::Frame], ConvolutionSpec::new(3, 3)).expect("fits");
        Self { builder, first: Read::Node(first) }
    }

    fn affine(&mut self, name: &str, scale: f64, offset: f64, read: Read) -> Read {
        Read::Node(self.builder.affine(name, scale, offset, read).expect("fits"))
    }

    fn activation(&mut self, name: &str, activation: Activation, read: Read) -> Read {
        Read::Node(self.builder.activation(name, activation, read).expect("fits"))
    }

    /// Folds `mean(last)`, checks the values and gives the names of the operations that are left.
    fn folded(mut self, last: Read) -> Vec<String> {
        let logits = self.builder.node("logits", Operation::GlobalAverage, &[last]).expect("fits");
        let before = self.builder.finish(logits).expect("valid");
        let parameters = random_parameters(&before, &mut ChaCha8Rng::seed_from_u64(4));
        let (after, folded) = fold_constants(&before, &parameters).expect("finite");
        assert_same_values((&before, &parameters), (&after, &folded), "parts");
        after.nodes.iter().map(|node| node.name.trim_start_matches("layer1.").to_owned()).collect()
    }
}

#[test]
fn chains_of_constants_end_in_the_convolution() {
    let mut parts = Parts::new();
    let first = parts.affine("first", 0.5, -0.25, parts.first);
    let second = parts.affine("second", -3.0, 1.0, first);
    assert_eq!(parts.folded(second), ["second", "logits"]);
    // Before an activation a chain becomes one affine function, and one without effect goes.
    let mut parts = Parts::new();
    let relu = parts.activation("relu", Activation::Relu, parts.first);
    let first = parts.affine("first", 0.5, -0.25, relu);
    let second = parts.affine("second", 2.0, 0.5, first);
    assert_eq!(parts.folded(second), ["conv", "relu", "logits"]);
}

#[test]
fn gates_change_the_sign_of_their_convolution() {
    let mut parts = Parts::new();
    let sigmoid = parts.activation("sigmoid", Activation::Sigmoid, parts.first);
    let gate = parts.affine("gate", -1.0, 1.0, sigmoid);
    assert_eq!(parts.folded(gate), ["conv.scaled", "gate", "logits"]);
    // Another factor would stay, so that nothing were saved; so would another offset.
    for (scale, offset) in [(-0.7, 0.7), (-1.0, 0.5), (1.0, 1.0)] {
        let mut parts = Parts::new();
        let sigmoid = parts.activation("sigmoid", Activation::Sigmoid, parts.first);
        let gate = parts.affine("gate", scale, offset, sigmoid);
        assert_eq!(parts.folded(gate), ["conv", "sigmoid", "gate", "logits"]);
    }
    // Unless it can go into what the gate is multiplied with.
    for squash in [Activation::Sigmoid, Activation::Tanh] {
        let mut parts = Parts::new();
        let squashed = parts.activation("squash", squash, parts.first);
        let gate = parts.affine("gate", -0.7, 0.7, squashed);
        let spec = ConvolutionSpec { bias: Some(Initializer::Zeros), ..ConvolutionSpec::new(3, 1) };
        let other = Read::Node(parts.builder.convolution("other", &[Read::Frame], spec).expect("fits"));
        let product = Read::Node(parts.builder.multiply("product", gate, other).expect("fits"));
        assert_eq!(parts.folded(product), ["conv.scaled", "squash.scaled", "other.scaled", "product", "logits"]);
    }
}

#[test]
fn what_others_see_stays() {
    let spec = ConvolutionSpec::new(3, 3);
    // A convolution that is tapped, one that is a state, and one with a second reader.
    let mut parts = Parts::new();
    parts.builder.tap("seen", NodeId(0));
    let gate = parts.affine("gate", 2.0, 1.0, parts.first);
    assert_eq!(parts.folded(gate), ["conv", "gate", "logits"]);
    let mut parts = Parts::new();
    let state = parts.builder.state("hidden", StateKind::Cell, Shape::new(3, 4, 3));
    parts.builder.write_state(state, NodeId(0));
    let gate = parts.affine("gate", 2.0, 1.0, parts.first);
    assert_eq!(parts.folded(gate), ["conv", "gate", "logits"]);
    let mut parts = Parts::new();
    let gate = parts.affine("gate", 2.0, 1.0, parts.first);
    let sum = Read::Node(parts.builder.add("sum", parts.first, gate).expect("fits"));
    assert_eq!(parts.folded(sum), ["conv", "gate", "sum", "logits"]);
    // A name that is tapped, though it changes nothing.
    let mut parts = Parts::new();
    let relu = parts.activation("relu", Activation::Relu, parts.first);
    let same = parts.affine("same", 1.0, 0.0, relu);
    parts.builder.tap("seen", NodeId(2));
    assert_eq!(parts.folded(same), ["conv", "relu", "same", "logits"]);
    // Weights that another convolution reads.
    let mut parts = Parts::new();
    let second = Read::Node(parts.builder.convolution("second", &[Read::Frame], spec).expect("fits"));
    let gate = parts.affine("gate", 2.0, 1.0, parts.first);
    let sum = parts.builder.add("sum", gate, second).expect("fits");
    let logits = parts.builder.node("logits", Operation::GlobalAverage, &[Read::Node(sum)]).expect("fits");
    let mut graph = parts.builder.finish(logits).expect("valid");
    let shared = graph.nodes[0].operation.clone();
    graph.nodes[1].operation = shared;
    let parameters = random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(4));
    assert_eq!(fold_constants(&graph, &parameters).expect("finite"), (graph, parameters));
}

/// Weights that would not be finite in f32 stay, and the constant with them.
#[test]
fn what_would_overflow_stays() {
    let mut parts = Parts::new();
    let gate = parts.affine("gate", 1e200, 0.0, parts.first);
    let logits = parts.builder.node("logits", Operation::GlobalAverage, &[gate]).expect("fits");
    let graph = parts.builder.finish(logits).expect("valid");
    let parameters = random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(4));
    assert_eq!(fold_constants(&graph, &parameters).expect("finite"), (graph, parameters));
}
