//! Convolutions that share their windows: the same bits, and no more memory.

use super::super::*;
use super::network::*;
use convrnn_format::Program;
use convrnn_graph::testing;
use convrnn_runtime::{Frame, Portable, Session, arena_length};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Convolutions that have a sibling after them.
fn siblings(bytes: &[u8]) -> usize {
    let program = Program::new_checked(bytes).expect("the program loads");
    (0..program.operation_count()).filter_map(|index| program.operation(index)).filter(|it| it.has_sibling()).count()
}

#[test]
fn siblings_change_no_bit_and_need_no_more_memory() {
    let mut all = 0;
    for name in ["rgc-28-m4", "lstm-28", "gru-28", "ugrnn-28", "intersection-28", "rgc-32"] {
        let graph = convrnn_models::catalogue::find(name).expect("in the catalogue").lower().expect("a graph");
        let parameters = testing::random_parameters(&graph, &mut ChaCha8Rng::seed_from_u64(3));
        let frames = testing::random_frames(graph.frame, 2, 3);
        let network = testing::RandomNetwork { graph, parameters };
        let quantized = quantized(&network, &frames);
        let elements = network.graph.frame.elements();
        for band_rows in [0, 2] {
            let options = ProgramOptions {
                band_rows: std::num::NonZeroUsize::new(band_rows),
                keep_taps: false,
                ..ProgramOptions::default()
            };
            let mut answers = Vec::new();
            for shares_windows in [false, true] {
                let options = ProgramOptions { shares_windows, ..options };
                let bytes = write_integer(&quantized, &description(), &options).expect("a program");
                let program = AlignedBytes::copy_of(&bytes);
                let mut arena = AlignedBytes::zeroed(arena_length(&program));
                let mut session =
                    Session::with_backend(&program, &mut arena, Counting(Portable, 0)).expect("the program loads");
                let mut checksums = Vec::new();
                for step in 0..6 {
                    let pixels: Vec<i8> = (0..elements).map(|index| (index * 37 + step * 11) as i8).collect();
                    session.present(Frame::Quantized(&pixels)).expect("the frame fits");
                    session.step();
                    checksums.push((session.logits_crc(), session.states_crc()));
                }
                let at_once = session.backend().1;
                assert!(at_once >= 6 * siblings(&bytes), "{name} in bands of {band_rows}: {at_once} computed at once");
                answers.push((checksums, arena_length(&program), siblings(&bytes)));
            }
            assert_eq!(answers[1].0, answers[0].0, "{name} in bands of {band_rows}");
            assert!(answers[1].1 <= answers[0].1, "{name} in bands of {band_rows}");
            assert_eq!(answers[0].2, 0);
            println!("{name} in bands of {band_rows}: {} siblings", answers[1].2);
            all += answers[1].2;
        }
    }
    assert!(all >= 12, "{all} siblings");
}
