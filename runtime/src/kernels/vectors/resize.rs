//! Separable interpolation, the channels a vector at a time.

use super::floats::{self, Floats};
use super::integers::{Element, Integers};
use super::machine::{Kernel, Machine};
use super::pixel::load_first;
use crate::kernels::integer::with_integer;
use crate::task::{Task, elements, elements_mut};
use convrnn_format::{Numerics, Record, ResizeEntry};

/// [`crate::kernels::resize::run`]
pub(crate) fn run(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let Some(input) = task.operand(0) else { return false };
    let (rows, columns) = (task.target.height as usize, task.target.width as usize);
    let channels = task.target.channels as usize;
    let table: &[u8] = task.constant(task.record.table, rows.wrapping_add(columns).wrapping_mul(ResizeEntry::STRIDE));
    let Some((rows, columns)) = table.split_at_checked(rows.wrapping_mul(ResizeEntry::STRIDE)) else { return false };
    let map = Map { height: input.buffer.height as usize, width: input.buffer.width as usize, channels, rows, columns };
    let mut done = false;
    match task.numerics() {
        Numerics::Real => {
            let (values, output) = (elements::<f32>(input.bytes), elements_mut(task.output));
            done = map.holds(values) && machine.dispatch(Resize { map, values, output });
        }
        Numerics::Integer => with_integer!(task.target.element, Y => {
            let (values, output) = (elements::<Y>(input.bytes), elements_mut(task.output));
            done = map.holds(values) && machine.dispatch(Resize { map, values, output });
        }),
    }
    done
}

/// The input's shape and where each output row and column comes from.
#[derive(Clone, Copy)]
struct Map<'a> {
    height: usize,
    width: usize,
    channels: usize,
    rows: &'a [u8],
    columns: &'a [u8],
}

impl Map<'_> {
    fn holds<T>(&self, values: &[T]) -> bool {
        let expected = self.height.checked_mul(self.width).and_then(|pixels| pixels.checked_mul(self.channels));
        self.channels > 0 && expected == Some(values.len())
    }

    /// First elements of the pixels top left, top right, bottom left and bottom right; none outside
    /// the map.
    #[inline(always)]
    fn corners(&self, down: &ResizeEntry, along: &ResizeEntry) -> Option<[usize; 4]> {
        let (top, left) = (usize::from(down.first), usize::from(along.first));
        if top >= self.height || left >= self.width {
            return None;
        }
        let (bottom, right) = ((top + 1).min(self.height - 1), (left + 1).min(self.width - 1));
        let pixel = |row: usize, column: usize| (row * self.width + column) * self.channels;
        Some([pixel(top, left), pixel(top, right), pixel(bottom, left), pixel(bottom, right)])
    }
}

/// A resize, given that the map holds the values.
struct Resize<'a, T> {
    map: Map<'a>,
    values: &'a [T],
    output: &'a mut [T],
}

/// An element that can be interpolated.
#[allow(unsafe_code)]
trait Blend: Copy {
    /// Computes the first `count` channels, or a vector if that is less, and gives the lanes of one.
    ///
    /// # Safety
    /// The processor has the instructions, and all pointers are good for `count` elements.
    unsafe fn blend<I: Integers, F: Floats>(
        down: &ResizeEntry,
        along: &ResizeEntry,
        corners: [*const Self; 4],
        target: *mut Self,
        count: usize,
    ) -> usize;
}

#[allow(unsafe_code)]
impl<T: Blend> Kernel for Resize<'_, T> {
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let channels = self.map.channels;
        let mut pixels = self.output.chunks_exact_mut(channels);
        for down in self.map.rows.chunks_exact(ResizeEntry::STRIDE).filter_map(ResizeEntry::decode) {
            for along in self.map.columns.chunks_exact(ResizeEntry::STRIDE).filter_map(ResizeEntry::decode) {
                let (Some(pixel), Some(corners)) = (pixels.next(), self.map.corners(&down, &along)) else { return };
                let mut channel = 0;
                while channel < channels {
                    let sources = corners.map(|corner| self.values.as_ptr().wrapping_add(corner + channel));
                    let target = pixel.as_mut_ptr().wrapping_add(channel);
                    // SAFETY: so many values are left of every pixel of the map, as of the output's; the
                    // instructions are the caller's promise.
                    channel += unsafe { T::blend::<I, F>(&down, &along, sources, target, channels - channel) };
                }
            }
        }
    }
}

#[allow(unsafe_code)]
impl Blend for f32 {
    #[inline(always)]
    unsafe fn blend<I: Integers, F: Floats>(
        down: &ResizeEntry,
        along: &ResizeEntry,
        corners: [*const Self; 4],
        target: *mut Self,
        count: usize,
    ) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            let (down, along) = (F::splat(down.weight), F::splat(along.weight));
            let mut pixels = [F::splat(0.0); 4];
            for (pixel, corner) in pixels.iter_mut().zip(corners) {
                *pixel = load_first::<f32, I, F>(corner, count);
            }
            let [top_left, top_right, bottom_left, bottom_right] = pixels;
            let upper = top_right.subtract(top_left).multiply_add(along, top_left);
            let lower = bottom_right.subtract(bottom_left).multiply_add(along, bottom_left);
            floats::store_first(lower.subtract(upper).multiply_add(down, upper), target, count);
        }
        F::LANES
    }
}

/// The bodies for integers.
macro_rules! blend_integers {
    ($($element:ty),*) => {$(
        #[allow(unsafe_code)]
        impl Blend for $element {
            #[inline(always)]
            unsafe fn blend<I: Integers, F: Floats>(
                down: &ResizeEntry,
                along: &ResizeEntry,
                corners: [*const Self; 4],
                target: *mut Self,
                count: usize,
            ) -> usize {
                let (down, along) = (i32::from(down.weight_128), i32::from(along.weight_128));
                let weights = [(128 - down) * (128 - along), (128 - down) * along, down * (128 - along), down * along];
                // SAFETY: the caller's promise.
                unsafe {
                    let mut sum = I::splat(8192);
                    for (corner, weight) in corners.into_iter().zip(weights) {
                        sum = sum.add(Self::load_first::<I>(corner, count).multiply(I::splat(weight)));
                    }
                    Self::store_first(target, count, sum.shift_right::<14>());
                }
                I::LANES
            }
        }
    )*};
}

blend_integers!(i8, i16);
