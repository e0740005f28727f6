//! Whole random networks.

use super::super::network::{cases, description, network, quantized};
use super::*;
use convrnn_graph::testing::RandomNetwork;
use convrnn_runtime::Frame;

/// CRCs of logits and states after every step.
fn crcs<B: Backend>(program: &AlignedBytes, frames: &[Vec<u8>], backend: B) -> Vec<(u32, u32)> {
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::with_backend(program, &mut arena, backend).expect("the program loads");
    let step = |frame: &Vec<u8>| {
        session.present(Frame::Quantized(bytemuck::cast_slice(frame))).expect("the frame fits");
        session.step();
        (session.logits_crc(), session.states_crc())
    };
    frames.iter().map(step).collect()
}

#[test]
fn random_networks_give_the_portable_states_and_logits_at_every_step() {
    for seed in cases(40) {
        let (RandomNetwork { graph, parameters }, frames) = network(seed);
        let quantized = quantized(&RandomNetwork { graph: graph.clone(), parameters }, &frames);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let bytes: Vec<Vec<u8>> =
            frames.iter().map(|_| (0..graph.frame.elements()).map(|_| random.random()).collect()).collect();
        let mut expected = None;
        for options in super::super::network::variants() {
            let written = write_integer(&quantized, &description(), &options).expect("a program");
            let program = AlignedBytes::copy_of(&written);
            let portable = crcs(&program, &bytes, Portable);
            assert_eq!(*expected.get_or_insert_with(|| portable.clone()), portable, "seed {seed}: {options:?}");
            for backend in levels() {
                let level = backend.level().name();
                assert_eq!(crcs(&program, &bytes, backend), portable, "seed {seed}, {level}: {options:?}");
            }
        }
    }
}
