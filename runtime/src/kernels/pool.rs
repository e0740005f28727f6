//! Maximum over windows, mean over a map.

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
use crate::kernels::dsp::maximum::{Window, maximum as maximum_by_words};
use crate::kernels::integer::{Integer, keep_rolled, rescale, with_integer};
use crate::kernels::window::Axis;
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
use crate::kernels::window::Span;
use crate::task::{Operand, Task, elements, elements_mut};
use convrnn_format::{BufferRecord, Numerics, OperationRecord};

/// Maximum over the window's positions inside the map.
#[inline(never)]
pub fn max(task: &mut Task<'_>) {
    let Some(input) = task.operand(0) else { return };
    match task.numerics() {
        Numerics::Real => {
            // NaN is passed over, as by `f32::max`.
            maximum::<f32>(&input, &task.record, &task.target, task.output, f32::NEG_INFINITY, f32::max);
        }
        Numerics::Integer => with_integer!(task.target.element, Y => {
            maximum::<Y>(&input, &task.record, &task.target, task.output, Y::MIN, Ord::max);
        }),
    }
}

fn maximum<T: bytemuck::Pod>(
    input: &Operand<'_>,
    record: &OperationRecord,
    target: &BufferRecord,
    output: &mut [u8],
    lowest: T,
    larger: impl Fn(T, T) -> T,
) {
    let (rows, columns) = (Axis::rows(&input.buffer, record), Axis::columns(&input.buffer, record));
    let channels = target.channels as usize;
    let values = elements::<T>(input.bytes);
    let mut pixels = elements_mut::<T>(output).chunks_exact_mut(channels.max(1));
    for row in 0..target.height as usize {
        let down = rows.span(row);
        for column in 0..target.width as usize {
            let along = columns.span(column);
            let Some(pixel) = pixels.next() else { return };
            #[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
            if by_words(pixel, values, channels, &columns, down, along) {
                continue;
            }
            pixel.fill(lowest);
            for source_row in down.source..down.source.wrapping_add(down.length) {
                let first = source_row.wrapping_mul(columns.size).wrapping_add(along.source).wrapping_mul(channels);
                let line = values.get(first..first.wrapping_add(along.length.wrapping_mul(channels))).unwrap_or(&[]);
                for source in line.chunks_exact(channels.max(1)) {
                    for (y, &x) in pixel.iter_mut().zip(source) {
                        keep_rolled();
                        *y = larger(*y, x);
                    }
                }
            }
        }
    }
}

/// The maximum of a window by words of channels, for integers.
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
fn by_words<T: bytemuck::Pod>(
    pixel: &mut [T],
    values: &[T],
    channels: usize,
    columns: &Axis,
    down: Span,
    along: Span,
) -> bool {
    let size = size_of::<T>();
    let first = down.source.wrapping_mul(columns.size).wrapping_add(along.source).wrapping_mul(channels);
    let bytes = channels.wrapping_mul(size);
    let line = columns.size.wrapping_mul(bytes);
    let window = Window { pixel: bytes, line, rows: down.length, columns: along.length };
    let source = bytemuck::cast_slice(values.get(first..).unwrap_or(&[]));
    maximum_by_words(bytemuck::cast_slice_mut(pixel), source, window, size)
}

/// Mean over positions; integer `saturate(z_out + first(sum of (x - z)))`.
#[inline(never)]
pub fn average(task: &mut Task<'_>) {
    let Some(input) = task.operand(0) else { return };
    let channels = (task.target.channels as usize).max(1);
    match task.numerics() {
        Numerics::Real => {
            let values = elements::<f32>(input.bytes);
            let positions = (values.len() / channels) as f32;
            for (channel, y) in elements_mut::<f32>(task.output).iter_mut().enumerate() {
                let sum: f32 = values.iter().skip(channel).step_by(channels).sum();
                *y = sum / positions;
            }
        }
        Numerics::Integer => {
            let (multiplier, shift) = (task.record.first as i32, task.record.first_shift);
            let (zero, input_zero) = (task.target.zero_point, input.buffer.zero_point);
            with_integer!(input.buffer.element, X => with_integer!(task.target.element, Y => {
                let values = elements::<X>(input.bytes);
                for (channel, y) in elements_mut::<Y>(task.output).iter_mut().enumerate() {
                    let values = values.iter().skip(channel).step_by(channels);
                    let sum = values.fold(0_i32, |sum, &x| sum.wrapping_add(x.widen().wrapping_sub(input_zero)));
                    *y = Y::saturate(zero.wrapping_add(rescale(sum, multiplier, shift)));
                }
            }));
        }
    }
}
