//! f32 convolution with fused multiply-adds.

use super::band::{Band, Extent, for_each};
use super::job::{Job, OUTPUT_TILE};
use crate::kernels::x86::floats::{Floats, store_first};
use crate::kernels::x86::level::{Available, Level};
use crate::task::{Task, elements_mut};
use core::arch::x86_64::{__m256, __m512};

/// Kept values of the smaller scratch.
const SMALL: usize = 8 << 10;

/// Kept values of the larger scratch, which costs time to enter.
const LARGE: usize = 32 << 10;

/// Most vectors of output channels at once.
const MOST_VECTORS: usize = 3;

/// With fewer channels, columns of zeros are not worth a loop for each column.
const LEAST_CHANNELS: usize = 8;

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
#[allow(unsafe_code)]
pub(super) fn run(task: &mut Task<'_>, level: Available) -> bool {
    let Some(job) = Job::<f32>::new(task, 1) else { return false };
    let bias: &[f32] = task.constant(task.record.bias, job.outputs);
    let output = elements_mut::<f32>(task.output);
    if output.len() != job.height * job.width * job.outputs {
        return false;
    }
    let small = Extent::fitting(&job, SMALL).filter(|extent| extent.is_whole(&job));
    let Some((extent, is_small)) =
        small.map(|extent| (extent, true)).or_else(|| Some((Extent::fitting(&job, LARGE)?, false)))
    else {
        return false;
    };
    let work = Work { job, bias, output: output.as_mut_ptr() };
    // SAFETY: the level is available, and the length of the output has been checked.
    unsafe {
        match (level.get(), is_small) {
            (Level::Portable, _) => false,
            (Level::Avx2, true) => avx2::<SMALL>(&work, extent),
            (Level::Avx2, false) => avx2::<LARGE>(&work, extent),
            (Level::Avx512Vnni, true) => avx512::<SMALL>(&work, extent),
            (Level::Avx512Vnni, false) => avx512::<LARGE>(&work, extent),
        }
    }
}

/// A convolution and where its output goes: `job.height * job.width * job.outputs` numbers.
struct Work<'a> {
    job: Job<'a, f32>,
    /// One for each output channel, or none.
    bias: &'a [f32],
    output: *mut f32,
}

/// # Safety
/// The processor has AVX2 and FMA, and the output is there.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx2<const LENGTH: usize>(work: &Work<'_>, extent: Extent) -> bool {
    for_each::<f32, f32, LENGTH>(&work.job, extent, |band| {
        for first in (0..work.job.outputs).step_by(2 * <__m256 as Floats>::LANES) {
            // SAFETY: as the caller says.
            unsafe {
                // One vector of the last tile may be all there is.
                if work.job.outputs - first <= <__m256 as Floats>::LANES {
                    group::<__m256, 1, 6>(work, band, first);
                } else {
                    group::<__m256, 2, 6>(work, band, first);
                }
            }
        }
    })
}

/// # Safety
/// The processor has AVX-512 F and VL, AVX2 and FMA, and the output is there.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx512<const LENGTH: usize>(work: &Work<'_>, extent: Extent) -> bool {
    let tiles = work.job.tiles();
    let groups = tiles.div_ceil(MOST_VECTORS);
    for_each::<f32, f32, LENGTH>(&work.job, extent, |band| {
        let mut tile = 0;
        for index in 0..groups {
            let count = (tiles - tile).div_ceil(groups - index);
            // SAFETY: as the caller says.
            unsafe {
                match count {
                    1 => group::<__m512, 1, 8>(work, band, tile * OUTPUT_TILE),
                    2 => group::<__m512, 2, 8>(work, band, tile * OUTPUT_TILE),
                    _ => group::<__m512, MOST_VECTORS, 8>(work, band, tile * OUTPUT_TILE),
                }
            }
            tile += count;
        }
    })
}

/// `T` vectors of output channels from `first` on at every position of the band, `P` positions at
/// once as long as there are so many.
///
/// # Safety
/// The processor has the instructions; the vectors lie in the tiles that there are; the output is
/// there.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn group<F: Floats, const T: usize, const P: usize>(work: &Work<'_>, band: &Band<'_, f32>, first: usize) {
    let positions = band.positions();
    // In a narrow map, a row at a time leaves out more.
    let most = if band.extent.columns == 4 { 4 } else { P };
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
    // Zeros times weights are left out where that is a whole row for all positions, or a column for the
    // first or the last of them.
    let kernel_rows = band.kernel_rows(job, position, P);
    let borders = [band.border(job, position), band.border(job, position + P - 1)];
    let has_border = borders.iter().any(|border| border.is_outside(0) || border.is_outside(job.columns.kernel - 1));
    let mut sums = [start; P];
    let mut plane = band.kept.as_ptr();
    for operand in job.operands() {
        let run = job.columns.kernel * operand.padded;
        let length = job.rows.kernel * run * OUTPUT_TILE;
        // From one vector of weights to the next: within a tile, or to the same place of the next.
        let step = if F::LANES == OUTPUT_TILE { length } else { F::LANES };
        let weights = operand.weights.as_ptr().wrapping_add(tile * length + within);
        let offsets = pixels.map(|pixel| pixel * operand.padded);
        for row in kernel_rows.clone() {
            let weights = weights.wrapping_add(row * run * OUTPUT_TILE);
            let values = plane.wrapping_add(row * band.line * operand.padded);
            let pixel = operand.padded;
            // SAFETY: the vectors of weights lie in tiles of the operand, as the caller says. The run
            // lies in the plane of the operand for every pixel at which a window starts.
            unsafe {
                if !has_border || pixel < LEAST_CHANNELS {
                    add_products::<F, T, P, 0, 0>(&mut sums, values, &offsets, weights, step, run);
                    continue;
                }
                for column in 0..job.columns.kernel {
                    let values = values.wrapping_add(column * pixel);
                    let weights = weights.wrapping_add(column * pixel * OUTPUT_TILE);
                    match borders.map(|border| border.is_outside(column)) {
                        [false, false] => {
                            add_products::<F, T, P, 0, 0>(&mut sums, values, &offsets, weights, step, pixel)
                        }
                        [true, false] => {
                            add_products::<F, T, P, 1, 0>(&mut sums, values, &offsets, weights, step, pixel)
                        }
                        [false, true] => {
                            add_products::<F, T, P, 0, 1>(&mut sums, values, &offsets, weights, step, pixel)
                        }
                        [true, true] => {
                            add_products::<F, T, P, 1, 1>(&mut sums, values, &offsets, weights, step, pixel)
                        }
                    }
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

/// Adds the products of `length` values of each position, all but the first `SKIPPED` and the last
/// `DROPPED`, with `T` vectors of weights each, which are `step` weights apart.
///
/// # Safety
/// The processor has the instructions, and the values and weights are there.
#[inline(always)]
#[allow(unsafe_code)]
#[allow(clippy::needless_range_loop)]
unsafe fn add_products<F: Floats, const T: usize, const P: usize, const SKIPPED: usize, const DROPPED: usize>(
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
            for place in SKIPPED..P - DROPPED {
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
