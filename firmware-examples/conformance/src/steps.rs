//! A network of any kind, stepped on pseudo-random frames in whatever way.

use crate::both::fold;
use crate::random::Random;
use crate::runner::fill_frame;
use convrnn_runtime::{Backend, Session};

/// Steps.
pub const COUNT: u32 = 8;

/// Steps a session from where it is, by what `step` does, with a new frame before each step; gives the checksum of the
/// states and of the logits after each. None if a frame does not fit `frame`, which starts at a multiple of four bytes
/// for a program in f32.
pub fn run<'program, 'arena, B: Backend>(
    session: &mut Session<'program, 'arena, B>,
    frame: &mut [u8],
    mut step: impl FnMut(&mut Session<'program, 'arena, B>),
) -> Option<u32> {
    let mut random = Random::new(0);
    let mut checksum = 0;
    for _ in 0..COUNT {
        fill_frame(session, &mut random, frame).ok()?;
        step(session);
        checksum = fold(fold(checksum, session.states_crc()), session.logits_crc());
    }
    Some(checksum)
}
