//! f32 programs against the f64 reference.

use super::super::*;
use super::network::*;
use convrnn_graph::Interpreter;
use convrnn_runtime::{Frame, Session};

/// Largest difference, relative to the largest magnitude of the tensor (at least 1).
const TOLERANCE: f64 = 1e-5;

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let magnitude = expected.iter().fold(1.0, |largest: f64, x| largest.max(x.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(difference <= TOLERANCE * magnitude, "{what} at {index}: {found}, expected {expected}");
    }
}

/// Runs one variant and gives the CRCs of every step.
fn compare(seed: u64, options: &ProgramOptions) -> Vec<(u32, u32)> {
    let (network, frames) = network(seed);
    let graph = &network.graph;
    let bytes = write_real(graph, &network.parameters, &description(), options).expect("a program");
    let program = AlignedBytes::copy_of(&bytes);
    let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(&program));
    let mut session = Session::new(&program, &mut arena).expect("the program loads");
    let parameters = network.parameters.to_f64();
    let mut reference = Interpreter::new(graph, &parameters);
    let mut crcs = Vec::new();
    for (step, frame) in frames.iter().enumerate() {
        let values: Vec<f32> = interleave(frame.shape, &frame.values).into_iter().map(|x| x as f32).collect();
        // The reference sees the frame as f32, too.
        let rounded = frame.map(|x| f64::from(x as f32));
        session.present(Frame::Real(&values)).expect("the frame fits");
        session.step();
        let expected = reference.step(&rounded);
        let context = |name: &str| format!("seed {seed}, {options:?}, step {}, {name}", step + 1);
        let logits = session.logits_raw();
        let scores: Vec<f64> = (0..logits.len()).map(|class| f64::from(logits.real(class).expect("a score"))).collect();
        assert_close(&scores, &expected[graph.logits.0].values, &context("logits"));
        for (index, state) in graph.states.iter().enumerate() {
            let view = session.state_named(&state.name).expect("a state");
            assert_close(&reals(&view, state.shape), &reference.states()[index].values, &context(&state.name));
        }
        for tap in &graph.taps {
            if let Some(view) = session.tap(&tap.name) {
                let shape = graph.nodes[tap.node.0].shape;
                assert_close(&reals(&view, shape), &expected[tap.node.0].values, &context(&tap.name));
            } else {
                assert!(!options.keep_taps, "the tap {} is missing", tap.name);
            }
        }
        crcs.push((session.logits_crc(), session.states_crc()));
    }
    crcs
}

#[test]
fn random_networks_give_what_the_reference_gives_in_every_variant() {
    for seed in 0..60 {
        let crcs: Vec<_> = variants().iter().map(|options| compare(seed, options)).collect();
        for (other, options) in crcs.iter().zip(variants()) {
            assert_eq!(*other, crcs[0], "seed {seed}: {options:?} gives other bits than {:?}", variants()[0]);
        }
    }
}
