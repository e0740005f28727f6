//! Maximum over windows, mean over a map; the channels a vector at a time.

use super::floats::{self, Floats};
use super::integers::{Element, Factor, Integers};
use super::machine::{Kernel, Machine};
use super::pixel::{Pixel, load_first, store_first};
use crate::kernels::integer::with_integer;
use crate::kernels::window::Axis;
use crate::task::{Task, elements, elements_mut};
use convrnn_format::Numerics;

/// [`crate::kernels::pool::max`]
pub(crate) fn max(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let mut done = false;
    match task.numerics() {
        Numerics::Real => done = max_of::<f32>(task, machine),
        Numerics::Integer => with_integer!(task.target.element, Y => {
            done = max_of::<Y>(task, machine);
        }),
    }
    done
}

fn max_of<T: Pixel + bytemuck::Pod>(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let Some(input) = task.operand(0) else { return false };
    let (rows, columns) = (Axis::rows(&input.buffer, &task.record), Axis::columns(&input.buffer, &task.record));
    let (width, channels) = (task.target.width as usize, task.target.channels as usize);
    let values = elements::<T>(input.bytes);
    if channels == 0 || width == 0 || values.len() != rows.size.wrapping_mul(columns.size).wrapping_mul(channels) {
        return false;
    }
    let output = elements_mut::<T>(task.output);
    machine.dispatch(Maximum { rows, columns, width, channels, values, output })
}

/// There are `rows.size * columns.size * channels` values.
struct Maximum<'a, T> {
    rows: Axis,
    columns: Axis,
    /// Columns of the output.
    width: usize,
    channels: usize,
    values: &'a [T],
    output: &'a mut [T],
}

#[allow(unsafe_code)]
impl<T: Pixel> Kernel for Maximum<'_, T> {
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let channels = self.channels;
        let mut pixels = self.output.chunks_exact_mut(channels);
        for row in 0.. {
            let down = self.rows.span(row);
            for column in 0..self.width {
                let along = self.columns.span(column);
                let Some(pixel) = pixels.next() else { return };
                let lanes = T::lanes::<I, F>();
                for channel in (0..channels).step_by(lanes) {
                    // The last vector lies over the one before.
                    let channel = if channels >= lanes { channel.min(channels - lanes) } else { channel };
                    let count = channels - channel;
                    // SAFETY: spans lie within the map, so `count` values are left of every pixel, as of
                    // the output's; the instructions are the caller's promise.
                    unsafe {
                        let lowest = [T::LOWEST; super::machine::MOST_LANES];
                        let mut largest = T::load::<I, F>(lowest.as_ptr());
                        for source_row in down.source..down.source + down.length {
                            let first = (source_row * self.columns.size + along.source) * channels + channel;
                            for source in 0..along.length {
                                let source = self.values.as_ptr().add(first + source * channels);
                                largest = T::maximum::<I, F>(load_first::<T, I, F>(source, count), largest);
                            }
                        }
                        store_first::<T, I, F>(pixel.as_mut_ptr().add(channel), count, largest);
                    }
                }
            }
        }
    }
}

/// [`crate::kernels::pool::average`]
pub(crate) fn average(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let Some(input) = task.operand(0) else { return false };
    let channels = task.target.channels as usize;
    let mut done = false;
    match task.numerics() {
        Numerics::Real => {
            let (values, output) = (elements::<f32>(input.bytes), elements_mut::<f32>(task.output));
            if channels > 0 && output.len() == channels {
                done = machine.dispatch(RealMean { values, output });
            }
        }
        Numerics::Integer => {
            let (factor, zero) = (Factor::new(task.record.first, task.record.first_shift), task.target.zero_point);
            let input_zero = input.buffer.zero_point;
            with_integer!(input.buffer.element, X => with_integer!(task.target.element, Y => {
                let (values, output) = (elements::<X>(input.bytes), elements_mut::<Y>(task.output));
                if channels > 0 && output.len() == channels {
                    done = machine.dispatch(Mean { values, output, factor, zero, input_zero });
                }
            }));
        }
    }
    done
}

/// Pixels of as many values as there are outputs.
struct RealMean<'a> {
    values: &'a [f32],
    output: &'a mut [f32],
}

#[allow(unsafe_code)]
impl Kernel for RealMean<'_> {
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let channels = self.output.len();
        let positions = (self.values.len() / channels) as f32;
        for channel in (0..channels).step_by(F::LANES) {
            let count = channels - channel;
            // SAFETY: `count` values are left of every pixel, as of the output; the instructions are
            // the caller's promise.
            unsafe {
                let mut sum = F::splat(0.0);
                for pixel in self.values.chunks_exact(channels) {
                    sum = sum.add(load_first::<f32, I, F>(pixel.as_ptr().add(channel), count));
                }
                floats::store_first(sum.divide(F::splat(positions)), self.output.as_mut_ptr().add(channel), count);
            }
        }
    }
}

/// Pixels of as many values as there are outputs.
struct Mean<'a, X, Y> {
    values: &'a [X],
    output: &'a mut [Y],
    factor: Factor,
    zero: i32,
    input_zero: i32,
}

#[allow(unsafe_code)]
impl<X: Element, Y: Element> Kernel for Mean<'_, X, Y> {
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let channels = self.output.len();
        for channel in (0..channels).step_by(I::LANES) {
            let count = channels - channel;
            // SAFETY: `count` values are left of every pixel, as of the output; the instructions are
            // the caller's promise.
            unsafe {
                let mut sum = I::splat(0);
                for pixel in self.values.chunks_exact(channels) {
                    let value = X::load_first::<I>(pixel.as_ptr().add(channel), count);
                    sum = sum.add(value.subtract(I::splat(self.input_zero)));
                }
                let value = I::splat(self.zero).add(sum.rescale(self.factor));
                Y::store_first(self.output.as_mut_ptr().add(channel), count, value);
            }
        }
    }
}
