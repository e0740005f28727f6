//! Networks and inputs at the edge of what can be quantised.

use crate::builder::{ConvolutionSpec, GraphBuilder};
use crate::graph::{Read, StateKind, StepGraph};
use crate::operation::{Activation, Operation};
use crate::parameters::Initializer;
use crate::parameters::{Parameters, ParametersError};
use crate::presentation::Presentation;
use crate::quantize::*;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::testing::{RandomNetwork, random_frames, random_network};

const FRAME: Shape = Shape::new(1, 4, 4);

/// `logits = average(f(w * frame + v * hidden))`, the state being f's value.
fn recurrent(activation: Activation, bias: bool) -> StepGraph {
    let mut builder = GraphBuilder::new("recurrent", FRAME);
    builder.enter_layer("layer1");
    let spec = ConvolutionSpec { bias: bias.then_some(Initializer::Zeros), ..ConvolutionSpec::new(2, 3) };
    let input = builder.convolution("conv", &[Read::Frame], spec).expect("fits");
    let hidden = builder.state("hidden", StateKind::Cell, Shape::new(2, 4, 4));
    let spec = ConvolutionSpec::new(2, 1);
    let recurrent = builder.convolution("w_hh", &[Read::State(hidden)], spec).expect("fits");
    let sum = builder.add("sum", Read::Node(input), Read::Node(recurrent)).expect("fits");
    let next = builder.activation("next", activation, Read::Node(sum)).expect("fits");
    builder.write_state(hidden, next);
    let logits = builder.node("logits", Operation::GlobalAverage, &[Read::Node(next)]).expect("fits");
    builder.finish(logits).expect("valid")
}

fn filled(graph: &StepGraph, value: impl Fn(usize, usize) -> f32) -> Parameters<f32> {
    let tensor = |index: usize, elements: usize| (0..elements).map(|element| value(index, element)).collect();
    let tensors = graph.parameters.iter().enumerate();
    Parameters { values: tensors.map(|(index, parameter)| tensor(index, parameter.elements())).collect() }
}

fn pixels() -> PixelScale<'static> {
    PixelScale { mean: &[0.5], standard_deviation: &[0.25] }
}

fn try_quantize(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    frames: &[Tensor],
) -> Result<Quantized, QuantizeError> {
    let calibration = Calibration::of_sequences(graph, parameters, &[frames.iter().collect()])?;
    quantize(graph, parameters, &calibration, pixels(), &QuantizeOptions::default())
}

fn report(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    quantized: &Quantized,
    frames: &[Tensor],
) -> QuantizationReport {
    QuantizationReport::new(graph, parameters, &quantized.graph, &[frames.iter().collect()])
}

#[test]
fn what_cannot_be_quantised_is_refused_by_kind() {
    let graph = recurrent(Activation::Elu, true);
    let frames = random_frames(FRAME, 5, 0);
    let damaged = filled(&graph, |tensor, index| if (tensor, index) == (0, 3) { f32::NAN } else { 0.1 });
    let found = try_quantize(&graph, &damaged, &frames);
    assert!(matches!(found, Err(QuantizeError::Parameters(ParametersError::NotFinite { index: 3, .. }))), "{found:?}");

    let sound = filled(&graph, |_, _| 0.1);
    assert_eq!(try_quantize(&graph, &sound, &[]), Err(QuantizeError::NoCalibration));
    let presentation = Presentation::held(3);
    let none = Calibration::of_images(&graph, &sound, &presentation, &[]);
    assert_eq!(none, Err(QuantizeError::NoCalibration));
    let small = Tensor::zeros(Shape::new(1, 3, 4));
    let found = try_quantize(&graph, &sound, &[small]);
    assert!(matches!(found, Err(QuantizeError::Frame { .. })), "{found:?}");
    let bad = filled(&graph, |_, _| f32::MAX);
    let found = try_quantize(&graph, &bad, &random_frames(FRAME, 40, 0));
    assert!(matches!(&found, Err(QuantizeError::NotFinite { value, .. }) if value.starts_with("layer1")), "{found:?}");

    let calibration = Calibration::of_sequences(&graph, &sound, &[frames.iter().collect()]).expect("finite");
    let RandomNetwork { graph: other, parameters } = random_network(3);
    let found = quantize(&other, &parameters, &calibration, pixels(), &QuantizeOptions::default());
    assert!(matches!(found, Err(QuantizeError::OtherGraph { .. })), "{found:?}");
}

#[test]
fn a_sum_beyond_32_bits_is_refused() {
    let mut builder = GraphBuilder::new("wide", Shape::new(1, 300, 300));
    builder.enter_layer("layer1");
    let spec = ConvolutionSpec { padding: Some(crate::Padding::NONE), ..ConvolutionSpec::new(2, 300) };
    let logits = builder.convolution("conv", &[Read::Frame], spec).expect("fits");
    let graph = builder.finish(logits).expect("valid");
    let parameters = filled(&graph, |_, _| 0.01);
    let found = try_quantize(&graph, &parameters, &[Tensor::full(graph.frame, 1.0)]);
    assert!(matches!(found, Err(QuantizeError::Accumulator { terms: 90_000, .. })), "{found:?}");
}

#[test]
fn a_silent_network_stays_silent() {
    for activation in [Activation::Elu, Activation::Relu, Activation::Tanh] {
        let graph = recurrent(activation, true);
        let parameters = filled(&graph, |_, _| 0.0);
        let frames = random_frames(FRAME, 5, 0);
        let quantized = try_quantize(&graph, &parameters, &frames).expect("quantises");
        assert!(quantized.graph.nodes.iter().all(|node| node.output.scale > 0.0));
        let report = report(&graph, &parameters, &quantized, &frames);
        assert!(report.nodes.iter().all(|node| node.noise == 0.0), "{report}");
    }
}

#[test]
fn magnitudes_far_from_one_keep_their_precision() {
    for exponent in [-30, -12, -6, 6, 12, 18] {
        for activation in [Activation::Elu, Activation::Relu] {
            let graph = recurrent(activation, true);
            // The recurrent weights stay near one, or the network would diverge by itself.
            let size = 10f32.powi(exponent);
            let weight = |tensor: usize, index: usize| {
                let sign = [1.0, -0.7, 0.4, -0.1, 0.9][index % 5];
                if graph.parameters[tensor].name.contains("w_hh") { 0.3 * sign } else { size * sign }
            };
            let parameters = filled(&graph, weight);
            let frames = random_frames(FRAME, 12, 5);
            let quantized = try_quantize(&graph, &parameters, &frames).expect("quantises");
            let report = report(&graph, &parameters, &quantized, &frames);
            let logits = report.logits(&quantized.graph).expect("named");
            assert!(logits > 30.0, "weights of 1e{exponent}, {activation:?}\n{report}");
        }
    }
}

#[test]
fn a_bias_that_dwarfs_its_weights_fits() {
    let graph = recurrent(Activation::Elu, true);
    let weight = |tensor: usize, _: usize| if graph.parameters[tensor].name.contains("bias") { 5.0 } else { 1e-9 };
    let parameters = filled(&graph, weight);
    let frames = random_frames(FRAME, 6, 5);
    let quantized = try_quantize(&graph, &parameters, &frames).expect("quantises");
    let report = report(&graph, &parameters, &quantized, &frames);
    assert!(report.logits(&quantized.graph).expect("named") > 60.0, "{report}");
}

#[test]
fn where_a_factor_would_not_fit_the_scale_is_widened() {
    // Two large values whose difference is smaller by five orders of magnitude.
    let mut builder = GraphBuilder::new("difference", FRAME);
    builder.enter_layer("layer1");
    let conv = builder.convolution("conv", &[Read::Frame], ConvolutionSpec::new(2, 3)).expect("fits");
    let copy = builder.affine("copy", -0.999_995, 0.0, Read::Node(conv)).expect("fits");
    let difference = builder.add("difference", Read::Node(conv), Read::Node(copy)).expect("fits");
    let logits = builder.node("logits", Operation::GlobalAverage, &[Read::Node(difference)]).expect("fits");
    let graph = builder.finish(logits).expect("valid");
    let parameters = filled(&graph, |_, index| 0.1 * index as f32);
    let frames = random_frames(FRAME, 6, 5);
    let quantized = try_quantize(&graph, &parameters, &frames).expect("quantises");
    let kinds: Vec<f64> = quantized.graph.nodes.iter().map(|node| node.output.scale).collect();
    assert!(kinds[2] >= kinds[0] / 16384.0, "{kinds:?}");
}

#[test]
fn frames_beyond_the_calibration_saturate_and_nothing_overflows() {
    for seed in 0..20 {
        let RandomNetwork { graph, parameters } = random_network(seed);
        let channels = graph.frame.channels;
        let (mean, deviation) = (vec![0.5; channels], vec![0.25; channels]);
        let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
        let mut frames = random_frames(graph.frame, 6, seed);
        // Calibrated on faint frames, run on full ones.
        let faint: Vec<Tensor> = frames.iter().map(|frame| frame.map(|x| 1e-3 * x)).collect();
        frames.extend(faint.clone());
        let calibration = Calibration::of_sequences(&graph, &parameters, &[faint.iter().collect()]).expect("finite");
        for range in [RangeRule::MinMax, RangeRule::LeastError] {
            let options = QuantizeOptions { range, ..QuantizeOptions::default() };
            let quantized = quantize(&graph, &parameters, &calibration, pixels, &options).expect("quantises");
            let report = report(&graph, &parameters, &quantized, &frames);
            assert_eq!(report.steps, 12);
        }
    }
}
