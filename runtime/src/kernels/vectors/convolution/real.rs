//! f32 convolution.

use super::band::{Band, Extent};
use super::job::{Job, OUTPUT_TILE};
use crate::kernels::vectors::floats::{Floats, store_first};
use crate::task::{Task, elements_mut};

/// Kept values of the smaller scratch.
pub(crate) const SMALL: usize = 8 << 10;

/// Kept values of the larger scratch, which costs time to enter.
pub(crate) const LARGE: usize = 32 << 10;

/// With fewer channels, columns of zeros are not worth a loop for each column.
const LEAST_CHANNELS: usize = 8;

/// A convolution and where its output goes: `job.height * job.width * job.outputs` numbers.
pub(crate) struct Work<'a> {
    pub job: Job<'a, f32>,
    /// One for each output channel, or none.
    bias: &'a [f32],
    output: *mut f32,
}

impl<'a> Work<'a> {
    /// The convolution of a task, the extent of its bands, and whether they fit the smaller scratch; none
    /// if these kernels cannot do it.
    pub fn new(task: &mut Task<'a>) -> Option<(Self, Extent, bool)> {
        let job = Job::<f32>::new(task, 1)?;
        let bias: &[f32] = task.constant(task.record.bias, job.outputs);
        let output = elements_mut::<f32>(task.output);
        if output.len() != job.height * job.width * job.outputs {
            return None;
        }
        let small = Extent::fitting(&job, SMALL).filter(|extent| extent.is_whole(&job));
        let (extent, is_small) =
            small.map(|extent| (extent, true)).or_else(|| Some((Extent::fitting(&job, LARGE)?, false)))?;
        Some((Self { job, bias, output: output.as_mut_ptr() }, extent, is_small))
    }
}

/// `T` vectors of output channels from `first` on at every position of the band, `P` positions at
/// once as long as there are so many.
///
/// # Safety
/// The processor has the instructions; the vectors lie in the tiles that there are; the output is
/// there.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn group<F: Floats, const T: usize, const P: usize>(
    work: &Work<'_>,
    band: &Band<'_, f32>,
    first: usize,
) {
    let positions = band.positions();
    // In a narrow map, whole rows leave out more.
    let most = if band.extent.columns == 4 { P / 4 * 4 } else { P };
    let mut start = [[0.0; OUTPUT_TILE]; T];
    let bias = work.bias.get(first..).unwrap_or(&[]);
    for (start, bias) in start.iter_mut().zip(bias.chunks(F::LANES)) {
        for (start, &bias) in start.iter_mut().zip(bias) {
            *start = bias;
        }
    }
    let mut position = 0;
    while position < positions {
        // SAFETY: as many positions are left as each block takes; the rest is the caller's promise.
        unsafe {
            let start = start.each_ref().map(|start| F::load(start.as_ptr()));
            position += match positions - position {
                left if left >= P && most == P => block::<F, T, P>(work, band, first, position, start),
                4.. => block::<F, T, 4>(work, band, first, position, start),
                2.. => block::<F, T, 2>(work, band, first, position, start),
                _ => block::<F, T, 1>(work, band, first, position, start),
            };
        }
    }
}

/// `P` positions by `T` vectors of output channels; gives `P`.
///
/// # Safety
/// As of [`group`], and the band has the positions.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn block<F: Floats, const T: usize, const P: usize>(
    work: &Work<'_>,
    band: &Band<'_, f32>,
    first: usize,
    position: usize,
    start: [F; T],
) -> usize {
    let job = &work.job;
    let (pixels, targets) = band.places::<_, P>(job, position);
    let (tile, within) = (first / OUTPUT_TILE, first % OUTPUT_TILE);
    let corners = band.corners::<_, P>(job, position);
    let has_border = (0..job.columns.kernel).any(|column| corners.outside_in_column(job, column) != 0);
    let mut sums = [start; P];
    let mut plane = band.kept.as_ptr();
    for operand in job.operands() {
        let run = job.columns.kernel * operand.padded;
        let length = job.rows.kernel * run * OUTPUT_TILE;
        // From one vector of weights to the next: within a tile, or to the same place of the next.
        let step = if F::LANES == OUTPUT_TILE { length } else { F::LANES };
        let weights = operand.weights.as_ptr().wrapping_add(tile * length + within);
        let offsets = pixels.map(|pixel| pixel * operand.padded);
        for row in band.kernel_rows(job, position, P) {
            let outside = corners.outside_in_row(job, row);
            let weights = weights.wrapping_add(row * run * OUTPUT_TILE);
            let values = plane.wrapping_add(row * band.line * operand.padded);
            let pixel = operand.padded;
            // SAFETY: the vectors of weights lie in tiles of the operand, as the caller says. The run
            // lies in the plane of the operand for every pixel at which a window starts.
            unsafe {
                if !has_border || pixel < LEAST_CHANNELS {
                    add_products_within::<F, T, P>(outside, &mut sums, values, &offsets, weights, step, run);
                    continue;
                }
                for column in 0..job.columns.kernel {
                    let values = values.wrapping_add(column * pixel);
                    let weights = weights.wrapping_add(column * pixel * OUTPUT_TILE);
                    let outside = outside | corners.outside_in_column(job, column);
                    add_products_within::<F, T, P>(outside, &mut sums, values, &offsets, weights, step, pixel);
                }
            }
        }
        plane = plane.wrapping_add(band.plane * operand.padded);
    }
    for (sums, &target) in sums.iter().zip(&targets) {
        for (index, &sum) in sums.iter().enumerate() {
            let channel = first + index * F::LANES;
            let output = work.output.wrapping_add(target * job.outputs + channel);
            // SAFETY: the position lies in the output, and so do the channels that are left.
            unsafe { store_first(sum, output, job.outputs - channel) };
        }
    }
    P
}

/// [`add_products`] without those of the positions in `outside`, a bit for each, as far as there are loops for
/// that: their values are zeros.
///
/// # Safety
/// As of [`add_products`].
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_products_within<F: Floats, const T: usize, const P: usize>(
    outside: u32,
    sums: &mut [[F; T]; P],
    values: *const f32,
    offsets: &[usize; P],
    weights: *const f32,
    step: usize,
    length: usize,
) {
    macro_rules! without {
        ($outside:literal) => {
            // SAFETY: the caller's promise.
            unsafe { add_products::<F, T, P, $outside>(sums, values, offsets, weights, step, length) }
        };
    }
    match (P, outside) {
        // The first position or the last one of a row, or both.
        (_, 0b1) => without!(0b1),
        (4, 0b1000) => without!(0b1000),
        (4, 0b1001) => without!(0b1001),
        (6, 0b10_0000) => without!(0b10_0000),
        (6, 0b10_0001) => without!(0b10_0001),
        (8, 0b1000_0000) => without!(0b1000_0000),
        (8, 0b1000_0001) => without!(0b1000_0001),
        // Two rows of four positions.
        (8, 0b0001_0001) => without!(0b0001_0001),
        (8, 0b1000_1000) => without!(0b1000_1000),
        (8, 0b0000_1111) => without!(0b0000_1111),
        (8, 0b0001_1111) => without!(0b0001_1111),
        (8, 0b1000_1111) => without!(0b1000_1111),
        (8, 0b1111_0000) => without!(0b1111_0000),
        (8, 0b1111_0001) => without!(0b1111_0001),
        (8, 0b1111_1000) => without!(0b1111_1000),
        _ if outside.count_ones() as usize == P => {}
        _ => without!(0),
    }
}

/// Adds the products of `length` values of each position, all but those whose bit is set in `OUTSIDE`, with `T`
/// vectors of weights each, which are `step` weights apart.
///
/// # Safety
/// The processor has the instructions, and the values and weights are there.
#[inline(always)]
#[allow(unsafe_code)]
#[allow(clippy::needless_range_loop)]
unsafe fn add_products<F: Floats, const T: usize, const P: usize, const OUTSIDE: u32>(
    sums: &mut [[F; T]; P],
    mut values: *const f32,
    offsets: &[usize; P],
    mut weights: *const f32,
    step: usize,
    length: usize,
) {
    let end = values.wrapping_add(length);
    while values != end {
        // SAFETY: the caller's promise.
        unsafe {
            let mut vectors = [F::splat(0.0); T];
            for index in 0..T {
                vectors[index] = F::load(weights.wrapping_add(index * step));
            }
            for place in 0..P {
                if OUTSIDE >> place & 1 != 0 {
                    continue;
                }
                let value = F::splat(*values.wrapping_add(offsets[place]));
                for index in 0..T {
                    sums[place][index] = value.multiply_add(vectors[index], sums[place][index]);
                }
            }
        }
        weights = weights.wrapping_add(OUTPUT_TILE);
        values = values.wrapping_add(1);
    }
}
