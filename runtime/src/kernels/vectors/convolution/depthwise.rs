//! One channel in, one channel out, weights `[row][column][channel]`: a vector of channels at a time.
//!
//! The channels of a vector are copied from the map as f32, with a margin of zeros for the padding,
//! so that a window has no test, and so are their weights. Integers go the same way: values less
//! their zero point and weights have products below 2^15, and with at most 256 of them every sum is
//! a whole number below 2^24, which f32 holds exactly. Sums are turned back before they are scaled.

use super::scale::Scale;
use crate::kernels::integer::with_integer;
use crate::kernels::vectors::floats::{Floats, store_first};
use crate::kernels::vectors::integers::{self, Integers};
use crate::kernels::vectors::machine::{Kernel, MOST_LANES, Machine};
use crate::kernels::window::Axis;
use crate::task::{Task, elements, elements_mut};
use bytemuck::Pod;
use convrnn_format::packing::WeightShape;
use convrnn_format::{MAXIMUM_EXTENT, Numerics, PackingKind};

/// Most weights of a channel.
const MOST_TAPS: usize = 256;

/// Values of the smaller scratch, and of the larger one, which costs time to enter.
const SMALL: usize = 4 << 10;
const LARGE: usize = 32 << 10;

/// Output positions at once.
const POSITIONS: usize = 8;

/// Computes a convolution; false if this kernel cannot, and then nothing is done.
pub(crate) fn run(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let (record, channels) = (task.record, task.target.channels as usize);
    let mut done = false;
    match task.numerics() {
        Numerics::Real => {
            let Some(job) = Job::<f32>::new(task) else { return false };
            let bias: &[f32] = task.constant(record.bias, channels);
            let output = elements_mut::<f32>(task.output);
            if output.len() == job.outputs() && (bias.is_empty() || bias.len() == channels) {
                done = job.compute(machine, RealEnd { bias, output: output.as_mut_ptr() });
            }
        }
        Numerics::Integer => {
            let Some(job) = Job::<i8>::new(task) else { return false };
            let scale = Scale::new(task, channels);
            let has_scale = scale.bias.len() == channels && scale.multipliers.len() == channels;
            with_integer!(task.target.element, Y => {
                let output = elements_mut::<Y>(task.output);
                if output.len() == job.outputs() && has_scale {
                    done = job.compute(machine, IntegerEnd { scale: &scale, output: output.as_mut_ptr() });
                }
            });
        }
    }
    done
}

/// An element of maps and weights.
trait Value: Pod {
    /// The number that it stands for.
    fn real(self, zero_point: i32) -> f32;
}

impl Value for f32 {
    #[inline(always)]
    fn real(self, _zero_point: i32) -> f32 {
        self
    }
}

impl Value for i8 {
    #[inline(always)]
    fn real(self, zero_point: i32) -> f32 {
        i32::from(self).wrapping_sub(zero_point) as f32
    }
}

/// A convolution whose lengths are those of its shapes: `rows.size * columns.size * channels` values
/// and `rows.kernel * columns.kernel * channels` weights. No extent is above [`MAXIMUM_EXTENT`].
#[derive(Clone, Copy)]
struct Job<'a, V> {
    rows: Axis,
    columns: Axis,
    /// Rows and columns of the output.
    height: usize,
    width: usize,
    channels: usize,
    values: &'a [V],
    weights: &'a [V],
    zero_point: i32,
}

impl<'a, V: Value> Job<'a, V> {
    fn new(task: &Task<'a>) -> Option<Self> {
        let (record, packing, operand) = (&task.record, task.packing(), task.operand(0)?);
        let (rows, columns) = (Axis::rows(&operand.buffer, record), Axis::columns(&operand.buffer, record));
        let (height, width) = (task.target.height as usize, task.target.width as usize);
        let channels = task.target.channels as usize;
        let extents = [rows.size, rows.kernel, rows.stride, columns.size, columns.kernel, columns.stride];
        let is_sane = |extents: &[usize]| extents.iter().all(|&extent| (1..=MAXIMUM_EXTENT as usize).contains(&extent));
        let is_depthwise = packing.kind == PackingKind::Depthwise.to_byte()
            && usize::from(packing.element_width) == size_of::<V>()
            && record.operand_count == 1
            && usize::from(record.groups) == channels
            && operand.buffer.channels as usize == channels;
        if !is_depthwise || !is_sane(&extents) || !is_sane(&[height, width, channels]) {
            return None;
        }
        let shape = WeightShape { groups: channels, outputs: 1, inputs: 1, height: rows.kernel, width: columns.kernel };
        let length = packing.length(shape)?;
        let values: &[V] = elements(operand.bytes);
        let weights: &[V] = task.constant(operand.weights, length);
        let fits = values.len() == rows.size * columns.size * channels
            && weights.len() == length
            && length == rows.kernel * columns.kernel * channels
            && rows.kernel * columns.kernel <= MOST_TAPS;
        let zero_point = operand.buffer.zero_point;
        fits.then_some(Self { rows, columns, height, width, channels, values, weights, zero_point })
    }

    fn outputs(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Columns of the padded map.
    fn line(&self) -> usize {
        (self.width - 1) * self.columns.stride + self.columns.kernel
    }

    /// Rows of the output whose windows fit so many values of scratch.
    fn rows_fitting(&self, capacity: usize) -> Option<usize> {
        let spare = (capacity / (self.line() * MOST_LANES)).checked_sub(self.rows.kernel)?;
        Some((spare / self.rows.stride + 1).min(self.height))
    }

    /// The end says where the output is.
    fn compute(self, machine: impl Machine, end: impl End) -> bool {
        if self.rows_fitting(SMALL) == Some(self.height) {
            let rows = self.height;
            return in_scratch::<SMALL>(|scratch| machine.dispatch(Depthwise { job: self, rows, end, scratch }));
        }
        match self.rows_fitting(LARGE) {
            Some(rows) => in_scratch::<LARGE>(|scratch| machine.dispatch(Depthwise { job: self, rows, end, scratch })),
            None => false,
        }
    }
}

/// What becomes of sums.
#[allow(unsafe_code)]
trait End {
    /// Writes the first `count` lanes, or all, as outputs from the element `index` on, whose channel is
    /// `channel`.
    ///
    /// # Safety
    /// The processor has the instructions; there are so many outputs and channels.
    unsafe fn write<I: Integers, F: Floats>(&self, sums: F, index: usize, channel: usize, count: usize);
}

/// `y = sum + bias`
struct RealEnd<'a> {
    /// One a channel, or none.
    bias: &'a [f32],
    output: *mut f32,
}

#[allow(unsafe_code)]
impl End for RealEnd<'_> {
    #[inline(always)]
    unsafe fn write<I: Integers, F: Floats>(&self, sums: F, index: usize, channel: usize, count: usize) {
        let mut bias = [0.0; MOST_LANES];
        for (lane, &bias) in bias.iter_mut().zip(self.bias.get(channel..).unwrap_or(&[])) {
            *lane = bias;
        }
        // SAFETY: the caller's promise.
        unsafe { store_first(sums.add(F::load(bias.as_ptr())), self.output.wrapping_add(index), count) }
    }
}

/// `y = saturate(zero + rescale(sum + bias))`
struct IntegerEnd<'a, Y> {
    /// One bias and one multiplier a channel.
    scale: &'a Scale<'a>,
    output: *mut Y,
}

#[allow(unsafe_code)]
impl<Y: integers::Element> End for IntegerEnd<'_, Y> {
    #[inline(always)]
    unsafe fn write<I: Integers, F: Floats>(&self, sums: F, index: usize, channel: usize, count: usize) {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: no vector has more lanes than the buffer; the rest is the caller's promise.
        unsafe {
            sums.store(lanes.as_mut_ptr());
            let bias = I::load_first_wholes(self.scale.bias.as_ptr().wrapping_add(channel), count);
            let multipliers = I::load_first_wholes(self.scale.multipliers.as_ptr().wrapping_add(channel), count);
            let value = I::load_reals(lanes.as_ptr()).add(bias).rescale_each(multipliers, self.scale.shift);
            Y::store_first(self.output.wrapping_add(index), count, I::splat(self.scale.zero).add(value));
        }
    }
}

/// Gives work a scratch of `LENGTH` values. The kernel itself is compiled once for all lengths.
#[inline(never)]
fn in_scratch<const LENGTH: usize>(work: impl FnOnce(&mut [f32]) -> bool) -> bool {
    #[repr(C, align(64))]
    struct Scratch<const LENGTH: usize>([f32; LENGTH]);
    work(&mut Scratch::<LENGTH>([0.0; LENGTH]).0)
}

/// A convolution, with a scratch that the windows of `rows` output rows fit.
struct Depthwise<'a, 's, V, E> {
    job: Job<'a, V>,
    rows: usize,
    end: E,
    scratch: &'s mut [f32],
}

#[allow(unsafe_code)]
impl<V: Value, E: End> Kernel for Depthwise<'_, '_, V, E> {
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let job = &self.job;
        let mut taps = [0.0_f32; MOST_TAPS * MOST_LANES];
        for channel in (0..job.channels).step_by(F::LANES) {
            let count = (job.channels - channel).min(F::LANES);
            for (tap, weights) in taps.chunks_exact_mut(F::LANES).zip(job.weights.chunks_exact(job.channels)) {
                spread(tap, weights.get(channel..channel + count).unwrap_or(&[]), 0);
            }
            for first_row in (0..job.height).step_by(self.rows) {
                let rows = self.rows.min(job.height - first_row);
                fill(job, self.scratch, first_row, rows, channel, F::LANES);
                let part = Part { job, end: &self.end, scratch: &*self.scratch, taps: &taps, channel };
                for row in 0..rows {
                    // SAFETY: the scratch is filled for these rows; the rest is the caller's promise.
                    unsafe { part.row::<I, F>(first_row, row) };
                }
            }
        }
    }
}

/// The numbers of some values; zeros in the lanes behind them.
#[inline(always)]
fn spread<V: Value>(lanes: &mut [f32], values: &[V], zero_point: i32) {
    let (used, unused) = lanes.split_at_mut(values.len().min(lanes.len()));
    for (lane, &value) in used.iter_mut().zip(values) {
        *lane = value.real(zero_point);
    }
    unused.fill(0.0);
}

/// Copies what the windows of `rows` output rows see of `lanes` channels, `[row][column][lane]`.
#[inline(always)]
fn fill<V: Value>(job: &Job<'_, V>, scratch: &mut [f32], first: usize, rows: usize, channel: usize, lanes: usize) {
    let lines = (rows - 1) * job.rows.stride + job.rows.kernel;
    let count = (job.channels - channel).min(lanes);
    for (index, line) in scratch.chunks_exact_mut(job.line() * lanes).take(lines).enumerate() {
        let row = (first * job.rows.stride + index).checked_sub(job.rows.before).filter(|&row| row < job.rows.size);
        let Some(row) = row else {
            line.fill(0.0);
            continue;
        };
        let inside = job.columns.before..job.columns.before + job.columns.size;
        for (column, pixel) in line.chunks_exact_mut(lanes).enumerate() {
            let start = match inside.contains(&column) {
                true => (row * job.columns.size + column - job.columns.before) * job.channels + channel,
                false => usize::MAX,
            };
            spread(pixel, job.values.get(start..start.saturating_add(count)).unwrap_or(&[]), job.zero_point);
        }
    }
}

/// A vector of channels of a band.
struct Part<'p, 'a, V, E> {
    job: &'p Job<'a, V>,
    end: &'p E,
    /// Padded rows of pixels, a vector each.
    scratch: &'p [f32],
    /// A vector for each weight of the window.
    taps: &'p [f32],
    channel: usize,
}

#[allow(unsafe_code)]
impl<V: Value, E: End> Part<'_, '_, V, E> {
    /// An output row.
    ///
    /// # Safety
    /// The processor has the instructions, and the scratch holds the windows of the row, the first of
    /// which starts `row` strides below its first row.
    #[inline(always)]
    unsafe fn row<I: Integers, F: Floats>(&self, first_row: usize, row: usize) {
        let width = self.job.width;
        let mut column = 0;
        while column < width {
            // SAFETY: as many positions are left as each block takes; the rest is the caller's promise.
            unsafe {
                column += match width - column {
                    POSITIONS.. => self.block::<I, F, POSITIONS>(first_row, row, column),
                    4.. => self.block::<I, F, 4>(first_row, row, column),
                    2.. => self.block::<I, F, 2>(first_row, row, column),
                    _ => self.block::<I, F, 1>(first_row, row, column),
                };
            }
        }
    }

    /// `P` positions of a row; gives `P`.
    ///
    /// # Safety
    /// As of [`Self::row`], and the row has the positions.
    #[inline(always)]
    unsafe fn block<I: Integers, F: Floats, const P: usize>(
        &self,
        first_row: usize,
        row: usize,
        column: usize,
    ) -> usize {
        let job = self.job;
        let step = job.columns.stride * F::LANES;
        // SAFETY: the caller's promise.
        let zero = unsafe { F::splat(0.0) };
        let mut sums = [zero; P];
        // Rows of zeros are left out.
        let down = job.rows.span(first_row + row);
        for kernel_row in down.start..down.start + down.length {
            let start = (row * job.rows.stride + kernel_row) * job.line() + column * job.columns.stride;
            let mut values = self.scratch.as_ptr().wrapping_add(start * F::LANES);
            let mut taps = self.taps.as_ptr().wrapping_add(kernel_row * job.columns.kernel * F::LANES);
            for _ in 0..job.columns.kernel {
                // SAFETY: the scratch holds the windows of all positions, and there is a vector for every
                // weight; the rest is the caller's promise.
                unsafe {
                    let tap = F::load(taps);
                    for (index, sum) in sums.iter_mut().enumerate() {
                        *sum = F::load(values.wrapping_add(index * step)).multiply_add(tap, *sum);
                    }
                }
                values = values.wrapping_add(F::LANES);
                taps = taps.wrapping_add(F::LANES);
            }
        }
        let position = (first_row + row) * job.width + column;
        for (index, &sum) in sums.iter().enumerate() {
            // SAFETY: the position lies in the output, and so do the channels that are left.
            unsafe {
                let output = (position + index) * job.channels + self.channel;
                self.end.write::<I, F>(sum, output, self.channel, job.channels - self.channel);
            }
        }
        P
    }
}
