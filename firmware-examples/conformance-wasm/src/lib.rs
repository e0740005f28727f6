//! Computes every operation of a collection of device programs with WebAssembly's SIMD and with the portable kernels.
//! `run.mjs` is the host's part.
#![no_std]

use conformance::{ARENA_BYTES, Outcome, SCRATCH_BYTES, run};
use convrnn_runtime::backend::Vector128;
use core::fmt::{self, Write};

/// Bytes of the answer.
const TEXT_BYTES: usize = 512;

/// Bytes of memory that [`check`] needs for a collection of so many bytes.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C" fn memory_length(collection: usize) -> usize {
    collection.next_multiple_of(16) + ARENA_BYTES + SCRATCH_BYTES + TEXT_BYTES
}

/// Runs the collection that lies at the start of the memory. The answer lies at its end, [`answer_at`] from the start: how
/// many programs there were and the checksum of all that they computed, or what went wrong; gives its length, negative if
/// something did.
///
/// # Safety
/// `memory` is a multiple of 16, and [`memory_length`] bytes from there on are nobody else's.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub unsafe extern "C" fn check(memory: *mut u8, collection: usize) -> i32 {
    // SAFETY: the caller's promise.
    let memory = unsafe { core::slice::from_raw_parts_mut(memory, memory_length(collection)) };
    let (programs, memory) = memory.split_at_mut(collection.next_multiple_of(16));
    let (arena, memory) = memory.split_at_mut(ARENA_BYTES);
    let (scratch, text) = memory.split_at_mut(SCRATCH_BYTES);
    let mut text = Text { bytes: text, length: 0 };
    match run(&programs[..collection], arena, scratch, || Vector128) {
        Ok(Outcome { programs, checksum }) => {
            let _ = write!(text, "{programs} {checksum}");
            text.length as i32
        }
        Err(failure) => {
            let _ = write!(text, "{failure:?}");
            -(text.length as i32)
        }
    }
}

/// Where the answer lies.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C" fn answer_at(collection: usize) -> usize {
    memory_length(collection) - TEXT_BYTES
}

/// Text in memory; what does not fit is left out.
struct Text<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let rest = self.bytes.get_mut(self.length..).unwrap_or(&mut []);
        for (slot, &byte) in rest.iter_mut().zip(text.as_bytes()) {
            *slot = byte;
            self.length += 1;
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(_information: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
