//! The section table.

use crate::prelude::Prelude;
use crate::record::Record;
use crate::{byte_enumeration, record};

record! {
    /// One section.
    SectionRecord, stride 16 {
        /// [`SectionKind`].
        kind: u8 = 0,
        /// First byte, from the program's start.
        offset: u32 = 4,
        /// Bytes.
        length: u32 = 8,
        /// Bytes from one record to the next; 1 for sections without records.
        stride: u32 = 12,
    }
}

byte_enumeration! {
    /// What a section holds. Every kind appears exactly once.
    SectionKind {
        /// [`crate::OperationRecord`]s in order of execution.
        Operations = 1,
        /// [`crate::OperandRecord`]s of all operations.
        Operands = 2,
        /// [`crate::BufferRecord`]s.
        Buffers = 3,
        /// [`crate::StateRecord`]s in the graph's order.
        States = 4,
        /// [`crate::LayerRecord`]s in order of execution.
        Layers = 5,
        /// [`crate::TapRecord`]s.
        Taps = 6,
        /// [`crate::Packing`] records.
        Packings = 7,
        /// UTF-8 names, one after the other.
        Strings = 8,
        /// Weights, biases, multipliers and tables, each at a multiple of [`crate::ALIGNMENT`].
        Constants = 9,
        /// [`crate::Metadata`] in postcard.
        Metadata = 10,
    }
}

impl SectionKind {
    /// Every kind, in the order of writing.
    pub const ALL: [SectionKind; 10] = [
        SectionKind::Operations,
        SectionKind::Operands,
        SectionKind::Buffers,
        SectionKind::States,
        SectionKind::Layers,
        SectionKind::Taps,
        SectionKind::Packings,
        SectionKind::Strings,
        SectionKind::Constants,
        SectionKind::Metadata,
    ];

    /// A name for reports.
    pub const fn name(self) -> &'static str {
        match self {
            SectionKind::Operations => "operations",
            SectionKind::Operands => "operands",
            SectionKind::Buffers => "buffers",
            SectionKind::States => "states",
            SectionKind::Layers => "layers",
            SectionKind::Taps => "taps",
            SectionKind::Packings => "packings",
            SectionKind::Strings => "strings",
            SectionKind::Constants => "constants",
            SectionKind::Metadata => "metadata",
        }
    }
}

/// For constant evaluation: where a section of a program starts. Bytes that are no program stop the build.
pub const fn section_start(program: &[u8], kind: SectionKind) -> usize {
    let prelude = Prelude::at(program, 0);
    let mut index = 0;
    while index < prelude.section_count as usize {
        let record = SectionRecord::at(program, prelude.section_table as usize + index * SectionRecord::STRIDE);
        if record.kind == kind.to_byte() {
            return record.offset as usize;
        }
        index += 1;
    }
    panic!("the program lacks a section: export it again")
}
