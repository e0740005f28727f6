//! Groups of operations that are computed in bands of rows.

use crate::buffer::{BufferRecord, Role};
use crate::error::{LoadError, LoadErrorKind as Kind};
use crate::operation::{OperationKind, OperationRecord};
use crate::program::Program;
use crate::{MAXIMUM_BANDS, MAXIMUM_GROUP};
use core::ops::Range;

/// Every group by itself: its operations, and that each finds the rows it reads in each band.
pub(super) fn bands(program: &Program<'_>) -> Result<(), LoadError> {
    let mut index = 0;
    while let Some(record) = program.operation(index) {
        let at = index as u32;
        if !record.is_in_bands() {
            if record.band_lead != 0 || record.ends_bands != 0 {
                return Err(LoadError::at(Kind::Bands, at, record.band_lead.into()));
            }
            whole(program, &record, at)?;
            index += 1;
            continue;
        }
        let mut end = index;
        while let Some(member) = program.operation(end).filter(OperationRecord::is_in_bands)
            && member.ends_bands == 0
            && member.layer == record.layer
            && end + 1 - index < MAXIMUM_GROUP
        {
            end += 1;
        }
        let last = program.operation(end).filter(|last| last.ends_bands == 1 && last.layer == record.layer);
        let last = last.filter(OperationRecord::is_in_bands).ok_or(LoadError::at(Kind::Bands, at, end as u32))?;
        let group =
            Group { program, operations: index..end + 1, bands: last.band_count(output(program, &last)?.height) };
        if group.bands > MAXIMUM_BANDS {
            return Err(LoadError::at(Kind::Bands, at, group.bands));
        }
        for member in group.operations.clone() {
            group.operation(member)?;
        }
        index = end + 1;
    }
    Ok(())
}

fn output(program: &Program<'_>, record: &OperationRecord) -> Result<BufferRecord, LoadError> {
    program.buffer(record.output).ok_or(LoadError::new(Kind::Index, record.output.into()))
}

/// An operation in no group reads and writes whole tensors.
fn whole(program: &Program<'_>, record: &OperationRecord, index: u32) -> Result<(), LoadError> {
    let operands = (0..usize::from(record.operand_count)).filter_map(|slot| program.operand(record, slot));
    for buffer in operands.map(|operand| operand.buffer).chain([record.output]) {
        if program.buffer(buffer).is_none_or(|buffer| !buffer.is_whole()) {
            return Err(LoadError::at(Kind::Bands, index, buffer.into()));
        }
    }
    Ok(())
}

struct Group<'a, 'p> {
    program: &'a Program<'p>,
    operations: Range<usize>,
    bands: u32,
}

impl Group<'_, '_> {
    fn operation(&self, index: usize) -> Result<(), LoadError> {
        let fail = |detail: u32| LoadError::at(Kind::Bands, index as u32, detail);
        let record = self.program.operation(index).ok_or(fail(0))?;
        let kind = OperationKind::from_byte(record.kind).ok_or(fail(0))?;
        let target = output(self.program, &record)?;
        if !kind.has_rows() || record.ends_bands > 1 || record.band_count(target.height) > self.bands {
            return Err(fail(record.band_rows.into()));
        }
        for band in 0..self.bands {
            let rows = record.rows_of_band(target.height, band);
            if rows.is_empty() {
                continue;
            }
            if rows.end - rows.start > target.capacity() {
                return Err(fail(record.output.into()));
            }
            for slot in 0..usize::from(record.operand_count) {
                let operand = self.program.operand(&record, slot).ok_or(fail(slot as u32))?;
                let buffer = self.program.buffer(operand.buffer).ok_or(fail(operand.buffer.into()))?;
                let read = record.operand_rows(buffer.height, &rows);
                if read.is_empty() || !self.holds(&buffer, &read, band) {
                    return Err(fail(operand.buffer.into()));
                }
            }
        }
        Ok(())
    }

    /// Whether a buffer holds some rows in a band. What the group does not write is whole and complete, and a state has
    /// values always, old ones and new.
    fn holds(&self, buffer: &BufferRecord, rows: &Range<u32>, band: u32) -> bool {
        let writer = buffer.first_use as usize;
        if buffer.role != Role::Transient.to_byte() || !self.operations.contains(&writer) {
            return buffer.is_whole();
        }
        self.program.operation(writer).is_some_and(|writer| {
            let of_band = writer.rows_of_band(buffer.height, band);
            // What holds the rows of one band alone may share its bytes with others between bands.
            let first = if buffer.is_of_one_band(&writer) { of_band.start } else { buffer.first_resident(of_band.end) };
            first <= rows.start && rows.end <= of_band.end
        })
    }
}
