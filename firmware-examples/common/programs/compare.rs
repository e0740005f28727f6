//! Steps a network on frames of pseudo-random pixels and computes every operation twice, with the machine's kernels and with
//! the portable ones; ends well if all bytes are the same, else says over semihosting which operation differs first.
//!
//! The program is part of the image: `CONVRNN_PROGRAM` names its file when this is built.
#![no_std]
#![no_main]

use convrnn_runtime::{
    Arena, Backend, Frame, LoadError, Portable, Program, Session, Task, arena_length, assert_fits, include_program,
};
use cortex_m_rt::entry;
use firmware::{
    end,
    machine::{KERNELS, Kernels},
    memory, say,
};

static PROGRAM: &[u8] =
    include_program!(env!("CONVRNN_PROGRAM", "set CONVRNN_PROGRAM to the full path of an int8 program (.crnn)"));

/// RAM that is kept for the stack, the frame and two copies of an operation's output.
const RESERVED_BYTES: usize = 32 * 1024 + FRAME_BYTES + 2 * OUTPUT_BYTES;

const _: () = assert_fits(PROGRAM, memory::RAM_BYTES - RESERVED_BYTES);
const ARENA_BYTES: usize = arena_length(PROGRAM);

/// Steps; states have values of many steps then.
const STEPS: u32 = 8;

/// The largest frame, in pixels.
const FRAME_BYTES: usize = 32 * 1024;

/// The largest output of an operation.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Both backends, what was where the output goes, and what the machine's kernels made of it.
struct Both<'memory> {
    kernels: Kernels,
    before: &'memory mut [u8; OUTPUT_BYTES],
    after: &'memory mut [u8; OUTPUT_BYTES],
}

impl Backend for Both<'_> {
    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        self.kernels.prepare(program)
    }

    fn run(&mut self, task: &mut Task<'_>) {
        let length = task.output.len();
        let (Some(before), Some(after)) = (self.before.get_mut(..length), self.after.get_mut(..length)) else {
            say("an output is larger than this program can compare", length as u32, 0);
            end(false)
        };
        copy(task.output, before);
        self.kernels.run(task);
        copy(task.output, after);
        copy(before, task.output);
        Portable.run(task);
        if let Some(first) = after.iter().zip(task.output.iter()).position(|(kernel, portable)| kernel != portable) {
            say("operation of this name's offset differs, first at byte", task.record.name, first as u32);
            end(false)
        }
    }
}

/// Copies as much as both hold.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[entry]
fn main() -> ! {
    static mut ARENA: Arena<ARENA_BYTES> = Arena::for_program(PROGRAM);
    static mut FRAME: [u8; FRAME_BYTES] = [0; FRAME_BYTES];
    static mut BEFORE: [u8; OUTPUT_BYTES] = [0; OUTPUT_BYTES];
    static mut AFTER: [u8; OUTPUT_BYTES] = [0; OUTPUT_BYTES];

    let both = Both { kernels: KERNELS, before: BEFORE, after: AFTER };
    let Ok(mut session) = Session::with_backend(PROGRAM, ARENA.as_mut_slice(), both) else { end(false) };
    let program = session.program();
    let frame = program.buffer(program.prelude().frame_buffer);
    let length = frame.map_or(0, |frame| frame.elements());
    let Some(frame) = FRAME.get_mut(..length) else { end(false) };
    // A linear congruential generator (Numerical Recipes' constants), its upper bits.
    let mut random = 1_u32;
    for _ in 0..STEPS {
        for pixel in frame.iter_mut() {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *pixel = (random >> 24) as u8;
        }
        if session.present(Frame::Bytes(frame)).is_err() {
            end(false)
        }
        session.step();
    }
    end(true)
}
