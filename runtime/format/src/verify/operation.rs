//! Each operation: operands, element types, shapes, constants, rescales.

use super::shape::windows;
use crate::buffer::{BufferRecord, Element};
use crate::error::{LoadError, LoadErrorKind as Kind};
use crate::operation::{Function, OperationKind, OperationRecord, Resampling, TableKind};
use crate::packing::WeightShape;
use crate::prelude::Numerics;
use crate::program::Program;
use crate::record::Record;
use crate::tables::ResizeEntry;
use crate::{MAXIMUM_CONVOLUTION_OPERANDS, NONE};

/// Every operation of the program.
pub(super) fn operations(program: &Program<'_>) -> Result<(), LoadError> {
    for index in 0..program.prelude().operation_count {
        let record = program.operation(index as usize).ok_or(LoadError::new(Kind::Index, index))?;
        Check { program, record, index }.run()?;
    }
    Ok(())
}

struct Check<'a, 'p> {
    program: &'a Program<'p>,
    record: OperationRecord,
    index: u32,
}

impl Check<'_, '_> {
    fn error(&self, kind: Kind, detail: u32) -> LoadError {
        LoadError::at(kind, self.index, detail)
    }

    fn require(&self, holds: bool, kind: Kind, detail: u32) -> Result<(), LoadError> {
        if holds { Ok(()) } else { Err(self.error(kind, detail)) }
    }

    fn run(&self) -> Result<(), LoadError> {
        let record = &self.record;
        let kind = OperationKind::from_byte(record.kind).ok_or(self.error(Kind::Unknown, record.kind.into()))?;
        let output = self.buffer(record.output)?;
        let end = record.first_operand.saturating_add(record.operand_count.into());
        self.require(end <= self.program.prelude().operand_count, Kind::Index, end)?;
        let count = u32::from(record.operand_count);
        let expected = match kind {
            OperationKind::Convolution => count.clamp(1, MAXIMUM_CONVOLUTION_OPERANDS as u32),
            OperationKind::Add | OperationKind::Multiply => 2,
            OperationKind::GatedSum => (count / 2).clamp(1, 2) * 2,
            OperationKind::Affine
            | OperationKind::Activation
            | OperationKind::Lookup
            | OperationKind::Rescale
            | OperationKind::MaxPool
            | OperationKind::GlobalAverage
            | OperationKind::Resize => 1,
        };
        self.require(count == expected, Kind::OperandCount, count)?;
        let first = self.operand(0)?;
        if kind != OperationKind::Convolution {
            self.require(record.multiply_accumulates == 0, Kind::Cost, record.multiply_accumulates as u32)?;
        }
        match kind {
            OperationKind::Convolution => self.convolution(&first, &output),
            OperationKind::Add => {
                self.rescale(record.second, record.second_shift)?;
                self.elementwise(&output)
            }
            OperationKind::Multiply => self.elementwise(&output),
            OperationKind::Affine => {
                self.only(Numerics::Real)?;
                let finite = |bits: u32| f32::from_bits(bits).is_finite();
                self.require(finite(record.first), Kind::Rescale, record.first)?;
                self.require(finite(record.second), Kind::Rescale, record.second)?;
                self.same_shape(&output)
            }
            OperationKind::Activation => {
                self.only(Numerics::Real)?;
                let known = Function::from_byte(record.variant).is_some();
                self.require(known, Kind::Unknown, record.variant.into())?;
                self.same_shape(&output)
            }
            OperationKind::Lookup => self.lookup(&first, &output),
            OperationKind::Rescale => {
                self.only(Numerics::Integer)?;
                self.elementwise(&output)
            }
            OperationKind::MaxPool => self.max_pool(&first, &output),
            OperationKind::GlobalAverage => {
                self.rescale(record.first, record.first_shift)?;
                let fits = (output.channels, output.height, output.width) == (first.channels, 1, 1);
                self.require(fits, Kind::ShapeMismatch, record.output.into())
            }
            OperationKind::Resize => self.resize(&first, &output),
            OperationKind::GatedSum => self.gated_sum(&output),
        }
    }

    fn buffer(&self, index: u16) -> Result<BufferRecord, LoadError> {
        self.program.buffer(index).ok_or(self.error(Kind::Index, index.into()))
    }

    fn operand(&self, slot: usize) -> Result<BufferRecord, LoadError> {
        let operand = self.program.operand(&self.record, slot).ok_or(self.error(Kind::Index, slot as u32))?;
        self.buffer(operand.buffer)
    }

    fn only(&self, numerics: Numerics) -> Result<(), LoadError> {
        self.require(self.program.numerics() == numerics, Kind::Unknown, self.record.kind.into())
    }

    fn constant(&self, offset: u32, length: usize) -> Result<&[u8], LoadError> {
        self.program.constant(offset, length).ok_or(self.error(Kind::Constant, offset))
    }

    fn rescale(&self, multiplier: u32, shift: u8) -> Result<(), LoadError> {
        match self.program.numerics() {
            Numerics::Real => Ok(()),
            Numerics::Integer => {
                self.require(multiplier <= i32::MAX as u32, Kind::Rescale, multiplier)?;
                self.require(shift <= 31, Kind::Rescale, shift.into())
            }
        }
    }

    fn same_shape(&self, output: &BufferRecord) -> Result<(), LoadError> {
        for slot in 0..usize::from(self.record.operand_count) {
            let fits = self.operand(slot)?.same_shape(output);
            self.require(fits, Kind::ShapeMismatch, self.record.output.into())?;
        }
        Ok(())
    }

    fn elementwise(&self, output: &BufferRecord) -> Result<(), LoadError> {
        self.rescale(self.record.first, self.record.first_shift)?;
        self.same_shape(output)
    }

    fn same_type(&self, first: &BufferRecord, output: &BufferRecord) -> Result<(), LoadError> {
        let fits = first.element == output.element && first.zero_point == output.zero_point;
        self.require(fits, Kind::ElementType, self.record.output.into())
    }

    fn lookup(&self, first: &BufferRecord, output: &BufferRecord) -> Result<(), LoadError> {
        self.only(Numerics::Integer)?;
        let variant = self.record.variant;
        let table = TableKind::from_byte(variant).ok_or(self.error(Kind::Unknown, variant.into()))?;
        self.require(first.element == table.element().to_byte(), Kind::ElementType, self.record.output.into())?;
        self.constant(self.record.table, table.entries() * 2)?;
        self.same_shape(output)
    }

    fn gated_sum(&self, output: &BufferRecord) -> Result<(), LoadError> {
        self.only(Numerics::Integer)?;
        let record = &self.record;
        self.rescale(record.second, record.second_shift)?;
        self.elementwise(output)?;
        for slot in 0..usize::from(record.operand_count) {
            let operand = self.program.operand(record, slot).ok_or(self.error(Kind::Index, slot as u32))?;
            if operand.weights == NONE {
                continue;
            }
            let element = Element::from_byte(self.buffer(operand.buffer)?.element);
            let is_fine = record.variant & (1 << slot) != 0;
            let table = element.and_then(|element| TableKind::of_operand(element, is_fine));
            let table = table.ok_or(self.error(Kind::ElementType, operand.buffer.into()))?;
            self.constant(operand.weights, table.entries() * 2)?;
        }
        if record.table != NONE {
            self.constant(record.table, TableKind::Interpolated.entries() * 2)?;
        }
        Ok(())
    }

    fn convolution(&self, first: &BufferRecord, output: &BufferRecord) -> Result<(), LoadError> {
        let record = &self.record;
        self.require(record.variant <= 1, Kind::Unknown, record.variant.into())?;
        let (height, width) = windows(first, record).map_err(|extent| self.error(Kind::Window, extent))?;
        let fits = (output.height, output.width) == (height, width);
        self.require(fits, Kind::ShapeMismatch, record.output.into())?;
        let packing = self.program.packing(record.packing).ok_or(self.error(Kind::Index, record.packing.into()))?;
        let bad_packing = self.error(Kind::Packing, record.packing.into());
        if packing.output_tile == 0 || packing.channel_tile == 0 {
            return Err(bad_packing);
        }
        let (element, element_width) = match self.program.numerics() {
            Numerics::Real => (Element::F32, 4),
            Numerics::Integer => (Element::I8, 1),
        };
        self.require(usize::from(packing.element_width) == element_width, Kind::Packing, record.packing.into())?;
        let groups = u32::from(record.groups);
        let single = groups == 1 || record.operand_count == 1;
        self.require(groups > 0 && single, Kind::Groups, groups)?;
        let divides = |channels: u32| channels.is_multiple_of(groups);
        let mut inputs = 0_u64;
        for slot in 0..usize::from(record.operand_count) {
            let operand = self.program.operand(record, slot).ok_or(self.error(Kind::Index, slot as u32))?;
            let input = self.buffer(operand.buffer)?;
            let index = operand.buffer.into();
            self.require(input.element == element.to_byte(), Kind::ElementType, index)?;
            let same_map = (input.height, input.width) == (first.height, first.width);
            self.require(same_map, Kind::ShapeMismatch, index)?;
            self.require(divides(input.channels) && divides(output.channels), Kind::Groups, groups)?;
            let shape = WeightShape {
                groups: groups as usize,
                outputs: (output.channels / groups) as usize,
                inputs: (input.channels / groups) as usize,
                height: record.kernel_height.into(),
                width: record.kernel_width.into(),
            };
            let length =
                packing.length(shape).and_then(|length| length.checked_mul(element_width)).ok_or(bad_packing)?;
            self.constant(operand.weights, length)?;
            inputs = inputs.saturating_add((input.channels / groups).into());
        }
        let taps = inputs * u64::from(record.kernel_height) * u64::from(record.kernel_width);
        let cost = (output.elements() as u64).saturating_mul(taps);
        self.require(cost == record.multiply_accumulates, Kind::Cost, record.multiply_accumulates as u32)?;
        self.scaling(output.channels as usize)
    }

    /// Bias and multipliers of a convolution.
    fn scaling(&self, channels: usize) -> Result<(), LoadError> {
        let record = &self.record;
        if self.program.numerics() == Numerics::Integer || record.bias != NONE {
            self.constant(record.bias, channels * 4)?;
        }
        if self.program.numerics() == Numerics::Real {
            return Ok(());
        }
        self.rescale(0, record.first_shift)?;
        for multiplier in self.constant(record.multipliers, channels * 4)?.chunks_exact(4) {
            if let [.., top] = *multiplier {
                self.require(top < 128, Kind::Rescale, record.multipliers)?;
            }
        }
        Ok(())
    }

    fn max_pool(&self, first: &BufferRecord, output: &BufferRecord) -> Result<(), LoadError> {
        let record = &self.record;
        self.same_type(first, output)?;
        let (height, width) = windows(first, record).map_err(|extent| self.error(Kind::Window, extent))?;
        let fits = (output.channels, output.height, output.width) == (first.channels, height, width);
        self.require(fits, Kind::ShapeMismatch, record.output.into())?;
        // A window outside the map has no maximum.
        let vertical = record.padding_top.max(record.padding_bottom);
        self.require(vertical < record.kernel_height, Kind::Window, vertical.into())?;
        let horizontal = record.padding_left.max(record.padding_right);
        self.require(horizontal < record.kernel_width, Kind::Window, horizontal.into())
    }

    fn resize(&self, first: &BufferRecord, output: &BufferRecord) -> Result<(), LoadError> {
        let record = &self.record;
        self.same_type(first, output)?;
        let known = Resampling::from_byte(record.variant).is_some();
        self.require(known, Kind::Unknown, record.variant.into())?;
        self.require(first.channels == output.channels, Kind::ShapeMismatch, record.output.into())?;
        let (rows, columns) = (output.height as usize, output.width as usize);
        let table = self.constant(record.table, (rows + columns) * ResizeEntry::STRIDE)?;
        for (index, bytes) in table.chunks_exact(ResizeEntry::STRIDE).enumerate() {
            let size = if index < rows { first.height } else { first.width };
            let wrong = self.error(Kind::ResizeTable, index as u32);
            let entry = ResizeEntry::decode(bytes).ok_or(wrong)?;
            let fits = u32::from(entry.first) < size && entry.weight_128 <= 128 && entry.weight.is_finite();
            if !fits {
                return Err(wrong);
            }
        }
        Ok(())
    }
}
