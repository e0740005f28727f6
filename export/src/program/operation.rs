//! The record of an operation, its operands and its constants.

use super::error::ProgramError;
use super::pack::pack;
use super::records::{extent, resampling, resize_table, set_factors, set_window};
use super::step::{ConvolutionWork, Factor, StepNode, Table, Work, bytes_of};
use super::write::Writer;
use convrnn_format::packing::WeightShape;
use convrnn_format::{MAXIMUM_EXTENT, NONE, OperandRecord, OperationKind, OperationRecord, TableKind};
use convrnn_graph::Pool;

impl Writer<'_> {
    /// The record of a node; its operands and constants are added to the writer's.
    pub(super) fn operation(&mut self, index: usize) -> Result<OperationRecord, ProgramError> {
        let node = &self.step.nodes[index];
        let (name, name_length) = self.name(&node.name);
        let mut record = OperationRecord {
            layer: node.layer as u16,
            first_operand: self.operands.len() as u32,
            operand_count: node.inputs.len() as u16,
            output: self.arena.nodes[index] as u16,
            bias: NONE,
            multipliers: NONE,
            table: NONE,
            name,
            name_length,
            multiply_accumulates: self.step.multiply_accumulates(node),
            ..OperationRecord::default()
        };
        for &read in &node.inputs {
            self.operands.push(OperandRecord { buffer: self.arena.read(read) as u16, weights: NONE });
        }
        let kind = match &node.work {
            Work::Convolution(work) => {
                self.convolution(node, work, &mut record)?;
                OperationKind::Convolution
            }
            Work::Add { left, right } => {
                set_factors(&mut record, *left, *right);
                OperationKind::Add
            }
            Work::Multiply(factor) => {
                set_factors(&mut record, *factor, Factor::default());
                OperationKind::Multiply
            }
            Work::Affine { scale, offset } => {
                (record.first, record.second) = (scale.to_bits(), offset.to_bits());
                OperationKind::Affine
            }
            Work::Activation(function) => {
                record.variant = function.to_byte();
                OperationKind::Activation
            }
            Work::Lookup(table) => {
                record.variant = table.kind.to_byte();
                record.table = self.table(table);
                OperationKind::Lookup
            }
            Work::Rescale(factor) => {
                set_factors(&mut record, *factor, Factor::default());
                OperationKind::Rescale
            }
            Work::MaxPool(pool) => {
                set_window(node, &mut record, pool)?;
                OperationKind::MaxPool
            }
            Work::GlobalAverage(factor) => {
                set_factors(&mut record, *factor, Factor::default());
                OperationKind::GlobalAverage
            }
            Work::Resize(resize) => {
                record.variant = resampling(resize.mode).to_byte();
                record.table = self.constants.add(resize_table(self.step, node, resize));
                OperationKind::Resize
            }
            Work::GatedSum(work) => {
                set_factors(&mut record, work.factors[0], work.factors[1]);
                for (slot, table) in work.tables.iter().enumerate() {
                    let Some(table) = table else { continue };
                    record.variant |= u8::from(table.kind == TableKind::Fine) << slot;
                    self.operands[record.first_operand as usize + slot].weights = self.table(table);
                }
                record.table = work.function.as_ref().map_or(NONE, |function| self.table(function));
                OperationKind::GatedSum
            }
        };
        record.kind = kind.to_byte();
        if let Some(bands) = self.bands.nodes[index] {
            // The plan has seen to it that they fit.
            (record.band_rows, record.band_lead) = (bands.rows as u16, bands.lead as u8);
            record.ends_bands = bands.ends.into();
        }
        Ok(record)
    }

    fn table(&mut self, table: &Table) -> u32 {
        self.constants.add(bytes_of(&table.entries, i16::to_le_bytes))
    }

    fn convolution(
        &mut self,
        node: &StepNode,
        work: &ConvolutionWork,
        record: &mut OperationRecord,
    ) -> Result<(), ProgramError> {
        let window = Pool { kernel: work.kernel, stride: work.stride, padding: work.padding };
        set_window(node, record, &window)?;
        record.groups = extent(node, "the number of groups", work.groups)?;
        record.first_shift = work.shift;
        let (groups, outputs) = (work.groups, node.value.shape.channels / work.groups);
        let channels = |slot: usize| self.step.read_value(node.inputs[slot]).shape.channels / groups;
        let packing = self.options.target.packing(work, channels(0), outputs);
        let known = self.packings.iter().position(|other| *other == packing);
        let index = known.unwrap_or_else(|| {
            self.packings.push(packing);
            self.packings.len() - 1
        });
        record.packing = index as u16;
        let mut first = 0;
        for slot in 0..node.inputs.len() {
            let inputs = self.step.read_value(node.inputs[slot]).shape.channels / groups;
            let shape = WeightShape { groups, outputs, inputs, height: work.kernel[0], width: work.kernel[1] };
            let limit = MAXIMUM_EXTENT as usize;
            let too_large =
                || ProgramError::Extent { node: node.name.clone(), what: "its weight", value: usize::MAX, limit };
            let packed = pack(work, &packing, shape, first).ok_or_else(too_large)?;
            let operand = record.first_operand as usize + slot;
            self.operands[operand].weights = self.constants.add(packed);
            first += inputs;
        }
        record.bias = work.bias.clone().map_or(NONE, |bias| self.constants.add(bias));
        record.multipliers = work.multipliers.clone().map_or(NONE, |multipliers| self.constants.add(multipliers));
        Ok(())
    }
}
