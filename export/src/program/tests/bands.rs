//! Layers in bands of rows: the same bits in less memory.

use super::super::*;
use super::network::*;
use convrnn_format::{Program, Role};
use convrnn_runtime::{Backend, Frame, Host, Portable, Session, arena_length};

/// CRCs of logits and states of each step, and the bytes of the arena.
fn run<B: Backend>(program: &[u8], frames: &[Frame<'_>], backend: B) -> (Vec<(u32, u32)>, usize) {
    let program = AlignedBytes::copy_of(program);
    let length = arena_length(&program);
    let mut arena = AlignedBytes::zeroed(length);
    let mut session = Session::with_backend(&program, &mut arena, backend).expect("the program loads");
    let mut crcs = Vec::new();
    for &frame in frames {
        session.present(frame).expect("the frame fits");
        session.step();
        crcs.push((session.logits_crc(), session.states_crc()));
    }
    (crcs, length)
}

/// Groups of a program; each has a buffer that does not hold its whole tensor.
fn groups(bytes: &[u8]) -> usize {
    let program = Program::new_checked(bytes).expect("the program loads");
    let ends = (0..program.operation_count()).filter_map(|index| program.operation(index));
    let groups = ends.filter(|record| record.ends_bands == 1).count();
    let buffers = (0..program.buffer_count() as u16).filter_map(|index| program.buffer(index));
    let partial = buffers.filter(|buffer| !buffer.is_whole()).inspect(|buffer| {
        assert_eq!(buffer.role, Role::Transient.to_byte());
        assert!(u32::from(buffer.resident_rows) < buffer.height);
    });
    assert!(partial.count() >= groups);
    groups
}

#[test]
fn bands_change_no_bit_and_never_need_more_memory() {
    let (mut banded, mut smaller) = (0, 0);
    for seed in 0..60 {
        let (network, frames) = network(seed);
        let quantized = quantized(&network, &frames);
        let integers: Vec<Vec<i8>> = frames
            .iter()
            .map(|frame| {
                let values: Vec<i8> = frame.values.iter().map(|&x| quantized.graph.frame.quantize(x) as i8).collect();
                interleave(frame.shape, &values)
            })
            .collect();
        let reals: Vec<Vec<f32>> = frames
            .iter()
            .map(|frame| interleave(frame.shape, &frame.values.iter().map(|&x| x as f32).collect::<Vec<f32>>()))
            .collect();
        for (plan, target) in
            [(Plan::Sequential, Target::Portable), (Plan::Parallel, Target::Portable), (Plan::Sequential, Target::HOST)]
        {
            let whole = ProgramOptions { plan, target, keep_taps: false, ..ProgramOptions::default() };
            let run = |program: &[u8], frames: &[Frame<'_>]| match target {
                Target::Portable => run(program, frames, Portable),
                _ => run(program, frames, Host::default()),
            };
            let integer =
                |options: &ProgramOptions| write_integer(&quantized, &description(), options).expect("a program");
            let real = |options: &ProgramOptions| {
                write_real(&network.graph, &network.parameters, &description(), options).expect("a program")
            };
            let integer_frames: Vec<Frame<'_>> = integers.iter().map(|frame| Frame::Quantized(frame)).collect();
            let real_frames: Vec<Frame<'_>> = reals.iter().map(|frame| Frame::Real(frame)).collect();
            let expected = [run(&integer(&whole), &integer_frames), run(&real(&whole), &real_frames)];
            for rows in 1..5 {
                let options = ProgramOptions { band_rows: std::num::NonZeroUsize::new(rows), ..whole };
                let programs = [integer(&options), real(&options)];
                let found = [run(&programs[0], &integer_frames), run(&programs[1], &real_frames)];
                for ((program, found), expected) in programs.iter().zip(&found).zip(&expected) {
                    assert_eq!(found.0, expected.0, "seed {seed}, {rows} rows, {plan:?}");
                    assert!(found.1 <= expected.1, "seed {seed}, {rows} rows, {plan:?}");
                    banded += usize::from(groups(program) > 0);
                    smaller += usize::from(found.1 < expected.1);
                }
            }
        }
    }
    assert!(banded > 200 && smaller > 150, "{banded} programs in bands, {smaller} smaller");
}
