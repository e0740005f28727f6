//! Steps a network a few times on frames of pseudo-random pixels and marks the start and the end of every layer, and in it of
//! every operation, for the instruction counter. `cargo xtask firmware operations` builds and reads it.
//!
//! The network's program is not part of the image: QEMU loads it into the machine's external memory.
#![no_std]
#![no_main]

use convrnn_runtime::{Backend, Frame, LayerProgress, LoadError, Program, Session, Task};
use cortex_m_rt::entry;
use firmware::{
    end, external,
    machine::{KERNELS, Kernels},
    registers::mark,
    say,
};

/// Steps; the last one has states that all the others have changed.
const STEPS: u32 = 3;

/// The machine's backend with a mark before and after each operation.
struct Marked(Kernels);

impl Backend for Marked {
    const HAS_CACHES: bool = Kernels::HAS_CACHES;

    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        self.0.prepare(program)
    }

    fn run(&mut self, task: &mut Task<'_>) {
        mark();
        self.0.run(task);
        mark();
        // Those that were computed with this one take nothing for themselves.
        let siblings = if task.has_done_siblings { task.siblings.len() } else { 0 };
        for _ in 0..siblings {
            mark();
            mark();
        }
    }
}

#[entry]
fn main() -> ! {
    let Some(external) = external::take() else { end(false) };
    let mut session = match Session::with_backend(external.program, external.arena, Marked(KERNELS)) {
        Ok(session) => session,
        Err(error) => {
            say("the program does not load: kind of error, detail", error.kind as u32, error.detail);
            end(false)
        }
    };
    let program = session.program();
    let frame = program.buffer(program.prelude().frame_buffer);
    let length = frame.map_or(0, |frame| frame.elements());
    let Some(frame) = external.frame.get_mut(..length) else {
        say("the frame is larger than its room: bytes, room", length as u32, external::FRAME_BYTES as u32);
        end(false)
    };
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
        loop {
            mark();
            let progress = session.step_layer();
            mark();
            if progress == LayerProgress::Ended {
                break;
            }
        }
    }
    end(true)
}
