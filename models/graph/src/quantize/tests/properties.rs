//! Properties on random networks.

use crate::graph::{NodeId, Read};
use crate::operation::{Convolution, Operation};
use crate::parameters::Parameters;
use crate::quantize::*;
use crate::reference::evaluate;
use crate::tensor::Tensor;
use crate::testing::{RandomNetwork, random_frames, random_network};
use crate::{ParameterId, StepGraph};
use proptest::prelude::*;

const STEPS: usize = 12;

fn sequences(graph: &StepGraph, count: u64, seed: u64) -> Vec<Vec<Tensor>> {
    (0..count).map(|index| random_frames(graph.frame, STEPS, seed.wrapping_mul(1000) + index)).collect()
}

fn borrowed(sequences: &[Vec<Tensor>]) -> Vec<Vec<&Tensor>> {
    sequences.iter().map(|sequence| sequence.iter().collect()).collect()
}

fn quantized(network: &RandomNetwork, frames: &[Vec<Tensor>], options: &QuantizeOptions) -> Quantized {
    let RandomNetwork { graph, parameters } = network;
    let calibration = Calibration::of_sequences(graph, parameters, &borrowed(frames)).expect("finite");
    let (mean, deviation) = (vec![0.5; graph.frame.channels], vec![0.25; graph.frame.channels]);
    let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
    quantize(graph, parameters, &calibration, pixels, options).expect("quantises")
}

/// What an integer operation computes in reals, from the real values of its integer inputs, and by
/// how much rounding may move it, in steps of the output.
fn real_value(node: &QuantizedNode, kinds: &[QuantizedType], inputs: &[&IntegerTensor]) -> (Option<Tensor>, f64) {
    let reals: Vec<Tensor> = inputs.iter().zip(kinds).map(|(tensor, kind)| tensor.dequantize(kind)).collect();
    let operands: Vec<&Tensor> = reals.iter().collect();
    let scale = node.output.scale;
    let float = |operation: &Operation, parameters: &Parameters<f64>| {
        evaluate(operation, &operands, node.output.shape, parameters)
    };
    let none = Parameters { values: Vec::new() };
    // What a factor's own rounding may add: half a step of its multiplier at the largest operand.
    let factor_error =
        |rescale: Rescale, magnitude: i64| 0.5 * 2f64.powi(i32::from(rescale.shift) - 32) * magnitude as f64 + 1e-6;
    match &node.operation {
        QuantizedOperation::Convolution(spec) => {
            // The accumulator's step by channel, from the factor; inputs of one step 1.
            let terms = spec.weight.len() / spec.bias.len();
            let area = spec.kernel[0] * spec.kernel[1];
            let scales: Vec<f64> =
                kinds.iter().flat_map(|kind| std::iter::repeat_n(kind.scale, kind.shape.channels)).collect();
            let group_outputs = spec.bias.len() / spec.groups;
            let group_inputs = terms / area;
            let weight = spec.weight.iter().enumerate().map(|(index, &w)| {
                let (channel, term) = (index / terms, index % terms);
                let input = channel / group_outputs * group_inputs + term / area;
                f64::from(w) * spec.rescale[channel].factor() * scale / scales[input]
            });
            let bias = spec.bias.iter().zip(&spec.rescale).map(|(&bias, r)| f64::from(bias) * r.factor() * scale);
            let parameters = Parameters { values: vec![weight.collect(), bias.collect()] };
            let operation = Operation::Convolution(Convolution {
                weight: ParameterId(0),
                bias: Some(ParameterId(1)),
                kernel: spec.kernel,
                stride: spec.stride,
                padding: spec.padding,
                groups: spec.groups,
            });
            (Some(float(&operation, &parameters)), 0.5 + 1e-6)
        }
        QuantizedOperation::Add { left, right } => {
            let error = factor_error(*left, kinds[0].magnitude()) + factor_error(*right, kinds[1].magnitude());
            (Some(float(&Operation::Add, &none)), 1.0 + error)
        }
        QuantizedOperation::Multiply { rescale } => {
            let error = factor_error(*rescale, kinds[0].magnitude() * kinds[1].magnitude());
            (Some(float(&Operation::Multiply, &none)), 0.5 + error)
        }
        QuantizedOperation::Rescale(rescale) => {
            (Some(reals[0].clone()), 0.5 + factor_error(*rescale, kinds[0].magnitude()))
        }
        QuantizedOperation::GlobalAverage { rescale } => {
            let magnitude = kinds[0].magnitude() * kinds[0].shape.positions() as i64;
            (Some(float(&Operation::GlobalAverage, &none)), 0.5 + factor_error(*rescale, magnitude))
        }
        QuantizedOperation::MaxPool(pool) => (Some(float(&Operation::MaxPool(*pool), &none)), 1e-6),
        // Weights are rounded to 1/128 along both axes, each moving the value by at most 1/256 of
        // the inputs' range.
        QuantizedOperation::Resize(resize) => {
            let (low, high) = kinds[0].element.range();
            let error = f64::from(high - low) / 128.0;
            (Some(float(&Operation::Resize(*resize), &none)), 0.5 + error)
        }
        // Tables have tests of their own; here the function is not known.
        QuantizedOperation::Lookup(_) | QuantizedOperation::GatedSum(_) => (None, 0.0),
    }
}

/// Runs a quantised graph and compares every operation with the same operation in reals.
fn check_operations(graph: &QuantizedGraph, frames: &[Tensor]) -> Result<(), TestCaseError> {
    let mut interpreter = IntegerInterpreter::new(graph);
    for frame in frames {
        let integers: Vec<i8> = frame.values.iter().map(|&x| graph.frame.quantize(x) as i8).collect();
        let frame =
            IntegerTensor { shape: graph.frame.shape, values: integers.iter().map(|&x| i32::from(x)).collect() };
        let states = interpreter.states().to_vec();
        let values = interpreter.step(&integers);
        for (node, value) in graph.nodes.iter().zip(&values) {
            let kinds: Vec<QuantizedType> = node.inputs.iter().map(|&read| graph.read_type(read)).collect();
            let inputs: Vec<&IntegerTensor> = node
                .inputs
                .iter()
                .map(|&read| match read {
                    Read::Frame => &frame,
                    Read::Node(NodeId(index)) => &values[index],
                    Read::State(state) => &states[state.0],
                })
                .collect();
            let (low, high) = node.output.element.range();
            prop_assert!(value.values.iter().all(|x| (low..=high).contains(x)), "{} leaves its width", node.name);
            let (Some(expected), tolerance) = real_value(node, &kinds, &inputs) else { continue };
            for (&integer, &real) in value.values.iter().zip(&expected.values) {
                let steps = (real / node.output.scale + f64::from(node.output.zero_point))
                    .clamp(f64::from(low), f64::from(high));
                let difference = (f64::from(integer) - steps).abs();
                prop_assert!(difference <= tolerance, "{}: {integer} instead of {steps}", node.name);
            }
        }
        for (state, (declared, value)) in graph.states.iter().zip(interpreter.states()).enumerate() {
            prop_assert_eq!(value, &values[declared.next.0], "state {}", state);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_operation_rounds_its_real_value(seed: u64) {
        let network = random_network(seed);
        let frames = sequences(&network.graph, 2, seed);
        let quantized = quantized(&network, &frames, &QuantizeOptions::default());
        check_operations(&quantized.graph, &frames[0])?;
        // Far beyond the calibration everything saturates and nothing overflows.
        let extreme: Vec<Tensor> = frames[1].iter().map(|frame| frame.map(|x| 1e3 * x)).collect();
        check_operations(&quantized.graph, &extreme)?;
    }
}

/// How noise grows from step to step depends on the network's own gains, so this is no theorem: it is held on a fixed set
/// of networks. What holds for every network is [`every_operation_rounds_its_real_value`].
#[test]
fn the_whole_network_keeps_its_values() {
    for seed in 0..192 {
        let network = random_network(seed);
        let frames = sequences(&network.graph, 6, seed);
        for correct_bias in [false, true] {
            let options = QuantizeOptions { correct_bias, ..QuantizeOptions::default() };
            let quantized = quantized(&network, &frames, &options);
            let report =
                QuantizationReport::new(&network.graph, &network.parameters, &quantized.graph, &borrowed(&frames));
            for node in &report.nodes {
                let rms = (node.noise / report.steps as f64).sqrt();
                let kept = node.signal == 0.0 || node.signal_to_noise() > 12.0 || rms < 0.05;
                assert!(kept, "seed {seed}: {}\n{report}", node.name);
            }
        }
    }
}

/// Average quality over a fixed set of networks: a change that costs precision shows here.
#[test]
fn precision_over_many_networks() {
    let mut logits = Vec::new();
    for seed in 0..60 {
        let network = random_network(seed);
        let frames = sequences(&network.graph, 6, seed);
        let quantized = quantized(&network, &frames, &QuantizeOptions::default());
        let report = QuantizationReport::new(&network.graph, &network.parameters, &quantized.graph, &borrowed(&frames));
        let snr = report.logits(&quantized.graph).expect("the logits keep their name");
        if snr.is_finite() {
            logits.push(snr);
        }
    }
    logits.sort_by(f64::total_cmp);
    let median = logits[logits.len() / 2];
    println!("signal to noise of the logits: median {median:.1} dB, smallest {:.1} dB", logits[0]);
    assert!(median > 35.0, "median {median} dB");
}
