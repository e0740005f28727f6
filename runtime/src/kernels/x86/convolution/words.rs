//! Integer convolution with AVX2: two products of 16-bit integers a lane and instruction.
//!
//! Values are kept as `x - z`, which fits 16 bits, and weights are widened on the way: `vpmaddwd`
//! is exact. A vector of weights has four output channels by four input channels, so that each
//! output channel has two sums in neighbouring lanes, which are added at the end.

use super::super::avx2::{LANES, Narrow, load, rescale};
use crate::kernels::vectors::convolution::band::{Band, Extent, Kept, for_each};
use crate::kernels::vectors::convolution::job::{CHANNEL_TILE, Job, OUTPUT_TILE};
use crate::kernels::vectors::convolution::scale::Scale;
use core::arch::x86_64::*;

/// Bytes of the weights of one tile of output channels and one tile of input channels.
const STEP: usize = OUTPUT_TILE * CHANNEL_TILE;

/// Output channels of one vector of weights.
const VECTOR: usize = 4;

/// Kept values of the smaller scratch.
const SMALL: usize = 8 << 10;

/// Kept values of the larger scratch, which costs time to enter.
const LARGE: usize = 48 << 10;

/// The zero point taken off.
impl Kept<i8> for i16 {
    #[inline(always)]
    fn keep(value: i8, zero_point: i32) -> Self {
        i16::from(value).wrapping_sub(zero_point as i16)
    }

    #[inline(always)]
    fn nothing(_zero_point: i32) -> Self {
        0
    }
}

/// Computes a convolution. Gives whether the scratch is large enough; if not, nothing is done.
///
/// # Safety
/// The processor has AVX2, and the output has `job.height * job.width * job.outputs` elements.
#[target_feature(enable = "avx2")]
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
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
unsafe fn by_bands<Y: Narrow, const LENGTH: usize>(
    job: &Job<'_, i8>,
    scale: &Scale<'_>,
    output: &mut [Y],
    extent: Extent,
) -> bool {
    for_each::<i8, i16, LENGTH>(job, extent, |band| {
        // SAFETY: the caller's promise.
        unsafe { convolve(job, band, scale, output.as_mut_ptr()) }
    })
}

/// Writes the outputs of a band.
///
/// # Safety
/// The processor has AVX2, and `output` holds `job.height * job.width * job.outputs` elements.
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
unsafe fn convolve<Y: Narrow>(job: &Job<'_, i8>, band: &Band<'_, i16>, scale: &Scale<'_>, output: *mut Y) {
    let positions = band.positions();
    for channel in (0..job.outputs).step_by(LANES) {
        let group = Group {
            job,
            band,
            channel,
            bias: load(scale.bias, channel),
            multipliers: load(scale.multipliers, channel),
            shift: _mm_cvtsi32_si128(i32::from(scale.shift & 31)),
            zero: _mm256_set1_epi32(scale.zero),
            output,
        };
        let mut first = 0;
        while first < positions {
            // SAFETY: as many positions are left as each block takes; the rest is the caller's promise.
            unsafe {
                first += match positions - first {
                    4.. => group.block::<4>(first),
                    2.. => group.block::<2>(first),
                    _ => group.block::<1>(first),
                };
            }
        }
    }
}

/// Eight output channels: half a tile.
struct Group<'j, 'a, Y> {
    job: &'j Job<'a, i8>,
    band: &'j Band<'j, i16>,
    /// The first of them.
    channel: usize,
    bias: __m256i,
    multipliers: __m256i,
    shift: __m128i,
    zero: __m256i,
    output: *mut Y,
}

impl<Y: Narrow> Group<'_, '_, Y> {
    /// `P` positions from `first` on; gives `P`.
    ///
    /// # Safety
    /// The band has them, and the output is there as a whole.
    #[inline]
    #[target_feature(enable = "avx2")]
    #[allow(unsafe_code)]
    unsafe fn block<const P: usize>(&self, first: usize) -> usize {
        let (job, band) = (self.job, self.band);
        let (pixels, targets) = band.places::<_, P>(job, first);
        let (tile, within) = (self.channel / OUTPUT_TILE, self.channel % OUTPUT_TILE);
        // Zeros times weights are left out where that is a whole row for all positions.
        let kernel_rows = band.kernel_rows(job, first, P);
        let mut sums = [[_mm256_setzero_si256(); LANES / VECTOR]; P];
        let mut plane = band.kept.as_ptr();
        for operand in job.operands() {
            let run = job.columns.kernel * operand.padded;
            let length = job.rows.kernel * run * OUTPUT_TILE;
            let weights = operand.weights.as_ptr().wrapping_add(tile * length + within * CHANNEL_TILE);
            let offsets = pixels.map(|pixel| pixel * operand.padded);
            for row in kernel_rows.clone() {
                let mut weights = weights.wrapping_add(row * run * OUTPUT_TILE);
                let mut values = plane.wrapping_add(row * band.line * operand.padded);
                let end = values.wrapping_add(run);
                while values != end {
                    // SAFETY: the weights of this half of a tile are 32 bytes, of which each load takes 16.
                    let wide = unsafe {
                        let half = |index| weights.wrapping_add(index * VECTOR * CHANNEL_TILE).cast();
                        [_mm_loadu_si128(half(0)), _mm_loadu_si128(half(1))]
                    };
                    let wide = [_mm256_cvtepi8_epi16(wide[0]), _mm256_cvtepi8_epi16(wide[1])];
                    for (sums, &offset) in sums.iter_mut().zip(&offsets) {
                        // SAFETY: the run lies in the plane of the operand for every pixel at which a
                        // window starts, and its length is a multiple of four.
                        let value = unsafe { values.wrapping_add(offset).cast::<i64>().read_unaligned() };
                        let value = _mm256_set1_epi64x(value);
                        for (sum, &wide) in sums.iter_mut().zip(&wide) {
                            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(value, wide));
                        }
                    }
                    weights = weights.wrapping_add(STEP);
                    values = values.wrapping_add(CHANNEL_TILE);
                }
            }
            plane = plane.wrapping_add(band.plane * operand.padded);
        }
        for (sums, &target) in sums.iter().zip(&targets) {
            // Channels 0, 1, 4, 5, 2, 3, 6, 7, which is then put right.
            let sum = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(sums[0], sums[1]));
            let value = rescale(_mm256_add_epi32(sum, self.bias), self.multipliers, self.shift);
            let output = self.output.wrapping_add(target * job.outputs + self.channel);
            // SAFETY: the position lies in the output, and so do the channels that are left.
            unsafe { Y::store(output, (job.outputs - self.channel).min(LANES), _mm256_add_epi32(self.zero, value)) };
        }
        P
    }
}
