//! One operation with its memory: what a backend is given.

use crate::arena::Surroundings;
use convrnn_format::{BufferRecord, Numerics, OperationKind, OperationRecord, Packing, Program};

/// An operation about to run. The output is exclusive, the operands are shared; none overlap.
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
        let buffer = self.program.buffer(record.buffer)?;
        Some(Operand { buffer, bytes: self.around.get(&buffer), weights: record.weights })
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
        let bytes = self.program.constant(offset, length.wrapping_mul(size_of::<T>())).unwrap_or(&[]);
        elements(bytes)
    }
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
