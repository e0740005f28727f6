//! The smaller records: operands, states, layers, taps, resize tables.

use crate::{byte_enumeration, record};

record! {
    /// What an operation reads.
    OperandRecord, stride 8 {
        /// Buffer.
        buffer: u16 = 0,
        /// Convolution: the packed weights that this operand is multiplied with. Gated sum: the table
        /// applied to this operand, if any. [`crate::NONE`] otherwise.
        weights: u32 = 4,
    }
}

record! {
    /// A tensor carried from step to step.
    StateRecord, stride 20 {
        /// Its buffer.
        buffer: u16 = 0,
        /// Buffer copied to it when the step ends; [`crate::NO_INDEX`] where an operation writes it
        /// in place.
        commit_source: u16 = 2,
        /// [`StateKind`].
        kind: u8 = 4,
        /// Index of the layer in the architecture.
        layer: u16 = 6,
        /// Start of the name in the strings section.
        name: u32 = 8,
        /// Length of the name.
        name_length: u16 = 12,
        /// [`LayerRecord::first_step`] of its layer: at earlier steps it stays what it is.
        first_step: u16 = 14,
        /// Constant that it holds before the first step; [`crate::NONE`] for zero.
        initial: u32 = 16,
    }
}

byte_enumeration! {
    /// What a state holds.
    StateKind {
        /// A layer's output.
        Output = 0,
        /// A state of a layer's cell.
        Cell = 1,
    }
}

record! {
    /// A layer: a run of operations.
    LayerRecord, stride 28 {
        /// Start of the name in the strings section.
        name: u32 = 0,
        /// Length of the name.
        name_length: u16 = 4,
        /// Index of the layer in the architecture.
        layer: u16 = 6,
        /// Its first operation.
        first_operation: u32 = 8,
        /// Number of its operations.
        operation_count: u32 = 12,
        /// Multiply-accumulates of its operations.
        multiply_accumulates: u64 = 16,
        /// First step since the reset (from 1) at which it is computed: before, its states hold what they must hold then.
        first_step: u16 = 24,
    }
}

record! {
    /// A value that can be watched between steps.
    TapRecord, stride 8 {
        /// Start of the name in the strings section.
        name: u32 = 0,
        /// Length of the name.
        name_length: u16 = 4,
        /// Its buffer: a state, or one that lives to the end of the step.
        buffer: u16 = 6,
    }
}

/// Where a name lies in the strings section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameReference {
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub length: u16,
}

record! {
    /// One output row or column of a resize: `(1 - weight) * x[first] + weight * x[first + 1]`, the
    /// second position limited to the map.
    ResizeEntry, stride 8 {
        /// First source position.
        first: u16 = 0,
        /// Weight of the second position in 1/128, 0 to 128.
        weight_128: u16 = 2,
        /// Weight of the second position.
        weight: f32 = 4,
    }
}
