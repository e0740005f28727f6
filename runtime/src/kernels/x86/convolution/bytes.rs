//! Integer convolution with AVX-512 VNNI: four products of bytes a lane and instruction.
//!
//! `vpdpbusd` multiplies unsigned bytes with signed ones. Values are kept as `x + 128`, and what
//! adds nothing as `z + 128`, so over a whole window, padding included,
//!
//! ```text
//! sum of (x - z) * w = sum of (x + 128) * w - (z + 128) * sum of w
//! ```
//!
//! and the second sum is the same for every position. It is what a window of nothing else than
//! zeros of the real numbers would give, and is computed as such, once for a tile of outputs. All
//! sums wrap at 32 bits, as the definition's do, and no product or sum of four products can.

use super::super::avx512::{LANES, Narrow, load, rescale};
use crate::kernels::vectors::convolution::band::{Band, Extent, Kept, for_each};
use crate::kernels::vectors::convolution::job::{CHANNEL_TILE, Job, OUTPUT_TILE};
use crate::kernels::vectors::convolution::scale::Scale;
use core::arch::x86_64::*;

/// Bytes of the weights of one tile of output channels and one tile of input channels.
const STEP: usize = OUTPUT_TILE * CHANNEL_TILE;

/// Most tiles of output channels at once: with eight positions that makes 24 sums, and 32 registers
/// are there.
const MOST_TILES: usize = 3;

/// Kept values of the smaller scratch.
const SMALL: usize = 16 << 10;

/// Kept values of the larger scratch, which costs time to enter.
const LARGE: usize = 96 << 10;

/// 128 more, so that no value is negative; the sums are put right.
impl Kept<i8> for u8 {
    #[inline(always)]
    fn keep(value: i8, _zero_point: i32) -> Self {
        value as u8 ^ 0x80
    }

    #[inline(always)]
    fn nothing(zero_point: i32) -> Self {
        zero_point as u8 ^ 0x80
    }
}

/// Computes a convolution. Gives whether the scratch is large enough; if not, nothing is done.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL and VNNI, and the output has
/// `job.height * job.width * job.outputs` elements.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code)]
pub(super) unsafe fn run<Y: Narrow>(job: &Job<'_, i8>, scale: &Scale<'_>, output: &mut [Y]) -> bool {
    let is_small = Extent::fitting(job, SMALL).filter(|extent| extent.is_whole(job));
    // SAFETY: the caller's promise.
    unsafe {
        match is_small {
            Some(extent) => by_bands::<Y, SMALL>(job, scale, output, extent),
            None => match Extent::fitting(job, LARGE) {
                Some(extent) => by_bands::<Y, LARGE>(job, scale, output, extent),
                None => false,
            },
        }
    }
}

/// # Safety
/// As of [`run`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code)]
unsafe fn by_bands<Y: Narrow, const LENGTH: usize>(
    job: &Job<'_, i8>,
    scale: &Scale<'_>,
    output: &mut [Y],
    extent: Extent,
) -> bool {
    for_each::<i8, u8, LENGTH>(job, extent, |band| {
        // SAFETY: the caller's promise.
        unsafe { convolve(job, band, scale, output.as_mut_ptr()) }
    })
}

/// Writes the outputs of a band.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL and VNNI, and `output` holds
/// `job.height * job.width * job.outputs` elements.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code)]
unsafe fn convolve<Y: Narrow>(job: &Job<'_, i8>, band: &Band<'_, u8>, scale: &Scale<'_>, output: *mut Y) {
    let tiles = job.outputs.div_ceil(OUTPUT_TILE);
    let groups = tiles.div_ceil(MOST_TILES);
    let mut tile = 0;
    for group in 0..groups {
        let count = (tiles - tile).div_ceil(groups - group);
        // SAFETY: the tiles from `tile` on are `count` or more; the rest is the caller's promise.
        unsafe {
            match count {
                1 => group_of_tiles::<Y, 1>(job, band, scale, output, tile),
                2 => group_of_tiles::<Y, 2>(job, band, scale, output, tile),
                _ => group_of_tiles::<Y, MOST_TILES>(job, band, scale, output, tile),
            }
        }
        tile += count;
    }
}

/// `T` tiles of output channels at every position of the band.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code)]
unsafe fn group_of_tiles<Y: Narrow, const T: usize>(
    job: &Job<'_, i8>,
    band: &Band<'_, u8>,
    scale: &Scale<'_>,
    output: *mut Y,
    tile: usize,
) {
    let mut group = Group {
        job,
        band,
        tile,
        start: [_mm512_setzero_si512(); T],
        multipliers: [_mm512_setzero_si512(); T],
        shift: _mm_cvtsi32_si128(i32::from(scale.shift & 31)),
        zero: _mm512_set1_epi32(scale.zero),
        output,
    };
    // SAFETY: the tiles are there, as the caller says.
    let nothing = unsafe { group.nothing() };
    for (index, nothing) in nothing.into_iter().enumerate() {
        let first = (tile + index) * OUTPUT_TILE;
        group.start[index] = _mm512_sub_epi32(load(scale.bias, first), nothing);
        group.multipliers[index] = load(scale.multipliers, first);
    }
    let positions = band.positions();
    let mut first = 0;
    while first < positions {
        // SAFETY: as many positions are left as each block takes.
        unsafe {
            first += match positions - first {
                8.. => group.block::<8>(first),
                4.. => group.block::<4>(first),
                2.. => group.block::<2>(first),
                _ => group.block::<1>(first),
            };
        }
    }
}

/// Some tiles of output channels.
struct Group<'j, 'a, Y, const T: usize> {
    job: &'j Job<'a, i8>,
    band: &'j Band<'j, u8>,
    /// The first of them.
    tile: usize,
    /// Where sums start: the bias less what zeros give.
    start: [__m512i; T],
    multipliers: [__m512i; T],
    shift: __m128i,
    zero: __m512i,
    output: *mut Y,
}

impl<Y: Narrow, const T: usize> Group<'_, '_, Y, T> {
    /// The sums of a window of nothing.
    ///
    /// # Safety
    /// `T` tiles from `self.tile` on exist.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[allow(unsafe_code)]
    unsafe fn nothing(&self) -> [__m512i; T] {
        let mut sums = [_mm512_setzero_si512(); T];
        let area = self.job.rows.kernel * self.job.columns.kernel;
        for operand in self.job.operands() {
            let nothing = _mm512_set1_epi8(<u8 as Kept<i8>>::nothing(operand.zero_point) as i8);
            let length = area * operand.padded * OUTPUT_TILE;
            let mut weights = operand.weights.as_ptr().wrapping_add(self.tile * length);
            for _ in 0..length / STEP {
                for (index, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: a tile has `length` weights, and `T` of them follow one another from here.
                    let weights = unsafe { _mm512_loadu_si512(weights.wrapping_add(index * length).cast()) };
                    *sum = _mm512_dpbusd_epi32(*sum, nothing, weights);
                }
                weights = weights.wrapping_add(STEP);
            }
        }
        sums
    }

    /// `P` positions from `first` on; gives `P`.
    ///
    /// # Safety
    /// The band has them, `T` tiles from `self.tile` on exist, and the output is there as a whole.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[allow(unsafe_code)]
    unsafe fn block<const P: usize>(&self, first: usize) -> usize {
        let job = self.job;
        let (pixels, targets) = self.band.places::<_, P>(job, first);
        let mut sums = [self.start; P];
        // SAFETY: as the caller says.
        unsafe { self.add_products::<P>(pixels, &mut sums) };
        for (sums, &target) in sums.iter().zip(&targets) {
            for (index, (&sum, &multiplier)) in sums.iter().zip(&self.multipliers).enumerate() {
                let channel = (self.tile + index) * OUTPUT_TILE;
                let value = _mm512_add_epi32(self.zero, rescale(sum, multiplier, self.shift));
                let output = self.output.wrapping_add(target * job.outputs + channel);
                // SAFETY: the position lies in the output, and so do the channels that are left.
                unsafe { Y::store(output, (job.outputs - channel).min(LANES), value) };
            }
        }
        P
    }

    /// Adds to the sums those over the windows that start at some pixels of the band.
    ///
    /// The compiler holds the sums in registers only if nothing else is done with them, hence a
    /// function of its own that copies them in and out.
    ///
    /// # Safety
    /// The band has these windows, and `T` tiles from `self.tile` on exist.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[allow(unsafe_code)]
    #[allow(clippy::needless_range_loop)]
    unsafe fn add_products<const P: usize>(&self, pixels: [usize; P], totals: &mut [[__m512i; T]; P]) {
        let (job, band) = (self.job, self.band);
        let mut sums = [[_mm512_setzero_si512(); T]; P];
        for place in 0..P {
            for index in 0..T {
                sums[place][index] = totals[place][index];
            }
        }
        let mut plane = band.kept.as_ptr();
        for operand in job.operands() {
            let run = job.columns.kernel * operand.padded;
            let length = job.rows.kernel * run * OUTPUT_TILE;
            let mut weights = operand.weights.as_ptr().wrapping_add(self.tile * length);
            let offsets = pixels.map(|pixel| pixel * operand.padded);
            for row in 0..job.rows.kernel {
                let mut values = plane.wrapping_add(row * band.line * operand.padded);
                let end = values.wrapping_add(run);
                while values != end {
                    let mut tiles = [_mm512_setzero_si512(); T];
                    for index in 0..T {
                        // SAFETY: a tile has `length` weights, and `T` of them follow one another from here.
                        tiles[index] = unsafe { _mm512_loadu_si512(weights.wrapping_add(index * length).cast()) };
                    }
                    for place in 0..P {
                        // SAFETY: the run lies in the plane of the operand for every pixel at which a
                        // window starts, and its length is a multiple of four.
                        let value = unsafe { values.wrapping_add(offsets[place]).cast::<i32>().read_unaligned() };
                        let value = _mm512_set1_epi32(value);
                        for index in 0..T {
                            sums[place][index] = _mm512_dpbusd_epi32(sums[place][index], value, tiles[index]);
                        }
                    }
                    weights = weights.wrapping_add(STEP);
                    values = values.wrapping_add(CHANNEL_TILE);
                }
            }
            plane = plane.wrapping_add(band.plane * operand.padded);
        }
        for place in 0..P {
            for index in 0..T {
                totals[place][index] = sums[place][index];
            }
        }
    }
}
