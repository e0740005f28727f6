//! Separable interpolation by a table of source positions and weights.

use crate::kernels::integer::{Integer, with_output};
use crate::task::{Operand, Task, elements, elements_mut};
use crate::uses::Uses;
use convrnn_format::{BufferRecord, Numerics, OperationKind, Record, ResizeEntry};

/// Every output element from four neighbours.
pub fn run(task: &mut Task<'_>) {
    run_with::<{ Uses::ALL.bits() }>(task);
}

/// [`run`] with the kernels of `USES` alone.
#[inline(never)]
pub(crate) fn run_with<const USES: u64>(task: &mut Task<'_>) {
    let Some(input) = task.operand(0) else { return };
    let (rows, columns) = (task.target.height as usize, task.target.width as usize);
    let table: &[u8] = task.constant(task.record.table, rows.wrapping_add(columns).wrapping_mul(ResizeEntry::STRIDE));
    match task.numerics() {
        Numerics::Real => {
            interpolate::<f32>(&input, &task.target, table, task.output, |pixel, corners, down, along| {
                let blend = |a: f32, b: f32, weight: f32| (1.0 - weight) * a + weight * b;
                let [a, b, c, d] = corners;
                let upper = a.iter().zip(b).map(|(&a, &b)| blend(a, b, along.weight));
                let lower = c.iter().zip(d).map(|(&c, &d)| blend(c, d, along.weight));
                for (y, (upper, lower)) in pixel.iter_mut().zip(upper.zip(lower)) {
                    *y = blend(upper, lower, down.weight);
                }
            })
        }
        Numerics::Integer => with_output!(USES, OperationKind::Resize, task.target.element, Y => {
            interpolate::<Y>(&input, &task.target, table, task.output, |pixel, corners, down, along| {
                let axis = |weight_128: u16| [128_u16.wrapping_sub(weight_128), weight_128];
                let ([top, bottom], [left, right]) = (axis(down.weight_128), axis(along.weight_128));
                let weights = [(top, left), (top, right), (bottom, left), (bottom, right)];
                blend(pixel, corners, weights.map(|(row, column)| row.wrapping_mul(column)));
            });
        }),
    }
}

/// `(sum of weights[k] * corners[k] + 8192) >> 14`; the weights sum up to 16384.
fn blend<Y: Integer>(pixel: &mut [Y], corners: [&[Y]; 4], weights: [u16; 4]) {
    #[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
    if crate::kernels::dsp::blend::blend(pixel, corners, weights) {
        return;
    }
    let ([a, b, c, d], weights) = (corners, weights.map(i32::from));
    for (y, ((&a, &b), (&c, &d))) in pixel.iter_mut().zip(a.iter().zip(b).zip(c.iter().zip(d))) {
        let products = [a.widen() * weights[0], b.widen() * weights[1], c.widen() * weights[2], d.widen() * weights[3]];
        *y = Y::saturate((products[0] + products[1] + products[2] + products[3] + 8192) >> 14);
    }
}

fn interpolate<T: bytemuck::Pod>(
    input: &Operand<'_>,
    target: &BufferRecord,
    table: &[u8],
    output: &mut [u8],
    blend: impl Fn(&mut [T], [&[T]; 4], &ResizeEntry, &ResizeEntry),
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
            let corners = [(top, left), (top, right), (bottom, left), (bottom, right)];
            blend(pixel, corners.map(|(row, column)| pixel_at(row, column)), &down, &along);
        }
    }
}
