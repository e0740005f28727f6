//! The first bytes of a program.

use crate::record::Record;
use crate::{FORMAT_VERSION, MAGIC, byte_enumeration, record};

/// Where the CRC lies.
pub const CRC_OFFSET: usize = 28;

record! {
    /// The fixed prelude.
    Prelude, stride 96 {
        /// [`MAGIC`] as a little-endian number.
        magic: u32 = 0,
        /// [`crate::FORMAT_VERSION`].
        format_version: u16 = 4,
        /// [`crate::OPERATION_SET_VERSION`].
        operation_set_version: u16 = 6,
        /// [`Numerics`].
        numerics: u8 = 8,
        /// [`Plan`].
        plan: u8 = 9,
        /// [`crate::PACKING_VERSION`].
        packing_version: u16 = 10,
        /// Bytes of the whole program.
        total_size: u32 = 12,
        /// Bytes of working memory.
        arena_length: u32 = 16,
        /// Where the section table starts.
        section_table: u32 = 20,
        /// Number of sections.
        section_count: u32 = 24,
        /// CRC-32/ISO-HDLC of the whole program with this field zero.
        crc: u32 = 28,
        /// Number of operations.
        operation_count: u32 = 32,
        /// Number of operands of all operations.
        operand_count: u32 = 36,
        /// Number of buffers.
        buffer_count: u32 = 40,
        /// Number of states.
        state_count: u32 = 44,
        /// Number of layers.
        layer_count: u32 = 48,
        /// Number of taps.
        tap_count: u32 = 52,
        /// Number of weight packings.
        packing_count: u32 = 56,
        /// Buffer of the frame.
        frame_buffer: u16 = 60,
        /// Buffer of the class scores.
        logits_buffer: u16 = 62,
        /// Element of a blank frame: the bits of an f32, or an integer in the range of i8.
        blank: u32 = 64,
        /// Constant that turns pixels into elements, 256 elements a channel; [`crate::NONE`] if absent.
        frame_table: u32 = 68,
        /// First step (from 1) whose logits depend on the image; 0 if none does.
        first_image_step: u32 = 72,
        /// Where in the arena the flags lie, one byte a state and one a layer; 0 without [`Skipping`].
        cache_offset: u32 = 76,
        /// Multiply-accumulates of one step.
        multiply_accumulates: u64 = 80,
        /// [`Skipping`].
        skipping: u8 = 88,
    }
}

byte_enumeration! {
    /// Which layers are left in a step because nothing that they read has changed.
    Skipping {
        /// None.
        None = 0,
        /// Those that neither a new frame nor a layer that ran in the last step reaches.
        Propagation = 1,
        /// Those whose operands have the values of the last step: every state is computed beside
        /// its old value and compared.
        Comparison = 2,
    }
}

byte_enumeration! {
    /// The arithmetic of a program.
    Numerics {
        /// 32-bit floating point.
        Real = 0,
        /// 8-bit weights and convolution inputs, 16-bit states, 32-bit accumulators.
        Integer = 1,
    }
}

byte_enumeration! {
    /// How states are updated within a step.
    Plan {
        /// Layers run top down, so that most states are overwritten where they lie.
        Sequential = 0,
        /// Every state twice and committed when the step ends: layers may run in any order or at
        /// once.
        Parallel = 1,
    }
}

/// The arena length a program asks for, in bytes, readable at compile time; 0 for bytes too short
/// to be a program.
pub const fn arena_length(program: &[u8]) -> usize {
    if program.len() < Prelude::STRIDE {
        return 0;
    }
    Prelude::at(program, 0).arena_length as usize
}

/// Whether bytes start like a program of this format version.
pub const fn is_program(program: &[u8]) -> bool {
    if program.len() < Prelude::STRIDE {
        return false;
    }
    let prelude = Prelude::at(program, 0);
    prelude.magic == u32::from_le_bytes(MAGIC) && prelude.format_version == FORMAT_VERSION
}

/// For constant evaluation: stops the build when bytes are not a program of this version or when
/// the program's working memory is larger than `arena` bytes.
pub const fn assert_fits(program: &[u8], arena: usize) {
    assert!(is_program(program), "these bytes are not a convrnn device program of this format version");
    assert!(arena_length(program) <= arena, "the program does not fit: its working memory is larger than the arena");
}
