//! How sessions treat backends, and programs that were verified when an image was built.

use super::super::*;
use super::network::*;
use convrnn_format::Prelude;
use convrnn_runtime::{
    Backend, BuiltIn, Frame, LoadErrorKind, Portable, Program, Progress, Session, Task, arena_length,
};

/// Computes in the third `poll` after `submit`, as an accelerator might, and keeps a record.
#[derive(Default)]
struct Late<const HAS_CACHES: bool> {
    polls: usize,
    submitted: usize,
    /// Outputs, those of siblings included.
    outputs: usize,
    operands: usize,
    cleaned: usize,
    invalidated: usize,
}

impl<const HAS_CACHES: bool> Backend for Late<HAS_CACHES> {
    const HAS_CACHES: bool = HAS_CACHES;

    fn clean(&mut self, operand: &[u8]) {
        assert!(!operand.is_empty());
        self.cleaned += 1;
    }

    fn invalidate(&mut self, output: &mut [u8]) {
        assert!(self.polls == 3 && !output.is_empty());
        self.invalidated += 1;
    }

    fn submit(&mut self, task: &mut Task<'_>) -> Progress {
        self.submitted += 1;
        self.polls = 0;
        self.operands += usize::from(task.record.operand_count);
        Progress::Pending
    }

    fn poll(&mut self, task: &mut Task<'_>) -> Progress {
        self.polls += 1;
        if self.polls < 3 {
            return Progress::Pending;
        }
        Portable.run(task);
        self.outputs += 1 + if task.has_done_siblings { task.siblings.len() } else { 0 };
        Progress::Done
    }
}

/// CRCs of logits and states of each step.
fn steps<B: Backend>(session: &mut Session<'_, '_, B>) -> Vec<(u32, u32)> {
    let elements = session.buffer(session.program().prelude().frame_buffer).expect("the frame").buffer.elements();
    let frame: Vec<i8> = (0..elements).map(|index| (index * 37 % 200) as u8 as i8).collect();
    let step = |_| {
        session.present(Frame::Quantized(&frame)).expect("the frame fits");
        session.step();
        (session.logits_crc(), session.states_crc())
    };
    (0..6).map(step).collect()
}

fn program(seed: u64) -> AlignedBytes {
    let (network, frames) = network(seed);
    let quantized = quantized(&network, &frames);
    let bytes = write_integer(&quantized, &description(), &ProgramOptions::default()).expect("a program");
    AlignedBytes::copy_of(&bytes)
}

fn run<B: Backend>(program: &AlignedBytes, backend: B) -> (Vec<(u32, u32)>, B) {
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::with_backend(program, &mut arena, backend).expect("the program loads");
    (steps(&mut session), session.into_backend())
}

#[test]
fn a_backend_that_computes_later_is_waited_for_and_asked_to_clean_where_it_has_caches() {
    let mut at_once = 0;
    for seed in 0..16 {
        let program = program(seed);
        let (expected, _) = run(&program, Portable);
        let (found, late) = run(&program, Late::<true>::default());
        assert_eq!(found, expected, "seed {seed}");
        assert_eq!((late.cleaned, late.invalidated), (late.operands, late.outputs), "seed {seed}");
        assert!(late.submitted > 0 && late.outputs >= late.submitted);
        at_once += late.outputs - late.submitted;
        let (found, late) = run(&program, Late::<false>::default());
        assert_eq!((found, late.cleaned, late.invalidated), (expected, 0, 0), "seed {seed}");
    }
    assert!(at_once > 0, "no outputs of siblings");
}

#[test]
fn a_program_of_the_image_is_the_one_that_loading_gives() {
    for seed in 0..8 {
        let bytes: &'static AlignedBytes = Box::leak(Box::new(program(seed)));
        let built_in = BuiltIn::assume_verified(bytes, Prelude::at(bytes, 0).crc);
        let verified = Program::new_checked(bytes).expect("the program loads");
        // All fields, sections included.
        assert_eq!(format!("{:?}", Program::built_in(built_in).expect("its bytes")), format!("{verified:?}"));
        let mut arena = AlignedBytes::zeroed(arena_length(bytes));
        let mut session = Session::built_in(built_in, &mut arena).expect("the program loads");
        assert_eq!(steps(&mut session), run(bytes, Portable).0, "seed {seed}");
    }
}

#[test]
fn an_image_whose_program_changed_is_refused() {
    let mut bytes = program(0);
    let checksum = Prelude::at(&bytes, 0).crc;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let bytes: &'static AlignedBytes = Box::leak(Box::new(bytes));
    let mut arena = AlignedBytes::zeroed(arena_length(bytes));
    let error = Session::built_in(BuiltIn::assume_verified(bytes, checksum), &mut arena).expect_err("a bit changed");
    assert_eq!(error.kind, LoadErrorKind::Checksum);
}

#[test]
#[should_panic = "has changed while it was compiled"]
fn another_file_than_the_verified_one_stops_the_build() {
    let bytes: &'static AlignedBytes = Box::leak(Box::new(program(0)));
    BuiltIn::assume_verified(bytes, Prelude::at(bytes, 0).crc ^ 1);
}
