//! From a step with its order and its arena to bytes.

use super::arena::ArenaPlan;
use super::bands::Bands;
use super::constants::Constants;
use super::error::ProgramError;
use super::order::Order;
use super::records::{buffer_record, encode};
use super::step::Step;
use super::{ProgramDescription, ProgramOptions, siblings};
use convrnn_format::program::seal;
use convrnn_format::{
    ALIGNMENT, BufferRecord, FORMAT_VERSION, LayerRecord, MAGIC, Metadata, NO_INDEX, NONE, OPERATION_SET_VERSION,
    OperandRecord, OperationRecord, PACKING_VERSION, Packing, Prelude, Program, Record, SectionKind, SectionRecord,
    StateKind, StateRecord, TapRecord,
};
use convrnn_models as models;

/// Room for metadata besides its strings.
const METADATA_OVERHEAD: usize = 128;

pub(super) fn write(
    step: &Step,
    first_image_step: Option<usize>,
    description: &ProgramDescription<'_>,
    options: &ProgramOptions,
) -> Result<Vec<u8>, ProgramError> {
    let (order, arena, bands) = siblings::plan(step, options)?;
    let metadata = metadata(step, description)?;
    let writer = Writer {
        step,
        arena: &arena,
        bands: &bands,
        options,
        strings: String::new(),
        operands: Vec::new(),
        packings: Vec::new(),
        constants: Constants::default(),
    };
    let bytes = writer.write(&order, first_image_step, metadata)?;
    Program::new_checked(&bytes).map_err(ProgramError::Rejected)?;
    Ok(bytes)
}

fn metadata(step: &Step, description: &ProgramDescription<'_>) -> Result<Vec<u8>, ProgramError> {
    let classes = step.nodes[step.logits.0].value.shape.channels;
    let names = description.class_names;
    if !names.is_empty() && names.len() != classes {
        return Err(ProgramError::ClassNames { found: names.len(), expected: classes });
    }
    if let Some(name) = names.iter().find(|name| name.contains(['\n', '\r'])) {
        return Err(ProgramError::ClassName { name: name.clone() });
    }
    let preprocessing: Option<&models::Preprocessing> = description.preprocessing;
    let fail = |error: &dyn std::fmt::Display| ProgramError::Metadata(error.to_string());
    let preprocessing = preprocessing.map_or(Ok(String::new()), serde_json::to_string).map_err(|error| fail(&error))?;
    let class_names = names.join("\n");
    let metadata = Metadata {
        name: &step.name,
        class_names: &class_names,
        preprocessing: &preprocessing,
        steps: description.presentation.steps as u32,
        image_steps: description.presentation.image_steps as u32,
        producer: concat!("convrnn-export ", env!("CARGO_PKG_VERSION")),
    };
    let mut bytes = vec![0; step.name.len() + class_names.len() + preprocessing.len() + METADATA_OVERHEAD];
    metadata.encode(&mut bytes).map(|used| used.to_vec()).map_err(|error| fail(&error))
}

pub(super) struct Writer<'a> {
    pub(super) step: &'a Step,
    pub(super) arena: &'a ArenaPlan,
    pub(super) bands: &'a Bands,
    pub(super) options: &'a ProgramOptions,
    pub(super) strings: String,
    pub(super) operands: Vec<OperandRecord>,
    pub(super) packings: Vec<Packing>,
    pub(super) constants: Constants,
}

impl Writer<'_> {
    fn write(
        mut self,
        order: &Order,
        first_image_step: Option<usize>,
        metadata: Vec<u8>,
    ) -> Result<Vec<u8>, ProgramError> {
        let step = self.step;
        let mut operations: Vec<OperationRecord> = Vec::new();
        let mut alike: Vec<usize> = Vec::new();
        for node in order.nodes() {
            if self.options.shares_windows && siblings::is_sibling(step, self.arena, self.bands, &alike, node) {
                // That of a convolution: the next one is a sibling.
                if let Some(before) = operations.last_mut() {
                    before.variant = 1;
                }
            } else {
                alike.clear();
            }
            alike.push(node);
            operations.push(self.operation(node)?);
        }
        let mut layers = Vec::new();
        let mut first_operation = 0;
        for (layer, nodes) in &order.layers {
            let (name, name_length) = self.name(&step.layers[*layer]);
            let operation_count = nodes.len() as u32;
            let costs = nodes.iter().map(|&node| step.multiply_accumulates(&step.nodes[node]));
            layers.push(LayerRecord {
                name,
                name_length,
                layer: *layer as u16,
                first_operation,
                operation_count,
                multiply_accumulates: costs.sum(),
                first_step: first_step(step, *layer)?,
            });
            first_operation += operation_count;
        }
        let mut states = (0..step.states.len()).map(|index| self.state(index)).collect::<Result<Vec<_>, _>>()?;
        let taps: Vec<TapRecord> = self.taps();
        let buffers: Vec<BufferRecord> = self.arena.buffers.iter().map(buffer_record).collect();
        let frame_table = step.frame_table.clone().map_or(NONE, |table| self.constants.add(table));
        let mut prelude = Prelude {
            magic: u32::from_le_bytes(MAGIC),
            format_version: FORMAT_VERSION,
            operation_set_version: OPERATION_SET_VERSION,
            numerics: step.numerics.to_byte(),
            plan: self.options.plan.to_byte(),
            packing_version: PACKING_VERSION,
            cache_offset: limited(self.arena.cache_offset)?,
            skipping: self.options.skipping.to_byte(),
            arena_length: limited(self.arena.length)?,
            section_count: SectionKind::ALL.len() as u32,
            operation_count: operations.len() as u32,
            operand_count: self.operands.len() as u32,
            buffer_count: buffers.len() as u32,
            state_count: states.len() as u32,
            layer_count: layers.len() as u32,
            tap_count: taps.len() as u32,
            packing_count: self.packings.len() as u32,
            frame_buffer: self.arena.frame as u16,
            logits_buffer: self.arena.after_step(step, step.logits.0) as u16,
            blank: step.blank,
            first_image_step: first_image_step.unwrap_or(0) as u32,
            multiply_accumulates: layers.iter().map(|layer| layer.multiply_accumulates).sum(),
            ..Prelude::default()
        };
        // Constants count from the program's start: find the section's place before they are fixed.
        let strides = [OperationRecord::STRIDE, OperandRecord::STRIDE, BufferRecord::STRIDE, StateRecord::STRIDE];
        let lengths = [operations.len(), self.operands.len(), buffers.len(), states.len()];
        let fixed: usize = strides.iter().zip(lengths).map(|(stride, count)| padded(stride * count)).sum();
        let table = Prelude::STRIDE + SectionKind::ALL.len() * SectionRecord::STRIDE;
        let base = padded(table)
            + fixed
            + padded(layers.len() * LayerRecord::STRIDE)
            + padded(taps.len() * TapRecord::STRIDE)
            + padded(self.packings.len() * Packing::STRIDE)
            + padded(self.strings.len());
        let base = limited(base)?;
        let shift = |offset: &mut u32| {
            if *offset != NONE {
                *offset += base;
            }
        };
        for operation in &mut operations {
            shift(&mut operation.bias);
            shift(&mut operation.multipliers);
            shift(&mut operation.table);
        }
        for operand in &mut self.operands {
            shift(&mut operand.weights);
        }
        for state in &mut states {
            shift(&mut state.initial);
        }
        prelude.frame_table = frame_table;
        shift(&mut prelude.frame_table);
        let sections = [
            (SectionKind::Operations, OperationRecord::STRIDE, encode(&operations)),
            (SectionKind::Operands, OperandRecord::STRIDE, encode(&self.operands)),
            (SectionKind::Buffers, BufferRecord::STRIDE, encode(&buffers)),
            (SectionKind::States, StateRecord::STRIDE, encode(&states)),
            (SectionKind::Layers, LayerRecord::STRIDE, encode(&layers)),
            (SectionKind::Taps, TapRecord::STRIDE, encode(&taps)),
            (SectionKind::Packings, Packing::STRIDE, encode(&self.packings)),
            (SectionKind::Strings, 1, self.strings.into_bytes()),
            (SectionKind::Constants, 1, self.constants.into_bytes()),
            (SectionKind::Metadata, 1, metadata),
        ];
        assemble(prelude, &sections)
    }

    /// Puts a name into the strings.
    pub(super) fn name(&mut self, name: &str) -> (u32, u16) {
        // A name of 64 KiB would be cut; no graph has one.
        let length = name.len().min(usize::from(u16::MAX));
        let start = match self.strings.find(name) {
            Some(start) => start,
            None => {
                self.strings.push_str(name);
                self.strings.len() - name.len()
            }
        };
        (start as u32, length as u16)
    }

    fn state(&mut self, index: usize) -> Result<StateRecord, ProgramError> {
        let state = &self.step.states[index];
        let (name, name_length) = self.name(&state.name);
        let (buffer, source) = self.arena.states[index];
        let kind = match state.kind {
            convrnn_graph::StateKind::Output => StateKind::Output,
            convrnn_graph::StateKind::Cell => StateKind::Cell,
        };
        Ok(StateRecord {
            buffer: buffer as u16,
            commit_source: source.map_or(NO_INDEX, |source| source as u16),
            kind: kind.to_byte(),
            layer: state.layer as u16,
            name,
            name_length,
            first_step: first_step(self.step, state.layer)?,
            initial: state.initial.clone().map_or(NONE, |initial| self.constants.add(initial)),
        })
    }

    fn taps(&mut self) -> Vec<TapRecord> {
        let step = self.step;
        let mut taps = Vec::new();
        for tap in &step.taps {
            let buffer = self.arena.after_step(step, tap.node.0);
            if self.arena.buffers[buffer].last_use == step.nodes.len() {
                let (name, name_length) = self.name(&tap.name);
                taps.push(TapRecord { name, name_length, buffer: buffer as u16 });
            }
        }
        taps
    }
}

/// The step at which a layer begins.
fn first_step(step: &Step, layer: usize) -> Result<u16, ProgramError> {
    let (value, limit) = (step.first_steps[layer], usize::from(u16::MAX));
    let fail = |_| ProgramError::Extent { node: step.layers[layer].clone(), what: "its first step", value, limit };
    u16::try_from(value).map_err(fail)
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

fn limited(size: usize) -> Result<u32, ProgramError> {
    u32::try_from(size).map_err(|_| ProgramError::Size { size, limit: u32::MAX as usize })
}

/// Prelude, section table, sections.
fn assemble(mut prelude: Prelude, sections: &[(SectionKind, usize, Vec<u8>)]) -> Result<Vec<u8>, ProgramError> {
    let mut offset = padded(Prelude::STRIDE + sections.len() * SectionRecord::STRIDE);
    let mut table = Vec::new();
    for (kind, stride, bytes) in sections {
        table.push(SectionRecord {
            kind: kind.to_byte(),
            offset: limited(offset)?,
            length: limited(bytes.len())?,
            stride: *stride as u32,
        });
        offset += padded(bytes.len());
    }
    prelude.section_table = Prelude::STRIDE as u32;
    prelude.total_size = limited(offset)?;
    let mut program = vec![0; Prelude::STRIDE];
    prelude.encode(&mut program);
    program.extend(encode(&table));
    for (_, _, bytes) in sections {
        program.resize(padded(program.len()), 0);
        program.extend_from_slice(bytes);
    }
    program.resize(offset, 0);
    seal(&mut program);
    Ok(program)
}
