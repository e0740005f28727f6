//! Steps by the analysis against finite changes of the frame.

use super::*;
use crate::builder::{ConvolutionSpec, GraphBuilder};
use crate::graph::StateKind;
use crate::operation::Activation;
use crate::parameters::Initializer;
use crate::quantize::IntegerInterpreter;
use crate::reference::Interpreter;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::testing::{RandomNetwork, quantized_network, random_frames, random_trained_network};
use rand::{RngExt, SeedableRng};

const STEPS: usize = 14;

/// A network of whose tensors some are zero: biases mostly, weights now and then.
fn network(seed: u64) -> RandomNetwork {
    let mut network = random_trained_network(seed);
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed ^ 0x2e20);
    for (parameter, values) in network.graph.parameters.iter().zip(&mut network.parameters.values) {
        let share = if parameter.shape.len() == 1 { 0.6 } else { 0.1 };
        if random.random_bool(share) && !parameter.name.ends_with(".variance") {
            values.fill(0.0);
        }
    }
    network
}

/// By node: the first step at which the runs of two frames, each held, differ.
fn first_differences<T: PartialEq>(runs: [Vec<Vec<T>>; 2]) -> Vec<Option<usize>> {
    let [left, right] = &runs;
    let differs = |node: usize| move |step: &usize| left[step - 1][node] != right[step - 1][node];
    (0..left[0].len()).map(|node| (1..=STEPS).find(differs(node))).collect()
}

/// What the networks held.
#[derive(Debug, Default)]
struct Found {
    exact: usize,
    early: usize,
    never: usize,
    later_than_by_reads: usize,
}

impl Found {
    /// Fails if a difference comes before its step.
    fn add(&mut self, place: &str, steps: &[Option<usize>], by_reads: &[Option<usize>], differences: &[Option<usize>]) {
        for (node, (&step, &difference)) in steps.iter().zip(differences).enumerate() {
            let step = step.filter(|&step| step <= STEPS);
            assert!(
                difference.is_none_or(|found| step.is_some_and(|step| step <= found)),
                "{place}, node {node}: differs at {difference:?}, step {step:?}"
            );
            self.exact += usize::from(step == difference);
            self.early += usize::from(step != difference);
            self.never += usize::from(step.is_none());
            self.later_than_by_reads += usize::from(step != by_reads[node].filter(|&step| step <= STEPS));
        }
    }
}

/// Steps by the reads alone: all weights count.
fn by_reads(graph: &StepGraph) -> Vec<Option<usize>> {
    let reads = graph.nodes.iter().map(|node| node.inputs.as_slice()).collect();
    first_steps(reads, graph.states.iter().map(|state| state.next).collect(), |_, inputs| Fact {
        zero: false,
        ..union(inputs, false)
    })
}

#[test]
fn no_change_of_the_frame_comes_before_its_step() {
    let mut found = Found::default();
    for seed in 0..300 {
        let RandomNetwork { graph, parameters } = network(seed);
        let parameters = parameters.to_f64();
        let runs = [0, 1].map(|number| {
            let frame = random_frames(graph.frame, 1, 2 * seed + number).remove(0);
            let mut interpreter = Interpreter::new(&graph, &parameters);
            (0..STEPS).map(|_| interpreter.step(&frame)).collect()
        });
        let steps = first_image_steps(&graph, &parameters);
        found.add(&format!("seed {seed}"), &steps, &by_reads(&graph), &first_differences::<Tensor>(runs));
    }
    println!("{found:?}");
    // Where the analysis is early, a relu is shut or values are equal by chance.
    assert!(found.early * 50 < found.exact, "{found:?}");
    assert!(found.never > 500 && found.later_than_by_reads > 500, "{found:?}");
}

#[test]
fn the_same_in_integers() {
    let mut found = Found::default();
    for seed in 0..200 {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut graph = quantized_network(seed, random.random_bool(0.5));
        for node in &mut graph.nodes {
            if let QuantizedOperation::Convolution(convolution) = &mut node.operation {
                if random.random_bool(0.5) {
                    convolution.bias.fill(0);
                }
                if random.random_bool(0.1) {
                    convolution.weight.fill(0);
                }
            }
        }
        let runs = [0, 1].map(|number| {
            let frame = random_frames(graph.frame.shape, 1, 2 * seed + number).remove(0);
            let frame: Vec<i8> = frame.values.iter().map(|&x| graph.frame.quantize(x) as i8).collect();
            let mut interpreter = IntegerInterpreter::new(&graph);
            (0..STEPS).map(|_| interpreter.step(&frame)).collect()
        });
        let steps = first_image_steps_of_integers(&graph);
        let reads = graph.nodes.iter().map(|node| node.inputs.as_slice()).collect();
        let next = graph.states.iter().map(|state| state.next).collect();
        let by_reads = first_steps(reads, next, |_, inputs| union(inputs, false));
        found.add(&format!("seed {seed}"), &steps, &by_reads, &first_differences(runs));
    }
    println!("{found:?}");
    // Rounding hides small changes, so more is equal here.
    assert!(found.early * 5 < found.exact, "{found:?}");
    assert!(found.never > 100 && found.later_than_by_reads > 100, "{found:?}");
}

/// `h = x . tanh(W * c + b)` and `c = c' . h`: without a bias the gate is zero for ever, with one it is open at once.
fn gated_by_nothing(bias: f32) -> (StepGraph, Parameters<f32>) {
    let shape = Shape::new(1, 2, 2);
    let mut builder = GraphBuilder::new("gated", shape);
    builder.enter_layer("layer1");
    let memory = builder.state("memory", StateKind::Cell, shape);
    let spec = ConvolutionSpec { bias: Some(Initializer::Zeros), ..ConvolutionSpec::new(1, 1) };
    let affine = builder.convolution("w", &[Read::State(memory)], spec).expect("fits");
    let gate = builder.activation("gate", Activation::Tanh, Read::Node(affine)).expect("fits");
    let hidden = builder.multiply("hidden", Read::Frame, Read::Node(gate)).expect("fits");
    builder.write_state(memory, hidden);
    let logits = builder.node("logits", Operation::GlobalAverage, &[Read::Node(hidden)]).expect("fits");
    let graph = builder.finish(logits).expect("valid");
    (graph, Parameters { values: vec![vec![0.7], vec![bias]] })
}

#[test]
fn a_gate_that_stays_shut_lets_nothing_through_and_a_bias_opens_it() {
    for (bias, expected) in [(0.0, None), (1e-30, Some(1))] {
        let (graph, parameters) = gated_by_nothing(bias);
        assert_eq!(first_image_steps(&graph, &parameters)[graph.logits.0], expected, "bias {bias}");
    }
}
