//! Backends for one program.

use super::super::*;
use super::network::*;
use convrnn_runtime::backend::Tailored;
use convrnn_runtime::{Backend, Frame, LoadError, LoadErrorKind, Portable, Session, Task, Uses, Work, arena_length};
use std::num::NonZeroUsize;

const EVERYTHING: u64 = Uses::ALL.bits();

/// An integer program of a random network, and its frames in height, width, channel order.
fn program(seed: u64, target: Target) -> (AlignedBytes, Vec<Vec<i8>>) {
    let (network, frames) = network(seed);
    let quantized = quantized(&network, &frames);
    let skipping = match seed % 8 {
        1 => Skipping::Propagation,
        5 => Skipping::Comparison,
        _ => Skipping::None,
    };
    let band_rows = if seed % 4 == 2 { NonZeroUsize::new(1) } else { None };
    let precompute = seed % 4 == 3;
    let options = ProgramOptions { target, skipping, band_rows, precompute, ..ProgramOptions::default() };
    let bytes = write_integer(&quantized, &description(), &options).expect("a program");
    let quantize = |frame: &convrnn_graph::Tensor| {
        let values: Vec<i8> = frame.values.iter().map(|&x| quantized.graph.frame.quantize(x) as i8).collect();
        interleave(frame.shape, &values)
    };
    (AlignedBytes::copy_of(&bytes), frames.iter().map(quantize).collect())
}

/// CRCs of logits and states of each step of a run whose last frame is held until the network rests, what was done and left
/// in all, and how many convolutions were computed with others.
type Outcome = (Vec<(u32, u32)>, Work, usize);

fn run<B: Backend>(program: &AlignedBytes, backend: B, frames: &[Vec<i8>]) -> Result<Outcome, LoadError> {
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::with_backend(program, &mut arena, Counting(backend, 0))?;
    let held = std::iter::repeat_n(None, 24);
    let step = |frame: Option<&Vec<i8>>| {
        if let Some(frame) = frame {
            session.present(Frame::Quantized(frame)).expect("the frame fits");
        }
        session.step();
        (session.logits_crc(), session.states_crc())
    };
    let checksums = frames.iter().map(Some).chain(held).map(step).collect();
    Ok((checksums, session.work(), session.into_backend().1))
}

#[test]
fn a_tailored_backend_gives_the_bits_of_the_portable_one_and_refuses_other_programs() {
    for seed in 0..8 {
        for target in [Target::Rows, Target::Portable] {
            let (program, frames) = program(seed, target);
            let expected = run(&program, Portable, &frames).expect("the program loads");
            let tailored = Tailored::<EVERYTHING>::new(&program);
            assert_eq!(run(&program, tailored, &frames).expect("the program loads"), expected, "seed {seed}");

            let (other, frames) = self::program(seed + 100, target);
            let error = run(&other, tailored, &frames).expect_err("it is another program");
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
                    let found = run($program, tailored, $frames).expect("the program loads");
                    assert_eq!(found, $expected, "without bit {}", $bit);
                    *count += 1;
                })*
                _ => {}
            }
        }
    };
}

#[test]
fn what_a_program_does_not_use_is_not_missed() {
    let (mut counts, mut all) = ([0; 25], 0);
    for seed in 0..24 {
        for target in [Target::Rows, Target::Portable] {
            let (program, frames) = program(seed, target);
            let expected = run(&program, Portable, &frames).expect("the program loads");
            all |= Uses::of(&program).bits();
            without_each!(&program, &frames, expected, counts,
                36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60);
        }
    }
    // Nearly every network has some operation of the commonest kinds.
    assert!(counts.iter().filter(|&&count| count > 0).count() >= 21, "{counts:?}");
    // Each way to step is that of some network, and all but it do without.
    for bit in 57..=60 {
        assert!(all & 1 << bit != 0 && counts[bit - 36] > 0, "bit {bit}: {counts:?}");
    }
}

/// The other way round: what a program uses is missed.
#[test]
fn ways_to_step_that_a_program_uses_are_missed() {
    macro_rules! differs_without {
        ($bit:literal) => {
            (0..24).map(|seed| program(seed, Target::Portable)).any(|(program, frames)| {
                // A backend that says it needs nothing else than the program, for which the check while compiling is left out.
                struct Lacking(Portable);
                impl Backend for Lacking {
                    const USES: Uses = Uses::from_bits(EVERYTHING & !(1 << $bit));
                    fn run(&mut self, task: &mut Task<'_>) {
                        self.0.run(task);
                    }
                }
                let expected = run(&program, Portable, &frames).expect("the program loads");
                run(&program, Lacking(Portable), &frames).expect("the program loads") != expected
            })
        };
    }
    let differ = [differs_without!(57), differs_without!(58), differs_without!(59), differs_without!(60)];
    assert_eq!(differ, [true; 4]);
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
