//! The verified view of a program.

use crate::buffer::BufferRecord;
use crate::error::{LoadError, LoadErrorKind};
use crate::metadata::Metadata;
use crate::operation::OperationRecord;
use crate::packing::Packing;
use crate::prelude::{Numerics, Plan, Prelude};
use crate::record::Record;
use crate::section::{SectionKind, SectionRecord};
use crate::tables::{LayerRecord, OperandRecord, StateRecord, TapRecord};
use crate::{FORMAT_VERSION, MAGIC, MAXIMUM_OPERANDS, MAXIMUM_RECORDS, OPERATION_SET_VERSION, PACKING_VERSION};

/// A program whose every record has been verified, now or (see [`crate::BuiltIn`]) when the image was built. The accessors
/// give none only for indices past the counts; those who execute a program get their indices from it.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    bytes: &'a [u8],
    prelude: Prelude,
    numerics: Numerics,
    plan: Plan,
    sections: [&'a [u8]; SectionKind::ALL.len()],
    constants_start: usize,
}

impl<'a> Program<'a> {
    /// Verifies untrusted bytes. The time is bounded by the program's size and the square of its
    /// number of buffers; nothing is allocated; no bytes make it panic.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let program = Self::parse(bytes)?;
        crate::verify::verify(&program)?;
        Ok(program)
    }

    /// The view of bytes that were verified; for constant evaluation, where others stop the build.
    pub(crate) const fn at(bytes: &'a [u8]) -> Self {
        let prelude = Prelude::at(bytes, 0);
        let (Some(numerics), Some(plan)) = (Numerics::from_byte(prelude.numerics), Plan::from_byte(prelude.plan))
        else {
            panic!("the program has an unknown arithmetic or plan: export it again")
        };
        let mut sections: [&'a [u8]; SectionKind::ALL.len()] = [&[]; SectionKind::ALL.len()];
        let mut constants_start = 0;
        let mut index = 0;
        while index < sections.len() {
            let record = SectionRecord::at(bytes, prelude.section_table as usize + index * SectionRecord::STRIDE);
            let (_, section) = bytes.split_at(record.offset as usize);
            (sections[record.kind as usize - 1], _) = section.split_at(record.length as usize);
            if record.kind == SectionKind::Constants.to_byte() {
                constants_start = record.offset as usize;
            }
            index += 1;
        }
        Self { bytes, prelude, numerics, plan, sections, constants_start }
    }

    /// Checks the frame around the records: versions, size, CRC, sections.
    fn parse(bytes: &'a [u8]) -> Result<Self, LoadError> {
        use LoadErrorKind as Kind;
        let fail = |kind, detail| Err(LoadError::new(kind, detail));
        let Some(prelude) = Prelude::decode(bytes) else {
            // Too short to hold a prelude: say what it is not, where that can be seen.
            return match bytes.first_chunk::<4>() {
                Some(magic) if *magic != MAGIC => fail(Kind::Magic, u32::from_le_bytes(*magic)),
                _ => fail(Kind::Truncated, bytes.len() as u32),
            };
        };
        if prelude.magic != u32::from_le_bytes(MAGIC) {
            return fail(Kind::Magic, prelude.magic);
        }
        if prelude.format_version != FORMAT_VERSION {
            return fail(Kind::FormatVersion, prelude.format_version.into());
        }
        if prelude.operation_set_version != OPERATION_SET_VERSION {
            return fail(Kind::OperationSetVersion, prelude.operation_set_version.into());
        }
        if prelude.packing_version != PACKING_VERSION {
            return fail(Kind::PackingVersion, prelude.packing_version.into());
        }
        let size = prelude.total_size as usize;
        if bytes.len() < size || size < Prelude::STRIDE {
            return fail(Kind::Truncated, bytes.len() as u32);
        }
        if bytes.len() > size {
            return fail(Kind::TrailingBytes, prelude.total_size);
        }
        let crc = crate::crc32::program_checksum(bytes);
        if crc != prelude.crc {
            return fail(Kind::Checksum, crc);
        }
        let Some(numerics) = Numerics::from_byte(prelude.numerics) else {
            return fail(Kind::Unknown, prelude.numerics.into());
        };
        let Some(plan) = Plan::from_byte(prelude.plan) else { return fail(Kind::Unknown, prelude.plan.into()) };
        let records = [
            prelude.operation_count,
            prelude.buffer_count,
            prelude.state_count,
            prelude.layer_count,
            prelude.tap_count,
            prelude.packing_count,
        ];
        if let Some(&count) = records.iter().find(|&&count| count > MAXIMUM_RECORDS) {
            return fail(Kind::TooMany, count);
        }
        if prelude.operand_count > MAXIMUM_OPERANDS {
            return fail(Kind::TooMany, prelude.operand_count);
        }
        let sections: [&'a [u8]; SectionKind::ALL.len()] = [&[]; SectionKind::ALL.len()];
        let mut program = Self { bytes, prelude, numerics, plan, sections, constants_start: 0 };
        program.find_sections()?;
        Ok(program)
    }

    fn find_sections(&mut self) -> Result<(), LoadError> {
        use LoadErrorKind as Kind;
        let prelude = self.prelude;
        if prelude.section_count as usize != SectionKind::ALL.len() {
            return Err(LoadError::new(Kind::Section, prelude.section_count));
        }
        let mut seen = 0_u32;
        for index in 0..SectionKind::ALL.len() {
            let start = (prelude.section_table as usize).saturating_add(index * SectionRecord::STRIDE);
            let record = self.bytes.get(start..).and_then(SectionRecord::decode);
            let Some(record) = record else { return Err(LoadError::new(Kind::SectionBounds, index as u32)) };
            let detail = u32::from(record.kind);
            let Some(kind) = SectionKind::from_byte(record.kind) else {
                return Err(LoadError::new(Kind::Unknown, detail));
            };
            let bit = 1 << detail;
            if seen & bit != 0 {
                return Err(LoadError::new(Kind::Section, detail));
            }
            seen |= bit;
            let bounds = LoadError::new(Kind::SectionBounds, detail);
            let start = record.offset as usize;
            let end = start.checked_add(record.length as usize).ok_or(bounds)?;
            let bytes = self.bytes.get(start..end).ok_or(bounds)?;
            let (stride, count) = match kind {
                SectionKind::Operations => (OperationRecord::STRIDE, Some(prelude.operation_count)),
                SectionKind::Operands => (OperandRecord::STRIDE, Some(prelude.operand_count)),
                SectionKind::Buffers => (BufferRecord::STRIDE, Some(prelude.buffer_count)),
                SectionKind::States => (StateRecord::STRIDE, Some(prelude.state_count)),
                SectionKind::Layers => (LayerRecord::STRIDE, Some(prelude.layer_count)),
                SectionKind::Taps => (TapRecord::STRIDE, Some(prelude.tap_count)),
                SectionKind::Packings => (Packing::STRIDE, Some(prelude.packing_count)),
                SectionKind::Strings | SectionKind::Constants | SectionKind::Metadata => (1, None),
            };
            let expected = count.map_or(bytes.len(), |count| (count as usize).saturating_mul(stride));
            if record.stride as usize != stride || bytes.len() != expected {
                return Err(bounds);
            }
            if kind == SectionKind::Constants {
                self.constants_start = start;
            }
            if let Some(slot) = self.sections.get_mut(kind as usize - 1) {
                *slot = bytes;
            }
        }
        Ok(())
    }

    fn record<R: Record>(&self, kind: SectionKind, index: usize) -> Option<R> {
        let bytes = self.section(kind);
        R::decode(bytes.get(index.checked_mul(R::STRIDE)?..)?)
    }

    /// The bytes of a section.
    pub fn section(&self, kind: SectionKind) -> &'a [u8] {
        self.sections.get(kind as usize - 1).copied().unwrap_or(&[])
    }

    /// The whole program.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The prelude.
    pub const fn prelude(&self) -> &Prelude {
        &self.prelude
    }

    /// Real or integer arithmetic.
    pub fn numerics(&self) -> Numerics {
        self.numerics
    }

    /// The order of layers that the arena holds.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// Number of operations.
    pub fn operation_count(&self) -> usize {
        self.prelude.operation_count as usize
    }

    /// An operation, in order of execution.
    pub fn operation(&self, index: usize) -> Option<OperationRecord> {
        self.record(SectionKind::Operations, index)
    }

    /// An operand of an operation.
    pub fn operand(&self, operation: &OperationRecord, index: usize) -> Option<OperandRecord> {
        if index >= usize::from(operation.operand_count) {
            return None;
        }
        self.record(SectionKind::Operands, (operation.first_operand as usize).checked_add(index)?)
    }

    /// A buffer.
    pub fn buffer(&self, index: u16) -> Option<BufferRecord> {
        self.record(SectionKind::Buffers, usize::from(index))
    }

    /// Number of buffers.
    pub fn buffer_count(&self) -> usize {
        self.prelude.buffer_count as usize
    }

    /// A state, in the graph's order.
    pub fn state(&self, index: usize) -> Option<StateRecord> {
        self.record(SectionKind::States, index)
    }

    /// The states, in the graph's order.
    pub fn states(&self) -> impl Iterator<Item = StateRecord> + use<'a> {
        records(self.section(SectionKind::States))
    }

    /// A layer, in order of execution.
    pub fn layer(&self, index: usize) -> Option<LayerRecord> {
        self.record(SectionKind::Layers, index)
    }

    /// Number of layers.
    pub fn layer_count(&self) -> usize {
        self.prelude.layer_count as usize
    }

    /// The layers, in order of execution.
    pub fn layers(&self) -> impl Iterator<Item = LayerRecord> + use<'a> {
        records(self.section(SectionKind::Layers))
    }

    /// The taps.
    pub fn taps(&self) -> impl Iterator<Item = TapRecord> + use<'a> {
        records(self.section(SectionKind::Taps))
    }

    /// A weight packing.
    pub fn packing(&self, index: u16) -> Option<Packing> {
        self.record(SectionKind::Packings, usize::from(index))
    }

    /// A name; empty where it cannot be read.
    pub fn name(&self, start: u32, length: u16) -> &'a str {
        let range = start as usize..(start as usize).saturating_add(length.into());
        let bytes = self.section(SectionKind::Strings).get(range).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("")
    }

    /// `length` bytes of the constants at an offset from the program's start; none if they lie
    /// outside the constants or if the offset is not a multiple of [`crate::ALIGNMENT`].
    pub fn constant(&self, offset: u32, length: usize) -> Option<&'a [u8]> {
        let offset = offset as usize;
        if !offset.is_multiple_of(crate::ALIGNMENT) {
            return None;
        }
        let start = offset.checked_sub(self.constants_start)?;
        self.section(SectionKind::Constants).get(start..start.checked_add(length)?)
    }

    /// The metadata.
    pub fn metadata(&self) -> Option<Metadata<'a>> {
        Metadata::decode(self.section(SectionKind::Metadata)).ok()
    }

    /// Bytes of all states.
    pub fn state_bytes(&self) -> usize {
        let lengths = self.states().filter_map(|state| self.buffer(state.buffer));
        lengths.fold(0, |sum, buffer| sum.saturating_add(buffer.length as usize))
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.buffer(self.prelude.logits_buffer).map_or(0, |buffer| buffer.channels as usize)
    }
}

fn records<R: Record>(bytes: &[u8]) -> impl Iterator<Item = R> {
    bytes.chunks_exact(R::STRIDE.max(1)).filter_map(R::decode)
}

/// Writes the CRC of a finished program into its prelude; none if the bytes are too short.
pub fn seal(bytes: &mut [u8]) -> Option<()> {
    let crc = crate::crc32::program_checksum(bytes);
    crate::record::Field::write(crc, bytes, crate::prelude::CRC_OFFSET)
}
