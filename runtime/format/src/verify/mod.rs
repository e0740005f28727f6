//! Verification of everything that execution relies on.
//!
//! After it holds: every index names a record; every buffer lies in the arena, aligned, with the
//! length of its shape; every constant lies in the constants with the length that its operation
//! reads; shapes and element types fit each operation; a buffer is written by one operation before
//! it is read, and no other buffer that is in use then shares a byte with it; and in groups that are computed in bands
//! every operation finds the rows that it reads.

mod arena;
mod bands;
mod operation;
mod shape;
mod siblings;

use crate::error::{LoadError, LoadErrorKind as Kind};
use crate::prelude::Numerics;
use crate::program::Program;
use crate::{ALIGNMENT, SectionKind};

/// Verifies the records of a program.
pub(crate) fn verify(program: &Program<'_>) -> Result<(), LoadError> {
    if !(program.prelude().arena_length as usize).is_multiple_of(ALIGNMENT) {
        return Err(LoadError::new(Kind::BufferBounds, program.prelude().arena_length));
    }
    arena::buffers(program)?;
    arena::layers(program)?;
    operation::operations(program)?;
    bands::bands(program)?;
    siblings::siblings(program)?;
    arena::states(program)?;
    arena::lives(program)?;
    arena::cache(program)?;
    interface(program)?;
    names(program)
}

fn interface(program: &Program<'_>) -> Result<(), LoadError> {
    let prelude = program.prelude();
    let wrong = |index: u16| LoadError::new(Kind::Interface, index.into());
    let frame = program.buffer(prelude.frame_buffer).ok_or(wrong(prelude.frame_buffer))?;
    let logits = program.buffer(prelude.logits_buffer).ok_or(wrong(prelude.logits_buffer))?;
    let (frame_element, logits_element) = match program.numerics() {
        Numerics::Real => (crate::Element::F32, crate::Element::F32),
        Numerics::Integer => (crate::Element::I8, crate::Element::I16),
    };
    if frame.role != crate::Role::Frame.to_byte() || frame.element != frame_element.to_byte() {
        return Err(wrong(prelude.frame_buffer));
    }
    if (logits.height, logits.width) != (1, 1) || logits.element != logits_element.to_byte() {
        return Err(wrong(prelude.logits_buffer));
    }
    let blank = prelude.blank as i32;
    let blank_fits = match program.numerics() {
        Numerics::Real => f32::from_bits(prelude.blank).is_finite(),
        Numerics::Integer => (-128..=127).contains(&blank),
    };
    if !blank_fits {
        return Err(LoadError::new(Kind::Quantization, prelude.frame_buffer.into()));
    }
    if prelude.frame_table != crate::NONE {
        let length = frame.channels as usize * 256 * frame_element.size();
        let wrong = LoadError::new(Kind::Constant, prelude.frame_table);
        program.constant(prelude.frame_table, length).ok_or(wrong)?;
    }
    Ok(())
}

fn names(program: &Program<'_>) -> Result<(), LoadError> {
    let check = |start: u32, length: u16| {
        let wrong = LoadError::new(Kind::Name, start);
        let end = (start as usize).checked_add(length.into()).ok_or(wrong)?;
        let bytes = program.section(SectionKind::Strings).get(start as usize..end).ok_or(wrong)?;
        core::str::from_utf8(bytes).map(|_| ()).map_err(|_| wrong)
    };
    for state in program.states() {
        check(state.name, state.name_length)?;
    }
    for layer in program.layers() {
        check(layer.name, layer.name_length)?;
    }
    for tap in program.taps() {
        check(tap.name, tap.name_length)?;
    }
    for index in 0..program.operation_count() {
        if let Some(operation) = program.operation(index) {
            check(operation.name, operation.name_length)?;
        }
    }
    let metadata = program.section(SectionKind::Metadata);
    program.metadata().map(|_| ()).ok_or(LoadError::new(Kind::Metadata, metadata.len() as u32))
}
