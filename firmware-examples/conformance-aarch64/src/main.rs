//! Reads a collection of device programs from standard input, computes every operation with NEON and with the portable
//! kernels, and says the checksum of each program and of all, or what went wrong.
//!
//! It stands on the kernel of Linux alone, so that nothing but a compiler is needed to build it, and QEMU's user mode
//! runs it.
#![no_std]
#![no_main]

mod linux;

use conformance::{ARENA_BYTES, HEADER_BYTES, PROGRAM_BYTES, Runner, SCRATCH_BYTES, collection};
use convrnn_runtime::backend::Vector128;
use core::fmt::Write;
use linux::{Output, exit, read};

/// Everything that programs need; it lies on the stack.
#[repr(C, align(16))]
struct Memory {
    program: [u8; PROGRAM_BYTES],
    arena: [u8; ARENA_BYTES],
    scratch: [u8; SCRATCH_BYTES],
}

/// Where the start-up code goes to.
fn main() -> ! {
    let mut memory = Memory { program: [0; PROGRAM_BYTES], arena: [0; ARENA_BYTES], scratch: [0; SCRATCH_BYTES] };
    let mut runner = Runner::new();
    let mut header = [0; HEADER_BYTES];
    loop {
        match read(&mut header) {
            0 => break,
            HEADER_BYTES => {}
            _ => fail(&runner, format_args!("the collection ends within a header")),
        }
        let length = collection::program_length(&header);
        let Some(padded) = memory.program.get_mut(..collection::padded_length(length)) else {
            fail(&runner, format_args!("{length} bytes, but there is room for {PROGRAM_BYTES}"))
        };
        let expected = padded.len();
        if read(padded) != expected {
            fail(&runner, format_args!("the collection ends within the program"));
        }
        let program = padded.get(..length as usize).unwrap_or(&[]);
        let index = runner.programs();
        match runner.run(program, &mut memory.arena, &mut memory.scratch, Vector128) {
            Ok(checksum) => say(format_args!("program {index} {checksum}")),
            Err(failure) => fail(&runner, format_args!("{failure:?}")),
        }
    }
    say(format_args!("all {} {}", runner.programs(), runner.checksum()));
    exit(0)
}

fn say(line: core::fmt::Arguments<'_>) {
    // Whoever reads it misses a line that cannot be written.
    let _ = writeln!(Output, "{line}");
}

fn fail(runner: &Runner, reason: core::fmt::Arguments<'_>) -> ! {
    say(format_args!("failed at program {}: {reason}", runner.programs()));
    exit(1)
}

#[panic_handler]
fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
    say(format_args!("{information}"));
    exit(2)
}
