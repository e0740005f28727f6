//! Convolutions that share their windows.

use crate::error::{LoadError, LoadErrorKind as Kind};
use crate::operation::OperationRecord;
use crate::program::Program;
use crate::{MAXIMUM_SIBLING_OPERANDS, MAXIMUM_SIBLINGS};

/// Siblings have all but their weights in common, and outputs that share no byte.
pub(super) fn siblings(program: &Program<'_>) -> Result<(), LoadError> {
    let mut index = 0;
    while let Some(first) = program.operation(index) {
        let siblings = program.siblings(index);
        if siblings.len() > MAXIMUM_SIBLINGS {
            return Err(LoadError::at(Kind::Siblings, index as u32, siblings.len() as u32));
        }
        for other in index + 1..siblings.end {
            let fail = LoadError::at(Kind::Siblings, other as u32, index as u32);
            let record = program.operation(other).filter(|record| is_alike(program, &first, record)).ok_or(fail)?;
            let output = program.buffer(record.output).ok_or(fail)?;
            for before in (index..other).filter_map(|before| program.operation(before)) {
                if before.ends_bands != 0 {
                    return Err(fail);
                }
                if program.buffer(before.output).is_none_or(|before| before.overlaps(&output)) {
                    return Err(LoadError::at(Kind::Overlap, other as u32, record.output.into()));
                }
            }
        }
        index = siblings.end;
    }
    Ok(())
}

fn is_alike(program: &Program<'_>, first: &OperationRecord, other: &OperationRecord) -> bool {
    let window = |record: &OperationRecord| {
        let kernel = (record.kernel_height, record.kernel_width, record.stride_height, record.stride_width);
        let padding = (record.padding_top, record.padding_bottom, record.padding_left, record.padding_right);
        (record.kind, record.layer, record.packing, record.groups, kernel, padding)
    };
    let bands = |record: &OperationRecord| (record.band_rows, record.band_lead);
    let count = usize::from(first.operand_count);
    let reads = |record: &OperationRecord, slot| program.operand(record, slot).map(|operand| operand.buffer);
    let output =
        |record: &OperationRecord| program.buffer(record.output).map(|output| (output.channels, output.element));
    window(first) == window(other)
        && bands(first) == bands(other)
        && first.groups == 1
        && count <= MAXIMUM_SIBLING_OPERANDS
        && first.operand_count == other.operand_count
        && output(first) == output(other)
        && (0..count).all(|slot| reads(first, slot) == reads(other, slot) && reads(other, slot) != Some(other.output))
}
