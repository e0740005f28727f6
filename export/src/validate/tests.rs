//! Wrong implementations, one mistake each: all are caught, and at the place of the mistake.

use super::Agreement;
use super::limits::Limits;
use super::operations::{Judgement, Recording, ingredients, judge};
use convrnn_graph::testing::{random_parameters, random_trained_network};
use convrnn_graph::{Convolution, Interpreter, NodeId, Operation, Parameters, Read, StepGraph, Tensor, passes};
use convrnn_models::Architecture;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STEPS: usize = 12;

/// A gated cell between two convolutions, one of them with a normalisation.
const NET: &str = r#"
name = "mutated"
input = { channels = 2, height = 9, width = 9 }
presentation = { steps = 12, image_steps = 12 }
[[layer]]
convolution = { kernel = 3, channels = 6, bias = true }
activation = "relu"
[[layer]]
convolution = { kernel = 3, channels = 6, bias = true }
cell = { kind = "gru", kernel = 3 }
activation = "elu"
[[layer]]
convolution = { kernel = 3, channels = 4, bias = true }
activation = "none"
average = "after"
"#;

fn network() -> (StepGraph, Parameters<f32>) {
    let graph = Architecture::parse(NET, "mutated").unwrap().lower().unwrap();
    let parameters = random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(5));
    (graph, parameters)
}

fn frame(graph: &StepGraph) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    (0..graph.frame.elements()).map(|_| random.random_range(-1.5..1.5)).collect()
}

/// Values by step and node, of an engine that computes each operation exactly and rounds it as `round` does.
fn run(graph: &StepGraph, parameters: &Parameters<f32>, round: impl Fn(f64) -> f32) -> Vec<Vec<Vec<f32>>> {
    let weights = parameters.to_f64();
    let frame = Tensor::new(graph.frame, frame(graph).into_iter().map(f64::from).collect());
    let mut states: Vec<Tensor> = graph.states.iter().map(|state| Tensor::zeros(state.shape)).collect();
    let mut record = Vec::new();
    for _ in 0..STEPS {
        let mut values: Vec<Tensor> = Vec::new();
        for node in &graph.nodes {
            let operand = |read: &Read| match *read {
                Read::Frame => &frame,
                Read::Node(NodeId(node)) => &values[node],
                Read::State(state) => &states[state.0],
            };
            let operands: Vec<&Tensor> = node.inputs.iter().map(operand).collect();
            let exact = convrnn_graph::reference::evaluate(&node.operation, &operands, node.shape, &weights);
            values.push(exact.map(|x| f64::from(round(x))));
        }
        for (state, declared) in states.iter_mut().zip(&graph.states) {
            *state = values[declared.next.0].clone();
        }
        record.push(values.iter().map(|value| value.values.iter().map(|&x| x as f32).collect()).collect());
    }
    record
}

/// What a checker with the right graph and weights says of a record.
fn verdict(record: &[Vec<Vec<f32>>]) -> (StepGraph, Judgement) {
    let (graph, parameters) = network();
    let frame = frame(&graph);
    let shown = |_: usize| frame.clone();
    let value = |step: usize, node: usize| record.get(step - 1)?.get(node).map(Vec::as_slice);
    let recording = Recording { frame: &shown, value: &value, steps: record.len() };
    let judgement = judge(&graph, &Limits::new(&graph, &parameters), &recording);
    (graph, judgement)
}

/// The step and path of the first fault.
fn place(record: &[Vec<Vec<f32>>]) -> Option<(usize, String)> {
    let (graph, judgement) = verdict(record);
    judgement.fault.map(|fault| (fault.step, graph.nodes[fault.node].name.clone()))
}

fn nearest(x: f64) -> f32 {
    x as f32
}

/// To so many bits of the significand, towards zero.
fn cut(x: f64, bits: u32) -> f32 {
    f32::from_bits((x as f32).to_bits() & (u32::MAX << (24 - bits)))
}

fn convolution<'a>(graph: &'a mut StepGraph, node: &str) -> &'a mut Convolution {
    let node = graph.node_named(node).unwrap();
    match &mut graph.nodes[node.0].operation {
        Operation::Convolution(convolution) => convolution,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_right_passes_with_room() {
    let (graph, parameters) = network();
    let (_, judgement) = verdict(&run(&graph, &parameters, nearest));
    assert_eq!((judgement.fault, judgement.judged), (None, STEPS * graph.nodes.len()));
    assert!(judgement.largest_part < 0.9, "{judgement:?}");
}

#[test]
fn one_weight_off_by_a_thousandth_is_caught_in_every_convolution() {
    let (graph, parameters) = network();
    let mut caught = 0;
    for node in &graph.nodes {
        let Operation::Convolution(convolution) = &node.operation else { continue };
        let mut wrong = parameters.clone();
        let weight = &mut wrong.values[convolution.weight.0];
        let middle = weight.len() / 2;
        weight[middle] += 1e-3;
        let found = place(&run(&graph, &wrong, nearest)).unwrap_or_else(|| panic!("{}", node.name));
        assert_eq!(found.1, node.name);
        caught += 1;
    }
    assert!(caught >= 5, "{caught}");
}

#[test]
fn taps_channels_padding_states_and_roundings_are_caught() {
    let (graph, parameters) = network();
    let caught_at = |graph: &StepGraph, parameters: &Parameters<f32>| place(&run(graph, parameters, nearest)).unwrap();
    let weight_of = |node: &str| {
        let node = graph.node_named(node).unwrap();
        graph.nodes[node.0].operation.parameters()[0].0
    };

    // Two taps of one kernel exchanged.
    let mut wrong = parameters.clone();
    wrong.values[weight_of("layer2.conv")].swap(0, 1);
    assert_eq!(caught_at(&graph, &wrong).1, "layer2.conv");

    // Two input channels exchanged, of all outputs.
    let mut wrong = parameters.clone();
    wrong.values[weight_of("layer3.conv")].chunks_mut(6 * 9).for_each(|kernel| {
        let (first, second) = kernel.split_at_mut(9);
        first.swap_with_slice(&mut second[..9]);
    });
    assert_eq!(caught_at(&graph, &wrong).1, "layer3.conv");

    // Padding on the other side.
    let mut wrong = graph.clone();
    let padding = &mut convolution(&mut wrong, "layer2.conv").padding;
    (padding.top, padding.bottom) = (padding.top + 1, padding.bottom - 1);
    assert_eq!(caught_at(&wrong, &parameters).1, "layer2.conv");

    // A state that is read one step late: from the third step on it is another.
    let record = run(&graph, &parameters, nearest);
    let hidden = graph.states.iter().find(|state| state.name == "layer2.hidden").unwrap().next;
    let mut stale = record.clone();
    for step in (1..STEPS).rev() {
        stale[step][hidden.0] = record[step - 1][hidden.0].clone();
    }
    assert!(place(&stale).is_some_and(|(step, node)| step == 2 && node.starts_with("layer2")));

    // Values cut to the bits of bfloat16 and of TF32, and to f32's own but four.
    for bits in [8, 11, 20] {
        assert!(place(&run(&graph, &parameters, |x| cut(x, bits))).is_some(), "{bits} bits");
    }

    // Something that is no number.
    let mut broken = record.clone();
    broken[4][hidden.0][3] = f32::NAN;
    assert_eq!(place(&broken).map(|(step, _)| step), Some(5));
}

/// Sums in f32 in the order of the definition, instead of exact ones rounded at the end: right, and so they pass, with small
/// values, large ones, and a net that is nearly off.
#[test]
fn plain_f32_arithmetic_passes_at_any_scale() {
    for scale in [1e-6f32, 1e-3, 1.0, 1e3, 1e6] {
        for offset in [0.0, -5.0] {
            let (graph, mut parameters) = network();
            for (parameter, values) in graph.parameters.iter().zip(&mut parameters.values) {
                let bias = parameter.name.ends_with("bias");
                values.iter_mut().for_each(|value| *value = if bias { *value + offset } else { *value * scale });
            }
            let weights = parameters.to_f64();
            let frame = frame(&graph);
            let mut states: Vec<Vec<f32>> =
                graph.states.iter().map(|state| vec![0.0; state.shape.elements()]).collect();
            let mut record: Vec<Vec<Vec<f32>>> = Vec::new();
            for _ in 0..STEPS {
                let mut values: Vec<Vec<f32>> = Vec::new();
                for node in &graph.nodes {
                    let read = |read: &Read| match *read {
                        Read::Frame => (graph.frame, frame.as_slice()),
                        Read::Node(NodeId(node)) => (graph.nodes[node].shape, values[node].as_slice()),
                        Read::State(state) => (graph.states[state.0].shape, states[state.0].as_slice()),
                    };
                    let operands: Vec<_> = node.inputs.iter().map(read).collect();
                    let value = match &node.operation {
                        Operation::Convolution(convolution) => {
                            convolve(convolution, &operands, node.shape, &parameters)
                        }
                        other => {
                            let tensor = |&(shape, values): &(convrnn_graph::Shape, &[f32])| {
                                Tensor::new(shape, values.iter().map(|&x| f64::from(x)).collect())
                            };
                            let operands: Vec<Tensor> = operands.iter().map(tensor).collect();
                            let operands: Vec<&Tensor> = operands.iter().collect();
                            let exact = convrnn_graph::reference::evaluate(other, &operands, node.shape, &weights);
                            exact.values.iter().map(|&x| x as f32).collect()
                        }
                    };
                    values.push(value);
                }
                for (state, declared) in states.iter_mut().zip(&graph.states) {
                    state.clone_from(&values[declared.next.0]);
                }
                record.push(values);
            }
            let shown = |_: usize| frame.clone();
            let value = |step: usize, node: usize| Some(record[step - 1][node].as_slice());
            let recording = Recording { frame: &shown, value: &value, steps: STEPS };
            let judgement = judge(&graph, &Limits::new(&graph, &parameters), &recording);
            assert_eq!(judgement.fault, None, "weights times {scale}, biases {offset}");
            assert!(judgement.largest_part < 0.8, "{judgement:?}");
        }
    }
}

/// A convolution summed in f32, one product after the other.
fn convolve(
    spec: &Convolution,
    operands: &[(convrnn_graph::Shape, &[f32])],
    shape: convrnn_graph::Shape,
    parameters: &Parameters<f32>,
) -> Vec<f32> {
    let weight = parameters.get(spec.weight);
    let per_output = weight.len() / shape.channels;
    let mut values = Vec::new();
    for output in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                let mut sum = spec.bias.map_or(0.0f32, |bias| parameters.get(bias)[output]);
                let mut channel = 0;
                for (input, data) in operands {
                    for local in 0..input.channels {
                        for u in 0..spec.kernel[0] {
                            for v in 0..spec.kernel[1] {
                                let at = |start: usize, stride: usize, offset: usize, before: usize, size: usize| {
                                    (start * stride + offset).checked_sub(before).filter(|&place| place < size)
                                };
                                let y = at(row, spec.stride[0], u, spec.padding.top, input.height);
                                let x = at(column, spec.stride[1], v, spec.padding.left, input.width);
                                if let (Some(y), Some(x)) = (y, x) {
                                    let tap = (channel * spec.kernel[0] + u) * spec.kernel[1] + v;
                                    sum += weight[output * per_output + tap]
                                        * data[(local * input.height + y) * input.width + x];
                                }
                            }
                        }
                        channel += 1;
                    }
                }
                values.push(sum);
            }
        }
    }
    values
}

#[test]
fn a_folded_operation_names_all_tensors_that_went_into_it() {
    let mut merged = 0;
    for seed in 0..40 {
        let network = random_trained_network(seed);
        let (folded, weights) = passes::fold(&network.graph, &network.parameters).unwrap();
        let (exported, _) = passes::fold_constants(&folded, &weights).unwrap();
        for node in &exported.nodes {
            let names = ingredients(&network.graph, &exported, &node.name);
            let Some(trained) = network.graph.node_named(&node.name) else { continue };
            let trained = &network.graph.nodes[trained.0];
            for parameter in trained.operation.parameters() {
                assert!(names.contains(&network.graph.parameters[parameter.0].name), "seed {seed}, {}", node.name);
            }
            let Operation::BatchNorm(norm) = &trained.operation else { continue };
            assert!(norm.parameters().iter().all(|id| names.contains(&network.graph.parameters[id.0].name)));
            // With the convolution that it was folded into, where there is one.
            if let Read::Node(before) = trained.inputs[0]
                && exported.node_named(&network.graph.nodes[before.0].name).is_none()
                && let Operation::Convolution(convolution) = &network.graph.nodes[before.0].operation
            {
                assert!(names.contains(&network.graph.parameters[convolution.weight.0].name), "{names:?}");
                merged += 1;
            }
        }
    }
    assert!(merged > 10, "{merged}");
}

#[test]
fn the_interpreter_and_the_exact_run_agree() {
    let (graph, parameters) = network();
    let weights = parameters.to_f64();
    let mut interpreter = Interpreter::new(&graph, &weights);
    let frame = Tensor::new(graph.frame, frame(&graph).into_iter().map(f64::from).collect());
    let record = run(&graph, &parameters, nearest);
    for step in &record {
        let expected = interpreter.step(&frame);
        let (expected, found) = (&expected[graph.logits.0].values, &step[graph.logits.0]);
        assert!(expected.iter().zip(found).all(|(x, &y)| (x - f64::from(y)).abs() < 1e-5));
    }
}

#[test]
fn int8_fails_where_the_images_can_tell_that_it_loses() {
    let agreement = |images: usize, gained: usize, lost: usize| {
        let percent = |count: usize| 100.0 * count as f64 / images as f64;
        Agreement {
            images,
            absolute_difference: 0.0,
            relative_difference: 0.0,
            step: 1,
            image: 0,
            relative_by_step: Vec::new(),
            agreement_by_step: Vec::new(),
            top1: percent(images / 2 + gained - lost),
            trace_top1: percent(images / 2),
            gained,
            lost,
            interval: super::agreement::paired_interval(gained, lost, images),
        }
    };
    for (images, gained, lost, expected) in [
        (20, 1, 0, Some(false)),
        (20, 0, 1, None),
        (20, 0, 8, Some(true)),
        (1000, 10, 13, Some(false)),
        (1000, 10, 14, None),
        (10_000, 20, 60, Some(true)),
        (10_000, 60, 20, Some(false)),
    ] {
        assert_eq!(super::loses_accuracy(&agreement(images, gained, lost)), expected, "{images} {gained} {lost}");
    }
}

#[test]
fn amplified_rounding_tells_how_many_answers_differ() {
    let agreement = |last: f64| Agreement {
        images: 50,
        absolute_difference: 1.0,
        relative_difference: 0.1,
        step: 2,
        image: 0,
        relative_by_step: vec![0.0, 0.1],
        agreement_by_step: vec![100.0, last],
        top1: 50.0,
        trace_top1: 50.0,
        gained: 0,
        lost: 0,
        interval: 0.0,
    };
    assert_eq!(super::other_answers(&agreement(100.0)), "");
    let told = super::other_answers(&agreement(78.0));
    assert!(told.starts_with(", and 22.0 % of the answers at the last step are others than the trace's."), "{told}");
}
