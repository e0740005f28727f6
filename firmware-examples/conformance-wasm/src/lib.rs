//! Computes every operation of a collection of device programs with WebAssembly's SIMD and with the portable kernels.
//! `run.mjs` is the host's part.
#![no_std]

use conformance::{ARENA_BYTES, Programs, Runner, SCRATCH_BYTES};
use convrnn_runtime::backend::Vector128;
use core::fmt::{self, Write};

/// Bytes of the answer to a collection of so many bytes: no line is half as long as a program.
const fn text_length(collection: usize) -> usize {
    collection / 2 + 512
}

/// Bytes of memory that [`check`] needs for a collection of so many bytes.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C" fn memory_length(collection: usize) -> usize {
    answer_at(collection) + text_length(collection)
}

/// Where the answer lies, from the start of the memory.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub extern "C" fn answer_at(collection: usize) -> usize {
    collection.next_multiple_of(16) + ARENA_BYTES + SCRATCH_BYTES
}

/// Runs the collection that lies at the start of the memory, and answers at its end, see [`answer_at`]: with the checksum
/// of each program and of all, or with what went wrong. Gives the answer's length, negative if something went wrong.
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
    match run(&programs[..collection], arena, scratch, &mut text) {
        Ok(()) => text.length as i32,
        Err(fmt::Error) => -(text.length as i32),
    }
}

/// Writes a line for each program and one for all; fails after one that says what went wrong.
fn run(collection: &[u8], arena: &mut [u8], scratch: &mut [u8], text: &mut Text<'_>) -> fmt::Result {
    let mut runner = Runner::new();
    for program in Programs::new(collection) {
        let index = runner.programs();
        let Some(program) = program else {
            writeln!(text, "the collection ends within program {index}")?;
            return Err(fmt::Error);
        };
        match runner.run(program, arena, scratch, Vector128) {
            Ok(checksum) => writeln!(text, "program {index} {checksum}")?,
            Err(failure) => {
                writeln!(text, "failed at program {index}: {failure:?}")?;
                return Err(fmt::Error);
            }
        }
    }
    writeln!(text, "all {} {}", runner.programs(), runner.checksum())
}

/// Text in memory.
struct Text<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[panic_handler]
fn panic(_information: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
