//! Computes the programs of a collection with the machine's kernels and with the portable ones, and compares the bytes;
//! says the checksum of each program and of all, or where the first difference is.
//!
//! The collection is a file of the host, whose path is the command line.
#![no_std]
#![no_main]

use conformance::collection::{padded_length, program_length};
use conformance::{ARENA_BYTES, Difference, Failure, HEADER_BYTES, PROGRAM_BYTES, Runner, SCRATCH_BYTES};
use convrnn_runtime::Aligned;
use cortex_m_rt::entry;
use firmware::{end, host_file::HostFile, machine::KERNELS, memory, say};

/// RAM that is kept for the stack.
const RESERVED_BYTES: usize = 48 * 1024;

const _: () = assert!(
    PROGRAM_BYTES + ARENA_BYTES + SCRATCH_BYTES + RESERVED_BYTES <= memory::RAM_BYTES,
    "the largest programs do not fit the memory"
);

#[entry]
fn main() -> ! {
    static mut PROGRAM: Aligned<[u8; PROGRAM_BYTES]> = Aligned([0; PROGRAM_BYTES]);
    static mut ARENA: Aligned<[u8; ARENA_BYTES]> = Aligned([0; ARENA_BYTES]);
    static mut SCRATCH: Aligned<[u8; SCRATCH_BYTES]> = Aligned([0; SCRATCH_BYTES]);

    let Some(mut file) = HostFile::of_command_line() else {
        say("no collection: its path must be the command line", 0, 0);
        end(false)
    };
    let mut runner = Runner::new();
    let mut header = [0; HEADER_BYTES];
    while file.read(&mut header) {
        let length = program_length(&header);
        let Some(padded) = PROGRAM.0.get_mut(..padded_length(length)) else {
            say("a program of more bytes than there are for one", length, PROGRAM_BYTES as u32);
            end(false)
        };
        let is_whole = file.read(padded);
        let Some(program) = padded.get(..length as usize).filter(|_| is_whole) else {
            say("the collection ends within program", runner.programs(), 0);
            end(false)
        };
        let index = runner.programs();
        match runner.run(program, &mut ARENA.0, &mut SCRATCH.0, KERNELS) {
            Ok(checksum) => say("program", index, checksum),
            Err(failure) => {
                explain(failure);
                end(false)
            }
        }
    }
    say("all", runner.programs(), runner.checksum());
    end(true)
}

/// Says what went wrong.
fn explain(failure: Failure) {
    match failure {
        Failure::Torn { program } => say("the collection ends within program", program, 0),
        Failure::Load { program, error } => {
            say("does not load: program, kind of error", program, error.kind as u32);
            say("with operation, detail", error.operation.map_or(u32::MAX, u32::from), error.detail);
        }
        Failure::Scratch { program, bytes } => say("too large a tensor: program, bytes", program, bytes),
        Failure::Difference { program, difference: Difference { operation, byte } } => {
            say("the kernels differ: program, operation", program, operation);
            say("first at byte", byte, 0);
        }
    }
}
