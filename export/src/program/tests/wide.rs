//! Convolutions with long windows: the portable kernels have other ways for them than for small ones.

use super::super::*;
use super::network::*;
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::quantize::IntegerInterpreter;
use convrnn_graph::testing::{RandomNetwork, random_frames, random_parameters};
use convrnn_graph::{GraphBuilder, Initializer, Interpreter, Operation, Read, Shape, StateKind};
use convrnn_runtime::{Frame, Session};
use rand::SeedableRng;

/// One layer with a recurrent convolution beside the feedforward one; the window has
/// `9 * (input + recurrent)` values.
fn network(input: usize, recurrent: usize) -> RandomNetwork {
    let frame = Shape::new(input, 5, 4);
    let mut builder = GraphBuilder::new("wide", frame);
    builder.enter_layer("layer1");
    let state = builder.state("hidden", StateKind::Cell, Shape::new(recurrent, 5, 4));
    let spec = ConvolutionSpec { bias: Some(Initializer::Zeros), ..ConvolutionSpec::new(recurrent, 3) };
    let next = builder.convolution("conv", &[Read::Frame, Read::State(state)], spec).expect("fits");
    builder.write_state(state, next);
    let logits = builder.node("logits", Operation::GlobalAverage, &[Read::Node(next)]).expect("fits");
    let graph = builder.finish(logits).expect("valid");
    let parameters = random_parameters(&graph, &mut rand_chacha::ChaCha8Rng::seed_from_u64(9));
    RandomNetwork { graph, parameters }
}

#[test]
fn windows_of_every_length_give_the_bits_of_the_interpreter() {
    // 189, 333, 999 and 1,206 values; odd and even channel counts; 70 channels make two blocks.
    for (input, recurrent) in [(3, 18), (20, 17), (41, 70), (64, 70)] {
        let network = network(input, recurrent);
        let frames = random_frames(network.graph.frame, STEPS, 4);
        let quantized = quantized(&network, &frames);
        let mut reference = IntegerInterpreter::new(&quantized.graph);
        let frames: Vec<Vec<i8>> = frames
            .iter()
            .map(|frame| frame.values.iter().map(|&x| quantized.graph.frame.quantize(x) as i8).collect())
            .collect();
        let expected: Vec<_> = frames
            .iter()
            .map(|frame| {
                reference.step(frame);
                reference.states().to_vec()
            })
            .collect();
        for options in variants() {
            let bytes = write_integer(&quantized, &description(), &options).expect("a program");
            let program = AlignedBytes::copy_of(&bytes);
            let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(&program));
            let mut session = Session::new(&program, &mut arena).expect("the program loads");
            for (frame, expected) in frames.iter().zip(&expected) {
                session.present(Frame::Quantized(&interleave(network.graph.frame, frame))).expect("the frame fits");
                session.step();
                for (index, state) in quantized.graph.states.iter().enumerate() {
                    let found = integers(&session.state(index).expect("a state"), state.value.shape);
                    assert_eq!(found, expected[index], "{input} and {recurrent} channels, {options:?}");
                }
            }
        }
    }
}

#[test]
fn long_windows_in_f32_are_close_to_the_reference() {
    let network = network(64, 70);
    let frames = random_frames(network.graph.frame, STEPS, 4);
    let bytes =
        write_real(&network.graph, &network.parameters, &description(), &ProgramOptions::default()).expect("a program");
    let program = AlignedBytes::copy_of(&bytes);
    let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(&program));
    let mut session = Session::new(&program, &mut arena).expect("the program loads");
    let parameters = network.parameters.to_f64();
    let mut reference = Interpreter::new(&network.graph, &parameters);
    for frame in &frames {
        let values: Vec<f32> = interleave(frame.shape, &frame.values).into_iter().map(|x| x as f32).collect();
        session.present(Frame::Real(&values)).expect("the frame fits");
        session.step();
        reference.step(&frame.map(|x| f64::from(x as f32)));
        let expected = &reference.states()[0].values;
        let magnitude = expected.iter().fold(1.0, |largest: f64, x| largest.max(x.abs()));
        for (found, expected) in
            reals(&session.state(0).expect("a state"), network.graph.states[0].shape).iter().zip(expected)
        {
            assert!((found - expected).abs() <= 1e-5 * magnitude, "{found}, expected {expected}");
        }
    }
}
