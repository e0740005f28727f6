//! Steps a network a few times on frames of pseudo-random pixels and marks the start and the end of every operation, for the
//! instruction counter. `cargo xtask firmware operations` builds and reads it.
//!
//! The program is part of the image: `CONVRNN_PROGRAM` names its file when this is built.
#![no_std]
#![no_main]

use convrnn_runtime::{
    Arena, Backend, Frame, LoadError, Program, Session, Task, arena_length, assert_fits, include_program,
};
use cortex_m_rt::entry;
use firmware::{
    end,
    machine::{KERNELS, Kernels},
    memory,
    registers::mark,
};

static PROGRAM: &[u8] = include_program!(env!(
    "CONVRNN_PROGRAM",
    "set CONVRNN_PROGRAM to the full path of an int8 program (.crnn), or use \
     `cargo xtask firmware operations FILE`"
));

/// RAM that is kept for the stack.
const RESERVED_BYTES: usize = 16 * 1024 + FRAME_BYTES;

const _: () = assert_fits(PROGRAM, memory::RAM_BYTES - RESERVED_BYTES);
const ARENA_BYTES: usize = arena_length(PROGRAM);

/// Steps; the last one has states that all the others have changed.
const STEPS: u32 = 3;

/// The largest frame, in pixels.
const FRAME_BYTES: usize = 32 * 1024;

/// The machine's backend with a mark before and after each operation.
struct Marked(Kernels);

impl Backend for Marked {
    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        self.0.prepare(program)
    }

    fn run(&mut self, task: &mut Task<'_>) {
        mark();
        self.0.run(task);
        mark();
    }
}

#[entry]
fn main() -> ! {
    static mut ARENA: Arena<ARENA_BYTES> = Arena::for_program(PROGRAM);
    static mut FRAME: [u8; FRAME_BYTES] = [0; FRAME_BYTES];

    let Ok(mut session) = Session::with_backend(PROGRAM, ARENA.as_mut_slice(), Marked(KERNELS)) else { end(false) };
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
