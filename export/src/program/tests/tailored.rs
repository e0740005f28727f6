//! Backends for one program.

use super::super::*;
use super::network::*;
use convrnn_runtime::backend::Tailored;
use convrnn_runtime::{Frame, LoadErrorKind, Session, Uses, arena_length};
use std::num::NonZeroUsize;

const EVERYTHING: u64 = Uses::ALL.bits();

/// An integer program of a random network, and its frames in height, width, channel order.
fn program(seed: u64, target: Target) -> (AlignedBytes, Vec<Vec<i8>>) {
    let (network, frames) = network(seed);
    let quantized = quantized(&network, &frames);
    let skipping = if seed % 4 == 1 { Skipping::Propagation } else { Skipping::None };
    let band_rows = if seed % 4 == 2 { NonZeroUsize::new(1) } else { None };
    let options = ProgramOptions { target, skipping, band_rows, ..ProgramOptions::default() };
    let bytes = write_integer(&network.graph, &quantized, &description(), &options).expect("a program");
    let quantize = |frame: &convrnn_graph::Tensor| {
        let values: Vec<i8> = frame.values.iter().map(|&x| quantized.graph.frame.quantize(x) as i8).collect();
        interleave(frame.shape, &values)
    };
    (AlignedBytes::copy_of(&bytes), frames.iter().map(quantize).collect())
}

/// CRCs of logits and states of each step.
fn run<B: convrnn_runtime::Backend>(mut session: Session<'_, '_, B>, frames: &[Vec<i8>]) -> Vec<(u32, u32)> {
    let step = |frame: &Vec<i8>| {
        session.present(Frame::Quantized(frame)).expect("the frame fits");
        session.step();
        (session.logits_crc(), session.states_crc())
    };
    frames.iter().map(step).collect()
}

#[test]
fn a_tailored_backend_gives_the_bits_of_the_portable_one_and_refuses_other_programs() {
    for seed in 0..8 {
        for target in [Target::Rows, Target::Portable] {
            let (program, frames) = program(seed, target);
            let (mut first, mut second) =
                (AlignedBytes::zeroed(arena_length(&program)), AlignedBytes::zeroed(arena_length(&program)));
            let expected = run(Session::new(&program, &mut first).expect("the program loads"), &frames);
            let tailored = Tailored::<EVERYTHING>::new(&program);
            let session = Session::with_backend(&program, &mut second, tailored).expect("the program loads");
            assert_eq!(run(session, &frames), expected, "seed {seed}");

            let (other, _) = self::program(seed + 100, target);
            let mut arena = AlignedBytes::zeroed(arena_length(&other));
            let error = Session::with_backend(&other, &mut arena, tailored).expect_err("it is another program");
            assert_eq!(error.kind, LoadErrorKind::Backend);
        }
    }
}

/// For every single use (bits of [`Uses`] from 36 on, ways to convolve first) a backend that is built without it, on the
/// programs that do not need it: the portable bits all the same. Returns how many programs each one ran.
macro_rules! without_each {
    ($program:expr, $frames:expr, $expected:expr, $counts:expr, $($bit:literal)*) => {
        for (count, bit) in $counts.iter_mut().zip([$($bit),*]) {
            match bit {
                $($bit if Uses::of($program).bits() & (1 << $bit) == 0 => {
                    let tailored = Tailored::<{ EVERYTHING & !(1 << $bit) }>::new($program);
                    let mut arena = AlignedBytes::zeroed(arena_length($program));
                    let session = Session::with_backend($program, &mut arena, tailored).expect("the program loads");
                    assert_eq!(run(session, $frames), $expected, "without bit {}", $bit);
                    *count += 1;
                })*
                _ => {}
            }
        }
    };
}

#[test]
fn what_a_program_does_not_use_is_not_missed() {
    let mut counts = [0; 25];
    for seed in 0..24 {
        for target in [Target::Rows, Target::Portable] {
            let (program, frames) = program(seed, target);
            let mut arena = AlignedBytes::zeroed(arena_length(&program));
            let expected = run(Session::new(&program, &mut arena).expect("the program loads"), &frames);
            without_each!(&program, &frames, expected, counts,
                36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60);
        }
    }
    // Nearly every network has some operation of the commonest kinds.
    assert!(counts.iter().filter(|&&count| count > 0).count() >= 21, "{counts:?}");
}

#[test]
fn a_program_uses_the_kernels_that_its_packing_asks_for() {
    let uses = |target| Uses::of(&program(0, target).0).bits();
    let (rows, portable) = (uses(Target::Rows), uses(Target::Portable));
    // Kinds and elements are the same; the ways to convolve are not.
    assert_ne!(rows, portable);
    assert_eq!((rows & portable).count_ones() + 1, portable.count_ones().min(rows.count_ones()));
}

#[test]
#[should_panic = "needs kernels that the backend is built without"]
fn a_program_that_needs_more_is_refused_while_compiling() {
    Tailored::<0>::new(&program(0, Target::Portable).0);
}
