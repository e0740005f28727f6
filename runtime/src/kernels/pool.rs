//! Maximum over windows, mean over a map.

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
use crate::kernels::dsp::maximum::{Window, maximum as maximum_by_words};
use crate::kernels::integer::{Integer, keep_rolled, rescale, with_integer, with_output};
use crate::kernels::window::Axis;
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
use crate::kernels::window::Span;
use crate::task::{Operand, Task, elements, elements_mut};
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
use crate::uses::Use;
use crate::uses::Uses;
use convrnn_format::{BufferRecord, Numerics, OperationKind, OperationRecord};

/// Maximum over the window's positions inside the map.
pub fn max(task: &mut Task<'_>) {
    max_with::<{ Uses::ALL.bits() }>(task);
}

/// [`max`] with the kernels of `USES` alone.
#[inline(never)]
pub(crate) fn max_with<const USES: u64>(task: &mut Task<'_>) {
    let Some(input) = task.operand(0) else { return };
    match task.numerics() {
        Numerics::Real => {
            // NaN is passed over, as by `f32::max`.
            maximum::<f32, USES>(&input, &task.record, &task.target, task.output, f32::NEG_INFINITY, f32::max);
        }
        Numerics::Integer => with_output!(USES, OperationKind::MaxPool, task.target.element, Y => {
            maximum::<Y, USES>(&input, &task.record, &task.target, task.output, Y::MIN, Ord::max);
        }),
    }
}

fn maximum<T: bytemuck::Pod, const USES: u64>(
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
            if by_words(pixel, values, channels, &columns, down, along) || !Uses::from_bits(USES).has(Use::SmallPixels)
            {
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
                let finish = |sum: i32| Y::saturate(zero.wrapping_add(rescale(sum, multiplier, shift)));
                let output = elements_mut::<Y>(task.output);
                let done = fast_means(values, channels, input_zero, output, &finish);
                for (channel, y) in output.iter_mut().enumerate().skip(done) {
                    let values = values.iter().skip(channel).step_by(channels);
                    let sum = values.fold(0_i32, |sum, &x| sum.wrapping_add(x.widen().wrapping_sub(input_zero)));
                    *y = finish(sum);
                }
            }));
        }
    }
}

/// Means of channels with the processor's instructions; returns how many there are, from the first one on.
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
fn fast_means<X: Integer, Y>(
    values: &[X],
    channels: usize,
    zero: i32,
    output: &mut [Y],
    finish: &impl Fn(i32) -> Y,
) -> usize {
    let Ok(values) = bytemuck::try_cast_slice(values) else { return 0 };
    if size_of::<X>() != 1 {
        return 0;
    }
    let zeros = ((values.len() / channels.max(1)) as i32).wrapping_mul(zero);
    let mut done: usize = 0;
    for targets in output.chunks_exact_mut(4) {
        let Some(sums) = crate::kernels::dsp::mean::sums(values, channels, done) else { break };
        for (target, sum) in targets.iter_mut().zip(sums) {
            *target = finish(sum.wrapping_sub(zeros));
        }
        done = done.wrapping_add(4);
    }
    done
}

/// None: the plain loop does it all.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
fn fast_means<X: Integer, Y>(_: &[X], _: usize, _: i32, _: &mut [Y], _: &impl Fn(i32) -> Y) -> usize {
    0
}
