//! Buffers, layers, states and lives.

use crate::buffer::{BufferRecord, Element, Role};
use crate::error::{LoadError, LoadErrorKind as Kind};
use crate::operation::OperationKind;
use crate::prelude::{Numerics, Plan, Skipping};
use crate::program::Program;
use crate::tables::{StateKind, StateRecord};
use crate::{ALIGNMENT, BUFFER_ALIGNMENT, MAXIMUM_EXTENT, NO_INDEX, NONE};

const _: () = assert!(BUFFER_ALIGNMENT <= ALIGNMENT);

fn buffer(program: &Program<'_>, index: u16) -> Result<BufferRecord, LoadError> {
    program.buffer(index).ok_or(LoadError::new(Kind::Index, index.into()))
}

/// Each buffer by itself.
pub(super) fn buffers(program: &Program<'_>) -> Result<(), LoadError> {
    let operations = program.prelude().operation_count;
    for index in 0..program.buffer_count() as u16 {
        let record = buffer(program, index)?;
        let fail = |kind| Err(LoadError::new(kind, index.into()));
        let Some(element) = Element::from_byte(record.element) else { return fail(Kind::Unknown) };
        let Some(role) = Role::from_byte(record.role) else { return fail(Kind::Unknown) };
        match (program.numerics(), element) {
            (Numerics::Real, Element::F32) | (Numerics::Integer, Element::I8 | Element::I16) => {}
            (Numerics::Real, Element::I8 | Element::I16 | Element::I32)
            | (Numerics::Integer, Element::F32 | Element::I32) => return fail(Kind::ElementType),
        }
        let sides = [record.channels, record.height, record.width];
        if sides.iter().any(|&side| side == 0 || side > MAXIMUM_EXTENT) {
            return fail(Kind::Shape);
        }
        let rows = u32::from(record.resident_rows);
        let is_partial = rows != 0;
        if is_partial && (rows >= record.height || role != Role::Transient || record.last_use >= operations) {
            return fail(Kind::Bands);
        }
        let held = [record.channels, record.capacity(), record.width];
        let bytes = held.iter().fold(element.size() as u64, |product, &side| product.saturating_mul(side.into()));
        let end = u64::from(record.offset) + u64::from(record.length);
        let aligned = (record.offset as usize).is_multiple_of(BUFFER_ALIGNMENT);
        if u64::from(record.length) != bytes || end > program.prelude().arena_length.into() || !aligned {
            return fail(Kind::BufferBounds);
        }
        let zero_points = match element {
            Element::I8 => -128..=127,
            Element::F32 | Element::I16 | Element::I32 => 0..=0,
        };
        if !zero_points.contains(&record.zero_point) || !record.scale.is_finite() || record.scale <= 0.0 {
            return fail(Kind::Quantization);
        }
        if record.last_use > operations || record.first_use > operations {
            return fail(Kind::Lifetime);
        }
        let lives = match role {
            Role::Transient => record.first_use < operations && record.first_use <= record.last_use,
            Role::State => record.last_use == operations,
            Role::Frame => record.first_use == operations && record.last_use == operations,
        };
        let is_the_frame = index == program.prelude().frame_buffer;
        if !lives || (role == Role::Frame) != is_the_frame {
            return fail(Kind::Lifetime);
        }
    }
    Ok(())
}

/// The flags of skipped work lie above all buffers.
pub(super) fn cache(program: &Program<'_>) -> Result<(), LoadError> {
    let prelude = program.prelude();
    let Some(skipping) = Skipping::from_byte(prelude.skipping) else {
        return Err(LoadError::new(Kind::Unknown, prelude.skipping.into()));
    };
    let flags = u64::from(prelude.state_count) + u64::from(prelude.layer_count);
    let mut top = 0;
    for index in 0..program.buffer_count() as u16 {
        let record = buffer(program, index)?;
        top = top.max(u64::from(record.offset) + u64::from(record.length));
    }
    let start = u64::from(prelude.cache_offset);
    let fits = match skipping {
        Skipping::None => start == 0,
        Skipping::Propagation | Skipping::Comparison => start >= top && start + flags <= prelude.arena_length.into(),
    };
    if fits { Ok(()) } else { Err(LoadError::new(Kind::BufferBounds, prelude.cache_offset)) }
}

/// The layers cover the operations in order.
pub(super) fn layers(program: &Program<'_>) -> Result<(), LoadError> {
    let mut next = 0_u32;
    let mut whole_cost = 0_u64;
    for index in 0..program.layer_count() {
        let wrong = LoadError::new(Kind::Layers, index as u32);
        let layer = program.layer(index).ok_or(wrong)?;
        // Each layer is there once: groups and siblings are of one layer.
        let is_double = program.layers().take(index).any(|other| other.layer == layer.layer);
        if layer.first_operation != next || is_double {
            return Err(wrong);
        }
        if layer.first_step == 0 {
            return Err(LoadError::new(Kind::FirstStep, 0));
        }
        let mut cost = 0_u64;
        let end = next.checked_add(layer.operation_count).ok_or(wrong)?;
        if end > program.prelude().operation_count {
            return Err(wrong);
        }
        for operation in next..end {
            let record = program.operation(operation as usize).ok_or(wrong)?;
            if record.layer != layer.layer {
                return Err(LoadError::at(Kind::Layers, operation, index as u32));
            }
            cost = cost.saturating_add(record.multiply_accumulates);
        }
        if cost != layer.multiply_accumulates {
            return Err(LoadError::new(Kind::Cost, layer.multiply_accumulates as u32));
        }
        whole_cost = whole_cost.saturating_add(cost);
        next = end;
    }
    if next != program.prelude().operation_count {
        return Err(LoadError::new(Kind::Layers, next));
    }
    if whole_cost != program.prelude().multiply_accumulates {
        return Err(LoadError::new(Kind::Cost, program.prelude().multiply_accumulates as u32));
    }
    Ok(())
}

/// Each state has its own buffer, and one writer: an operation or its commit.
pub(super) fn states(program: &Program<'_>) -> Result<(), LoadError> {
    let operations = program.prelude().operation_count;
    for (index, state) in program.states().enumerate() {
        let wrong = LoadError::new(Kind::State, index as u32);
        let own = program.buffer(state.buffer).ok_or(wrong)?;
        if own.role != Role::State.to_byte() || StateKind::from_byte(state.kind).is_none() {
            return Err(wrong);
        }
        if program.layers().any(|layer| layer.layer == state.layer && layer.first_step != state.first_step) {
            return Err(LoadError::new(Kind::FirstStep, state.first_step.into()));
        }
        if state.initial != NONE && program.constant(state.initial, own.length as usize).is_none() {
            return Err(LoadError::new(Kind::Constant, state.initial));
        }
        let shared = |other: StateRecord| other.buffer == state.buffer;
        if program.states().take(index).any(shared) {
            return Err(wrong);
        }
        match state.commit_source {
            NO_INDEX if own.first_use < operations => {}
            NO_INDEX => return Err(wrong),
            source => {
                let source = program.buffer(source).ok_or(wrong)?;
                // A transient, or another state that an operation writes in place.
                let survives = source.last_use == operations && source.first_use < operations;
                if own.first_use != operations || !survives || !source.same_type(&own) {
                    return Err(wrong);
                }
            }
        }
    }
    // Every buffer of that role belongs to a state.
    let roles = (0..program.buffer_count() as u16).filter_map(|index| program.buffer(index));
    let count = roles.filter(|record| record.role == Role::State.to_byte()).count();
    if count != program.states().count() {
        return Err(LoadError::new(Kind::State, count as u32));
    }
    Ok(())
}

/// Who writes and reads a buffer when, and who may share its bytes.
pub(super) fn lives(program: &Program<'_>) -> Result<(), LoadError> {
    let operations = program.prelude().operation_count;
    let parallel = program.plan() == Plan::Parallel;
    for index in 0..operations {
        let Some(operation) = program.operation(index as usize) else { continue };
        let fail = |kind, buffer: u16| Err(LoadError::at(kind, index, buffer.into()));
        let output = buffer(program, operation.output)?;
        if output.first_use != index {
            return fail(Kind::Lifetime, operation.output);
        }
        if parallel && output.role == Role::State.to_byte() {
            return fail(Kind::Parallel, operation.output);
        }
        for slot in 0..usize::from(operation.operand_count) {
            let Some(operand) = program.operand(&operation, slot) else { continue };
            let read = buffer(program, operand.buffer)?;
            if operand.buffer == operation.output {
                // A state may be updated where it lies, element by element.
                let in_place = operation.kind == OperationKind::GatedSum.to_byte();
                if !in_place || read.role != Role::State.to_byte() {
                    return fail(Kind::Overlap, operand.buffer);
                }
            }
            if read.role == Role::Transient.to_byte() {
                if read.first_use >= index || index > read.last_use {
                    return fail(Kind::Lifetime, operand.buffer);
                }
                let writer = writer_layer(program, &read);
                if parallel && writer != Some(operation.layer) {
                    return fail(Kind::Parallel, operand.buffer);
                }
                if writer != Some(operation.layer) && may_be_left(program, writer, operation.layer) {
                    return fail(Kind::Lifetime, operand.buffer);
                }
            }
        }
    }
    for index in 0..program.buffer_count() as u16 {
        let record = buffer(program, index)?;
        if record.first_use < operations {
            let writer = program.operation(record.first_use as usize).map(|operation| operation.output);
            if writer != Some(index) {
                return Err(LoadError::new(Kind::Lifetime, index.into()));
            }
        }
        let life = program.life(&record);
        for other_index in 0..index {
            let other = buffer(program, other_index)?;
            if !record.overlaps(&other) {
                continue;
            }
            let transient = |record: &BufferRecord| record.role == Role::Transient.to_byte();
            let apart = |(first, last): (usize, usize), (other_first, other_last): (usize, usize)| {
                last < other_first || other_last < first
            };
            let apart = transient(&record) && transient(&other) && apart(life, program.life(&other));
            let same_layer = !parallel || writer_layer(program, &record) == writer_layer(program, &other);
            if !(apart && same_layer) {
                return Err(LoadError::new(Kind::Overlap, index.into()));
            }
        }
    }
    survivors(program)
}

/// Whether a layer may be left in a step in which another one, which reads it, is computed.
fn may_be_left(program: &Program<'_>, writer: Option<u16>, reader: u16) -> bool {
    let first_step = |layer: u16| program.layers().find(|other| other.layer == layer).map(|layer| layer.first_step);
    let begins_later = writer.and_then(first_step) > first_step(reader);
    begins_later || Skipping::from_byte(program.prelude().skipping) != Some(Skipping::None)
}

fn writer_layer(program: &Program<'_>, record: &BufferRecord) -> Option<u16> {
    program.operation(record.first_use as usize).map(|operation| operation.layer)
}

/// What is read after the step lives until then.
fn survivors(program: &Program<'_>) -> Result<(), LoadError> {
    let operations = program.prelude().operation_count;
    let taps = program.taps().map(|tap| tap.buffer);
    for index in taps.chain([program.prelude().logits_buffer]) {
        if buffer(program, index)?.last_use != operations {
            return Err(LoadError::new(Kind::Lifetime, index.into()));
        }
    }
    Ok(())
}
