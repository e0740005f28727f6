//! One operation with its memory: what a backend is given.

use crate::arena::Surroundings;
use convrnn_format::{BufferRecord, Numerics, OperationKind, OperationRecord, Packing, Program};
use core::ops::Range;

/// An operation about to run, or some rows of it. The output is exclusive, the operands are shared; none overlap.
///
/// Rows of an operation look like an operation on lower maps: `target`, the operands and the padding in `record` are
/// those of the rows, so that no kernel needs to know.
#[derive(Debug)]
pub struct Task<'a> {
    /// The program, for constants.
    pub program: &'a Program<'a>,
    /// What to compute.
    pub kind: OperationKind,
    /// Its fields.
    pub record: OperationRecord,
    /// Shape, element type and scale of the output.
    pub target: BufferRecord,
    /// Bytes of the output.
    pub output: &'a mut [u8],
    pub(crate) around: Surroundings<'a>,
    pub(crate) part: Part,
    /// Convolutions after this one that read the same operands through the same windows. A backend may compute all of
    /// them too; if it does not, they are given to it one by one.
    pub siblings: &'a mut [Sibling<'a>],
    /// Whether it has.
    pub has_done_siblings: bool,
}

/// A convolution that reads what another one does: of the same window, packing and number of output channels.
#[derive(Debug, Default)]
pub struct Sibling<'a> {
    /// Its fields.
    pub record: OperationRecord,
    /// Shape, element type and scale of the output.
    pub target: BufferRecord,
    /// Bytes of the output.
    pub output: &'a mut [u8],
}

/// How much of an operation a task is.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Some rows of the output.
    Rows {
        /// The rows of the operands that they depend on.
        operands: Range<u32>,
        /// The band of the group, which tells what rows buffers hold; 0 for an operation in none.
        band: u32,
    },
}

/// One operand.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// Shape, element type and scale.
    pub buffer: BufferRecord,
    /// Elements in height, width, channel order.
    pub bytes: &'a [u8],
    /// Offset of its weights in the program, for a convolution.
    pub weights: u32,
}

impl<'a> Task<'a> {
    /// An operand.
    pub fn operand(&self, index: usize) -> Option<Operand<'a>> {
        let record = self.program.operand(&self.record, index)?;
        let mut buffer = self.program.buffer(record.buffer)?;
        let mut bytes = self.around.get(&buffer);
        if let Part::Rows { operands, band } = &self.part {
            let row_bytes = buffer.row_bytes();
            let first = operands.start.wrapping_sub(self.program.first_row(&buffer, *band)) as usize;
            let range = first..first.wrapping_add(operands.len());
            bytes = bytes.get(range.start.wrapping_mul(row_bytes)..range.end.wrapping_mul(row_bytes)).unwrap_or(&[]);
            buffer.height = operands.len() as u32;
        }
        Some(Operand { buffer, bytes, weights: record.weights })
    }

    /// The task of some rows of a whole one, whose output holds the rows from `first` on. None where the memory is not
    /// there, which verification excludes.
    pub(crate) fn part(mut self, rows: &Range<u32>, first: u32, band: u32) -> Option<Self> {
        let height = self.program.buffer(self.program.operand(&self.record, 0)?.buffer)?.height;
        let operands = self.record.operand_rows(height, rows);
        self.output = rows_of(self.output, &self.target, rows, first)?;
        (self.record, self.target.height) = (self.record.part(rows), rows.len() as u32);
        for sibling in self.siblings.iter_mut() {
            let first = sibling.target.first_resident(rows.end);
            sibling.output = rows_of(core::mem::take(&mut sibling.output), &sibling.target, rows, first)?;
            (sibling.record, sibling.target.height) = (sibling.record.part(rows), rows.len() as u32);
        }
        self.part = Part::Rows { operands, band };
        Some(self)
    }

    /// Whether an operand lies where the output does, element for element; its bytes are then those of
    /// the output, and [`Self::operand`] gives none. Only operands of gated sums do.
    pub fn is_in_place(&self, index: usize) -> bool {
        self.program.operand(&self.record, index).is_some_and(|operand| operand.buffer == self.record.output)
    }

    /// Real or integer arithmetic.
    pub fn numerics(&self) -> Numerics {
        crate::kernels::built(self.program.numerics())
    }

    /// The packing of a convolution's weights.
    pub fn packing(&self) -> Packing {
        self.program.packing(self.record.packing).unwrap_or_default()
    }

    /// A constant of `length` elements of `T`; empty where there is none.
    pub fn constant<T: bytemuck::AnyBitPattern>(&self, offset: u32, length: usize) -> &'a [T] {
        constant(self.program, offset, length)
    }
}

/// A constant of `length` elements of `T`; empty where there is none.
pub(crate) fn constant<'a, T: bytemuck::AnyBitPattern>(program: &Program<'a>, offset: u32, length: usize) -> &'a [T] {
    let bytes = program.constant(offset, length.wrapping_mul(size_of::<T>())).unwrap_or(&[]);
    elements(bytes)
}

/// Bytes as elements; empty if they are not aligned for them, which verification excludes.
#[inline]
pub fn elements<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> &[T] {
    bytemuck::try_cast_slice(bytes).unwrap_or(&[])
}

/// Bytes as elements to write.
#[inline]
pub fn elements_mut<T: bytemuck::Pod>(bytes: &mut [u8]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(bytes).unwrap_or(&mut [])
}

/// The bytes of some rows of an output that holds those from `first` on.
fn rows_of<'a>(output: &'a mut [u8], target: &BufferRecord, rows: &Range<u32>, first: u32) -> Option<&'a mut [u8]> {
    let row_bytes = target.row_bytes();
    let place = |row: u32| (row.wrapping_sub(first) as usize).wrapping_mul(row_bytes);
    output.get_mut(place(rows.start)..place(rows.end))
}
