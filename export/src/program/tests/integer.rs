//! int8 programs against the integer interpreter, to the bit.

use super::super::*;
use super::network::*;
use convrnn_graph::quantize::IntegerInterpreter;
use convrnn_runtime::{Frame, Session};

fn compare(seed: u64) {
    let (network, frames) = network(seed);
    let quantized = quantized(&network, &frames);
    let graph = &quantized.graph;
    for options in variants() {
        let bytes = write_integer(&quantized, &description(), &options).expect("a program");
        let program = AlignedBytes::copy_of(&bytes);
        let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(&program));
        let mut session = Session::new(&program, &mut arena).expect("the program loads");
        let mut reference = IntegerInterpreter::new(graph);
        for (step, frame) in frames.iter().enumerate() {
            let values: Vec<i8> = frame.values.iter().map(|&x| graph.frame.quantize(x) as i8).collect();
            session.present(Frame::Quantized(&interleave(frame.shape, &values))).expect("the frame fits");
            session.step();
            let expected = reference.step(&values);
            let context = |name: &str| format!("seed {seed}, {options:?}, step {}, {name}", step + 1);
            let logits = match session.logits_raw() {
                convrnn_runtime::Logits::Integer { values, .. } => values.iter().map(|&x| i32::from(x)).collect(),
                convrnn_runtime::Logits::Real(_) => Vec::new(),
            };
            assert_eq!(logits, expected[graph.logits.0].values, "{}", context("logits"));
            for (index, state) in graph.states.iter().enumerate() {
                let view = session.state(index).expect("a state");
                assert_eq!(integers(&view, state.value.shape), reference.states()[index], "{}", context(&state.name));
            }
        }
    }
}

#[test]
fn random_networks_give_the_bits_of_the_interpreter_in_every_variant() {
    for seed in cases(200) {
        compare(seed);
    }
}

#[test]
fn raw_pixels_go_through_the_table() {
    let (network, frames) = network(3);
    let quantized = quantized(&network, &frames);
    let bytes = write_integer(&quantized, &description(), &ProgramOptions::default()).expect("a program");
    let program = AlignedBytes::copy_of(&bytes);
    let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(&program));
    let mut session = Session::new(&program, &mut arena).expect("the program loads");
    let shape = network.graph.frame;
    let pixels: Vec<u8> = (0..shape.elements()).map(|index| (index * 37 % 256) as u8).collect();
    session.present(Frame::Bytes(&pixels)).expect("the frame fits");
    let view = session.buffer(session.program().prelude().frame_buffer).expect("the frame");
    let expected: Vec<i32> = quantized.frame_table.quantize(&pixels).iter().map(|&x| i32::from(x)).collect();
    assert_eq!(integers(&view, shape).values, expected);
    session.present_blank();
    let view = session.buffer(session.program().prelude().frame_buffer).expect("the frame");
    assert!(integers(&view, shape).values.iter().all(|&x| x == quantized.graph.frame.zero_point));
}
