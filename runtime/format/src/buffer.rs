//! Buffer records: the plan of the arena.

use crate::{byte_enumeration, record};

record! {
    /// A tensor's place in the arena.
    BufferRecord, stride 40 {
        /// First byte, a multiple of [`crate::BUFFER_ALIGNMENT`].
        offset: u32 = 0,
        /// Bytes of the rows that it holds.
        length: u32 = 4,
        /// [`Element`].
        element: u8 = 8,
        /// [`Role`].
        role: u8 = 9,
        /// Rows that it holds, the last ones computed, see [`crate::bands`]; 0 for all.
        resident_rows: u16 = 10,
        /// The integer that stands for zero; 0 for anything but i8.
        zero_point: i32 = 12,
        /// Channels.
        channels: u32 = 16,
        /// Rows.
        height: u32 = 20,
        /// Columns.
        width: u32 = 24,
        /// Real value of one integer step; 1 for f32.
        scale: f32 = 28,
        /// Index of the operation that writes it; the number of operations for a state written by
        /// its commit and for the frame.
        first_use: u32 = 32,
        /// Index of the last operation that reads it (its writer if none does); the number of
        /// operations for what is read when the step has ended. States and the frame live always.
        last_use: u32 = 36,
    }
}

impl BufferRecord {
    /// Number of elements; the product of sides that were verified.
    pub const fn elements(&self) -> usize {
        (self.channels as usize).wrapping_mul(self.height as usize).wrapping_mul(self.width as usize)
    }

    /// First byte and the byte after the last.
    pub const fn range(&self) -> core::ops::Range<usize> {
        let start = self.offset as usize;
        start..start.wrapping_add(self.length as usize)
    }

    /// Whether two buffers share a byte.
    pub const fn overlaps(&self, other: &Self) -> bool {
        let (start, other_start) = (self.offset as u64, other.offset as u64);
        start < other_start + other.length as u64 && other_start < start + self.length as u64
    }

    /// Whether two buffers hold the same kind of tensor.
    pub fn same_type(&self, other: &Self) -> bool {
        self.same_shape(other) && self.element == other.element && self.zero_point == other.zero_point
    }

    /// Whether two buffers have one shape.
    pub fn same_shape(&self, other: &Self) -> bool {
        (self.channels, self.height, self.width) == (other.channels, other.height, other.width)
    }
}

byte_enumeration! {
    /// Element types.
    Element {
        /// 32-bit floating point.
        F32 = 0,
        /// 8-bit, with a zero point.
        I8 = 1,
        /// 16-bit, zero point 0.
        I16 = 2,
        /// 32-bit, zero point 0.
        I32 = 3,
    }
}

impl Element {
    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Element::F32 | Element::I32 => 4,
            Element::I8 => 1,
            Element::I16 => 2,
        }
    }
}

byte_enumeration! {
    /// Who uses a buffer.
    Role {
        /// A state: always live, kept between steps.
        State = 0,
        /// Live from its writer to its last reader of one step.
        Transient = 1,
        /// The frame on show: always live.
        Frame = 2,
    }
}
