//! A network's program and its working memory in the machine's external memory, where QEMU has loaded the program: one image
//! serves all networks.
//!
//! From [`EXTERNAL`] on: the program's length in 4 bytes, at 16 the program, at [`ARENA_AT`] the arena, at [`FRAME_AT`] the
//! frame.
#![allow(unsafe_code)]

use crate::machine::EXTERNAL;
use core::sync::atomic::{AtomicBool, Ordering};

/// Where the program begins.
const PROGRAM_AT: usize = 16;

/// Where the arena begins, and the most bytes of a program behind [`PROGRAM_AT`].
const ARENA_AT: usize = 8 << 20;

/// Where the frame begins.
const FRAME_AT: usize = 14 << 20;

/// Where the machine's external memory ends, or what is used of it.
const END: usize = 16 << 20;

/// Room for a frame.
pub const FRAME_BYTES: usize = END - FRAME_AT;

/// What lies in the external memory.
pub struct External {
    /// The program; empty if its length cannot be.
    pub program: &'static [u8],
    /// Room for the arena.
    pub arena: &'static mut [u8],
    /// Room for a frame.
    pub frame: &'static mut [u8],
}

/// The external memory; none if it was taken before.
pub fn take() -> Option<External> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::AcqRel) {
        return None;
    }
    // SAFETY: the machine has memory at these addresses, initialised by QEMU, that neither the linker nor anybody else
    // uses; the three ranges do not overlap, and they are given out once.
    unsafe {
        let length = (EXTERNAL as *const u32).read_volatile() as usize;
        let length = if length <= ARENA_AT - PROGRAM_AT { length } else { 0 };
        Some(External {
            program: core::slice::from_raw_parts((EXTERNAL + PROGRAM_AT) as *const u8, length),
            arena: core::slice::from_raw_parts_mut((EXTERNAL + ARENA_AT) as *mut u8, FRAME_AT - ARENA_AT),
            frame: core::slice::from_raw_parts_mut((EXTERNAL + FRAME_AT) as *mut u8, FRAME_BYTES),
        })
    }
}
