//! Runs that start from precomputed states against whole ones.

use super::*;
use crate::builder::{ConvolutionSpec, GraphBuilder};
use crate::graph::StateKind;
use crate::operation::{Activation, Operation};
use crate::parameters::Initializer;
use crate::passes::testing::quantized_parts;
use crate::shape::Shape;
use crate::testing::{random_frames, random_network, random_parameters};
use crate::unroll::{StepInput, UnrollPlan, Wanted};
use rand::SeedableRng;

const STEPS: usize = 12;

/// A new frame in every step.
fn changing_frames(shape: Shape, seed: u64) -> Vec<Tensor> {
    (0..STEPS as u64).flat_map(|step| random_frames(shape, 1, 1000 * seed + step)).collect()
}

/// What the random networks held.
#[derive(Debug, Default)]
struct Found {
    saved: usize,
    with_saving: usize,
    states_that_are_not_zero: usize,
    lowered: usize,
}

impl Found {
    fn add(&mut self, reads: &Reads<'_>, first_step: &[usize], not_zero: usize) {
        let saved: usize = first_step.iter().map(|step| step - 1).sum();
        self.saved += saved;
        self.with_saving += usize::from(saved > 0);
        self.states_that_are_not_zero += not_zero;
        self.lowered += usize::from(reads.first_driven() != first_step);
    }

    /// Fails unless there was enough of everything.
    fn assert_many(&self, networks: usize) {
        println!("{networks} networks: {self:?}");
        assert!(self.with_saving > networks / 2 && self.saved > networks, "{self:?}");
        assert!(self.lowered > networks / 10 && self.states_that_are_not_zero > networks / 2, "{self:?}");
    }
}

fn reads_of(graph: &StepGraph) -> Reads<'_> {
    let nodes = graph.nodes.iter().map(|node| (node.layer, node.inputs.as_slice()));
    Reads::new(graph.layers.len(), nodes, graph.states.iter().map(|state| state.next))
}

/// Values of those that have begun, by name.
fn assert_same<'a, T: PartialEq + std::fmt::Debug>(
    place: &str,
    named: impl Iterator<Item = (&'a str, bool)>,
    found: &[T],
    expected: &[T],
) {
    for ((name, runs), (found, expected)) in named.zip(found.iter().zip(expected)) {
        assert!(!runs || found == expected, "{place}, {name}: {found:?}, expected {expected:?}");
    }
}

#[test]
fn a_run_from_precomputed_states_gives_every_value_of_a_whole_run() {
    let (networks, mut found) = (160, Found::default());
    for seed in 0..networks {
        let network = random_network(seed);
        let graph = &network.graph;
        let start = precompute(graph, &network.parameters);
        let not_zero = start.states.iter().filter(|state| state.values.iter().any(|&x| x != 0.0)).count();
        found.add(&reads_of(graph), &start.first_step, not_zero);
        let parameters = network.parameters.to_f64();
        let mut whole = Interpreter::new(graph, &parameters);
        let mut late = Interpreter::new(graph, &parameters);
        late.restore(start.states);
        for (index, frame) in changing_frames(graph.frame, seed).iter().enumerate() {
            let runs = |node: NodeId| start.first_step[graph.nodes[node.0].layer] <= index + 1;
            let (expected, values) = (whole.step(frame), late.step_where(frame, runs));
            let place = format!("seed {seed}, step {}", index + 1);
            let nodes = graph.nodes.iter().enumerate().map(|(node, declared)| (&*declared.name, runs(NodeId(node))));
            assert_same(&place, nodes, &values, &expected);
            let states = graph.states.iter().map(|state| (&*state.name, runs(state.next)));
            assert_same(&place, states, late.states(), whole.states());
        }
    }
    found.assert_many(networks as usize);
}

#[test]
fn the_same_in_integers() {
    let (networks, mut found) = (160, Found::default());
    for seed in 0..networks {
        let graph = quantized_parts(seed);
        let start = precompute_integers(&graph);
        let nodes = graph.nodes.iter().map(|node| (node.layer, node.inputs.as_slice()));
        let reads = Reads::new(graph.layers.len(), nodes, graph.states.iter().map(|state| state.next));
        let is_zero = |(value, declared): (&IntegerTensor, &crate::quantize::QuantizedState)| {
            value.values.iter().all(|&x| x == declared.value.zero_point)
        };
        let zeros = start.states.iter().zip(&graph.states).filter(|&pair| is_zero(pair)).count();
        found.add(&reads, &start.first_step, graph.states.len() - zeros);
        let mut whole = IntegerInterpreter::new(&graph);
        let mut late = IntegerInterpreter::new(&graph);
        late.restore(start.states);
        for (index, frame) in changing_frames(graph.frame.shape, seed).iter().enumerate() {
            let frame: Vec<i8> = frame.values.iter().map(|&x| graph.frame.quantize(x) as i8).collect();
            let runs = |node: NodeId| start.first_step[graph.nodes[node.0].layer] <= index + 1;
            let (expected, values) = (whole.step(&frame), late.step_where(&frame, runs));
            let place = format!("seed {seed}, step {}", index + 1);
            let nodes = graph.nodes.iter().enumerate().map(|(node, declared)| (&*declared.name, runs(NodeId(node))));
            assert_same(&place, nodes, &values, &expected);
            let states = graph.states.iter().map(|state| (&*state.name, runs(state.next)));
            assert_same(&place, states, late.states(), whole.states());
        }
    }
    found.assert_many(networks as usize);
}

#[test]
fn first_image_driven_steps_are_those_of_the_unroll_plan() {
    for seed in 0..60 {
        let graph = random_network(seed).graph;
        let inputs = [StepInput { shows_image: true, resets: false }; 2 * STEPS];
        let plan = UnrollPlan::over(&graph, &inputs, Wanted::Everything);
        let reads = reads_of(&graph);
        for node in (0..graph.nodes.len()).map(NodeId) {
            assert_eq!(
                reads.driven[node.0],
                plan.first_image_driven(node),
                "seed {seed}, {}",
                graph.nodes[node.0].name
            );
        }
    }
}

/// Four layers of one convolution each, with a bias or without; the third one feeds back to the first, through an elu.
fn chain(with_bias: bool, with_feedback: bool) -> (StepGraph, Parameters<f32>) {
    let shape = Shape::new(1, 2, 2);
    let mut builder = GraphBuilder::new("chain", shape);
    let outputs: Vec<_> = (0..3)
        .map(|layer| builder.declare_state(format!("layer{}.output", layer + 1), layer, StateKind::Output, shape))
        .collect();
    let mut last = NodeId(0);
    for layer in 0..4_usize {
        builder.enter_layer(&format!("layer{}", layer + 1));
        let mut inputs = vec![layer.checked_sub(1).map_or(Read::Frame, |below| Read::State(outputs[below]))];
        if layer == 0 && with_feedback {
            inputs.push(Read::State(outputs[2]));
        }
        let bias = with_bias.then_some(Initializer::Zeros);
        let conv = builder.convolution("conv", &inputs, ConvolutionSpec { bias, ..ConvolutionSpec::new(1, 1) });
        last = builder.activation("elu", Activation::Elu, Read::Node(conv.expect("fits"))).expect("fits");
        if let Some(&output) = outputs.get(layer) {
            builder.write_state(output, last);
        }
    }
    let logits = builder.node("logits", Operation::GlobalAverage, &[Read::Node(last)]).expect("fits");
    let graph = builder.finish(logits).expect("valid");
    let parameters = random_parameters(&graph, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
    (graph, parameters)
}

#[test]
fn feedback_that_biases_have_reached_brings_its_source_forward() {
    let first_steps = |with_bias, with_feedback| {
        let (graph, parameters) = chain(with_bias, with_feedback);
        precompute(&graph, &parameters).first_step
    };
    for with_bias in [false, true] {
        assert_eq!(first_steps(with_bias, false), [1, 2, 3, 4]);
    }
    // Without biases what layer 3 gives stays zero until the image reaches it.
    assert_eq!(first_steps(false, true), [1, 2, 3, 4]);
    // With them it is zero before the first step only.
    assert_eq!(first_steps(true, true), [1, 1, 1, 4]);
}
