//! Parts of records that need no state: windows, factors, tables, buffers.

use super::arena::Buffer;
use super::error::ProgramError;
use super::step::{Factor, Step, StepNode};
use convrnn_format::{BufferRecord, MAXIMUM_EXTENT, OperationRecord, Record, Resampling, ResizeEntry};
use convrnn_graph::quantize::resize_sample;
use convrnn_graph::{Padding, Pool, Resize, ResizeMode};

pub(super) fn set_factors(record: &mut OperationRecord, first: Factor, second: Factor) {
    (record.first, record.first_shift) = (first.bits, first.shift);
    (record.second, record.second_shift) = (second.bits, second.shift);
}

pub(super) fn extent(node: &StepNode, what: &'static str, value: usize) -> Result<u16, ProgramError> {
    let limit = MAXIMUM_EXTENT as usize;
    match u16::try_from(value) {
        Ok(short) if value <= limit => Ok(short),
        Ok(_) | Err(_) => Err(ProgramError::Extent { node: node.name.clone(), what, value, limit }),
    }
}

pub(super) fn set_window(node: &StepNode, record: &mut OperationRecord, window: &Pool) -> Result<(), ProgramError> {
    let Padding { top, bottom, left, right } = window.padding;
    record.kernel_height = extent(node, "the kernel's height", window.kernel[0])?;
    record.kernel_width = extent(node, "the kernel's width", window.kernel[1])?;
    record.stride_height = extent(node, "the stride", window.stride[0])?;
    record.stride_width = extent(node, "the stride", window.stride[1])?;
    record.padding_top = extent(node, "the padding", top)?;
    record.padding_bottom = extent(node, "the padding", bottom)?;
    record.padding_left = extent(node, "the padding", left)?;
    record.padding_right = extent(node, "the padding", right)?;
    Ok(())
}

pub(super) fn resampling(mode: ResizeMode) -> Resampling {
    match mode {
        ResizeMode::BilinearAlignedCorners => Resampling::BilinearAlignedCorners,
        ResizeMode::BilinearHalfPixel => Resampling::BilinearHalfPixel,
        ResizeMode::Nearest => Resampling::Nearest,
    }
}

/// Source positions and weights, rows then columns.
pub(super) fn resize_table(step: &Step, node: &StepNode, resize: &Resize) -> Vec<u8> {
    let source = step.read_value(node.inputs[0]).shape;
    let axis = |input: usize, output: usize| {
        (0..output).map(move |target| {
            let (first, _, weight) = resize.mode.sample(target, input, output);
            let (_, _, weight_128) = resize_sample(resize.mode, target, input, output);
            ResizeEntry { first: first as u16, weight_128: weight_128 as u16, weight: weight as f32 }
        })
    };
    let entries: Vec<ResizeEntry> =
        axis(source.height, resize.height).chain(axis(source.width, resize.width)).collect();
    encode(&entries)
}

pub(super) fn buffer_record(buffer: &Buffer) -> BufferRecord {
    let value = &buffer.value;
    BufferRecord {
        offset: buffer.offset as u32,
        length: buffer.bytes() as u32,
        element: value.element.to_byte(),
        role: buffer.role.to_byte(),
        resident_rows: buffer.resident_rows as u16,
        zero_point: value.zero_point,
        channels: value.shape.channels as u32,
        height: value.shape.height as u32,
        width: value.shape.width as u32,
        scale: value.scale,
        first_use: buffer.first_use as u32,
        last_use: buffer.last_use as u32,
    }
}

pub(super) fn encode<R: Record>(records: &[R]) -> Vec<u8> {
    let mut bytes = vec![0; records.len() * R::STRIDE];
    for (record, bytes) in records.iter().zip(bytes.chunks_exact_mut(R::STRIDE)) {
        record.encode(bytes);
    }
    bytes
}
