//! Separable interpolation by a table of source positions and weights.

use crate::kernels::integer::{Integer, with_integer};
use crate::task::{Operand, Task, elements, elements_mut};
use convrnn_format::{BufferRecord, Numerics, Record, ResizeEntry};

/// Every output element from four neighbours.
#[inline(never)]
pub fn run(task: &mut Task<'_>) {
    let Some(input) = task.operand(0) else { return };
    let (rows, columns) = (task.target.height as usize, task.target.width as usize);
    let table: &[u8] = task.constant(task.record.table, rows.wrapping_add(columns).wrapping_mul(ResizeEntry::STRIDE));
    match task.numerics() {
        Numerics::Real => interpolate::<f32>(&input, &task.target, table, task.output, |corners, down, along| {
            let blend = |a: f32, b: f32, weight: f32| (1.0 - weight) * a + weight * b;
            let upper = blend(corners[0], corners[1], along.weight);
            let lower = blend(corners[2], corners[3], along.weight);
            blend(upper, lower, down.weight)
        }),
        Numerics::Integer => with_integer!(task.target.element, Y => {
            interpolate::<Y>(&input, &task.target, table, task.output, |corners, down, along| {
                let (down, along) = (i32::from(down.weight_128), i32::from(along.weight_128));
                let blend = |a: Y, b: Y| (128 - along) * a.widen() + along * b.widen();
                let sum = (128 - down) * blend(corners[0], corners[1]) + down * blend(corners[2], corners[3]);
                Y::saturate((sum + 8192) >> 14)
            });
        }),
    }
}

fn interpolate<T: bytemuck::Pod>(
    input: &Operand<'_>,
    target: &BufferRecord,
    table: &[u8],
    output: &mut [u8],
    blend: impl Fn([T; 4], &ResizeEntry, &ResizeEntry) -> T,
) {
    let channels = target.channels as usize;
    let (height, width) = (input.buffer.height as usize, input.buffer.width as usize);
    let values = elements::<T>(input.bytes);
    let pixel_at = |row: usize, column: usize| {
        let start = row.wrapping_mul(width).wrapping_add(column).wrapping_mul(channels);
        values.get(start..start.wrapping_add(channels)).unwrap_or(&[])
    };
    let second = |first: usize, size: usize| first.wrapping_add(1).min(size.wrapping_sub(1));
    let (rows, columns) =
        table.split_at_checked((target.height as usize).wrapping_mul(ResizeEntry::STRIDE)).unwrap_or_default();
    let mut pixels = elements_mut::<T>(output).chunks_exact_mut(channels.max(1));
    for down in rows.chunks_exact(ResizeEntry::STRIDE).filter_map(ResizeEntry::decode) {
        let (top, bottom) = (down.first.into(), second(down.first.into(), height));
        for along in columns.chunks_exact(ResizeEntry::STRIDE).filter_map(ResizeEntry::decode) {
            let (left, right) = (along.first.into(), second(along.first.into(), width));
            let Some(pixel) = pixels.next() else { return };
            let upper = pixel_at(top, left).iter().zip(pixel_at(top, right));
            let lower = pixel_at(bottom, left).iter().zip(pixel_at(bottom, right));
            for (y, ((&a, &b), (&c, &d))) in pixel.iter_mut().zip(upper.zip(lower)) {
                *y = blend([a, b, c, d], &down, &along);
            }
        }
    }
}
