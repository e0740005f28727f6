//! What must hold of every architecture, on random ones.

use super::random_architecture;
use crate::{Architecture, Report};
use convrnn_graph::testing::{random_frames, random_parameters};
use convrnn_graph::{
    Interpreter, NodeId, Operation, Parameters, Read, StepGraph, Tensor, UnrollPlan, Wanted, first_image_steps, passes,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NETS: u64 = 100;

/// A net with values; biases are zero in half of the nets.
fn net(seed: u64) -> (Architecture, StepGraph, Parameters<f32>) {
    let architecture = random_architecture(seed);
    let graph = architecture.lower().unwrap();
    let mut parameters = random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(seed));
    if seed.is_multiple_of(2) {
        for (parameter, values) in graph.parameters.iter().zip(&mut parameters.values) {
            if parameter.shape.len() == 1 && !parameter.name.ends_with("variance") {
                values.fill(if parameter.name.ends_with("scale") { 1.0 } else { 0.0 });
            }
        }
    }
    (architecture, graph, parameters)
}

#[test]
fn they_hold_every_key_and_say_the_same_when_written_again() {
    let (mut skips, mut twice, mut resized_below, mut pooled) = (0, 0, 0, 0);
    for seed in 0..NETS {
        let (architecture, graph, _) = net(seed);
        let again = Architecture::parse(&architecture.to_toml(), "again").unwrap();
        assert_eq!(again, architecture);
        assert_eq!(again.lower().unwrap(), graph);
        skips += architecture.skip.len();
        let pairs: Vec<_> = architecture.edges().map(|(_, edge)| (edge.from, edge.to)).collect();
        let distinct: std::collections::HashSet<_> = pairs.iter().collect();
        twice += pairs.len() - distinct.len();
        for node in &graph.nodes {
            resized_below += usize::from(node.name.contains(".cell.below") || node.name.contains("residual_"));
            pooled += usize::from(node.name.contains("skip.") && matches!(node.operation, Operation::MaxPool(_)));
        }
        assert!(Report::new(&architecture).is_ok());
    }
    println!("{skips} skips, {twice} second edges, {resized_below} in cells, {pooled} pooled");
    assert!(skips > 60 && twice > 20 && resized_below > 30 && pooled > 10);
}

/// A run of one frame held: by step, the values of every node.
fn held(graph: &StepGraph, parameters: &Parameters<f64>, frame: &Tensor, steps: usize) -> Vec<Vec<Tensor>> {
    let mut interpreter = Interpreter::new(graph, parameters);
    (0..steps).map(|_| interpreter.step(frame)).collect()
}

#[test]
fn no_finite_change_of_the_image_reaches_a_value_before_its_step() {
    const STEPS: usize = 16;
    let (mut exact, mut early, mut later_than_by_reads, mut never) = (0, 0, 0, 0);
    for seed in 0..NETS {
        let (_, graph, parameters) = net(seed);
        let steps = first_image_steps(&graph, &parameters);
        let by_reads = convrnn_graph::timing::Timing::new(&graph).first_image_step.unwrap();
        let parameters = parameters.to_f64();
        let [left, right] = [0, 1].map(|number| {
            let frame = random_frames(graph.frame, 1, 2 * seed + number).remove(0);
            held(&graph, &parameters, &frame, STEPS)
        });
        for (node, step) in steps.iter().enumerate() {
            let found = (1..=STEPS).find(|step| left[step - 1][node] != right[step - 1][node]);
            let name = &graph.nodes[node].name;
            let is_not_late = found.is_none_or(|found| step.is_some_and(|step| step <= found));
            assert!(is_not_late, "seed {seed}, {name}: differs at {found:?}, step {step:?}");
            if NodeId(node) == graph.logits {
                exact += usize::from(*step == found);
                early += usize::from(*step != found);
                later_than_by_reads += usize::from(step.is_some_and(|step| step > by_reads));
                never += usize::from(step.is_none());
                assert!(step.is_none_or(|step| step >= by_reads), "seed {seed}: {step:?} before {by_reads}");
            }
        }
    }
    println!("{exact} exact, {early} early, {later_than_by_reads} later than by reads, {never} never");
    assert!(early * 20 <= exact, "{early} of {exact} are earlier than the truth");
    assert!(later_than_by_reads + never >= 3, "{later_than_by_reads} {never}");
}

#[test]
fn a_run_from_precomputed_states_is_a_whole_run() {
    let mut late = 0;
    for seed in 0..NETS {
        let (_, graph, parameters) = net(seed);
        let start = passes::precompute(&graph, &parameters);
        late += start.first_step.iter().filter(|&&step| step > 1).count();
        let parameters = parameters.to_f64();
        let mut whole = Interpreter::new(&graph, &parameters);
        let mut from_states = Interpreter::new(&graph, &parameters);
        from_states.restore(start.states);
        for (index, frame) in random_frames(graph.frame, 10, seed).iter().enumerate() {
            let runs = |node: NodeId| start.first_step[graph.nodes[node.0].layer] <= index + 1;
            let (expected, found) = (whole.step(frame), from_states.step_where(frame, runs));
            for (node, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let name = &graph.nodes[node].name;
                assert!(!runs(NodeId(node)) || found == expected, "seed {seed}, step {}, {name}", index + 1);
            }
        }
    }
    assert!(late as u64 > NETS, "{late} layers that begin late");
}

#[test]
fn what_an_unrolled_run_leaves_out_changes_no_bit_of_the_last_logits() {
    let mut left_out = 0;
    for seed in 0..NETS {
        let (architecture, graph, parameters) = net(seed);
        let (presentation, parameters) = (architecture.presentation, parameters.to_f64());
        let plan = UnrollPlan::new(&graph, &presentation, Wanted::LastLogits);
        let blank = Tensor::full(graph.frame, presentation.blank);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let runs: Vec<Vec<Vec<Tensor>>> = (0..2)
            .map(|_| {
                let image = random_frames(graph.frame, 1, random.random()).remove(0);
                let mut whole = Interpreter::new(&graph, &parameters);
                let mut trimmed = Interpreter::new(&graph, &parameters);
                let mut values = Vec::new();
                for step in 1..=presentation.steps {
                    let frame = if presentation.shows_image(step) { &image } else { &blank };
                    values.push(whole.step(frame));
                    let needed = trimmed.step_where(frame, |node| plan.is_needed(step, node));
                    if step == presentation.steps {
                        let logits = graph.logits.0;
                        assert_eq!(needed[logits], values[step - 1][logits], "seed {seed}");
                    }
                }
                values
            })
            .collect();
        for step in 1..=presentation.steps {
            for node in (0..graph.nodes.len()).map(NodeId) {
                left_out += usize::from(!plan.is_needed(step, node));
                let are_equal = runs[0][step - 1][node.0] == runs[1][step - 1][node.0];
                assert!(plan.is_image_driven(step, node) || are_equal, "seed {seed}: one value for all images");
            }
        }
    }
    assert!(left_out > 1000, "{left_out}");
}

#[test]
fn a_skip_is_one_step_from_its_source() {
    for seed in 0..NETS {
        let (architecture, graph, _) = net(seed);
        for edge in &architecture.skip {
            let reads = |node: &&convrnn_graph::Node| {
                let source = format!("layer{}.output", edge.from);
                let is_source = |read: &Read| matches!(read, Read::State(_)) && graph.read_name(*read) == source;
                node.layer + 1 == edge.to && node.inputs.iter().any(is_source)
            };
            assert!(graph.nodes.iter().any(|node| reads(&node)), "seed {seed}: {edge:?}");
        }
    }
}
