//! Whether a backend computes what the portable one does, in programs that were written to go wrong: no operating
//! system, no allocator, no panic path.
//!
//! A collection ([`collection`]) holds device programs, most of one random operation each. [`run`] steps every one of
//! them on pseudo-random frames and states ([`random`]), has every operation computed by the backend and by
//! [`convrnn_runtime::Portable`] ([`Both`]), compares them, and gives a checksum of all that was computed. A host that
//! runs the same collection gets the same checksum, which also finds what the two backends of a machine do wrong alike:
//! on a Cortex-M4 both are one.
//!
//! `cargo run -p convrnn-export --example conformance_programs` writes collections and says the checksum.
#![no_std]

pub mod both;
pub mod collection;
pub mod random;
pub mod runner;
pub mod steps;

pub use both::{Both, Difference};
pub use collection::{HEADER_BYTES, Programs, header};
pub use runner::{Failure, Runner};

use convrnn_runtime::Backend;

/// Bytes of the largest program of a collection.
pub const PROGRAM_BYTES: usize = 160 * 1024;

/// Bytes of the largest arena that a program of a collection asks for.
pub const ARENA_BYTES: usize = 160 * 1024;

/// Bytes of the largest output, state or frame.
pub const TENSOR_BYTES: usize = 32 * 1024;

/// Bytes of scratch memory that suffice for every program of a collection.
pub const SCRATCH_BYTES: usize = 3 * TENSOR_BYTES;

/// What came of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Programs that were run.
    pub programs: u32,
    /// Of everything that the portable backend computed, see [`Runner::checksum`].
    pub checksum: u32,
}

/// Runs every program of a collection with a backend of its own; ends at the first difference. The collection and the
/// arena start at multiples of 16 bytes; [`ARENA_BYTES`] and [`SCRATCH_BYTES`] suffice for both memories.
pub fn run<B: Backend>(
    collection: &[u8],
    arena: &mut [u8],
    scratch: &mut [u8],
    mut backend: impl FnMut() -> B,
) -> Result<Outcome, Failure> {
    let mut runner = Runner::new();
    for program in Programs::new(collection) {
        let Some(program) = program else { return Err(Failure::Torn { program: runner.programs() }) };
        runner.run(program, arena, scratch, backend())?;
    }
    Ok(Outcome { programs: runner.programs(), checksum: runner.checksum() })
}
