//! f32 convolution with fused multiply-adds.

use crate::kernels::vectors::convolution::job::OUTPUT_TILE;
use crate::kernels::vectors::convolution::real::{LARGE, MAP, PADDED_MAP, SMALL, Source, Work, group};
use crate::kernels::vectors::floats::Floats;
use crate::kernels::x86::level::{Available, Level};
use crate::task::Task;
use core::arch::x86_64::{__m256, __m512};

/// Most vectors of output channels at once with AVX-512.
const MOST_VECTORS: usize = 3;

/// Positions at once, by the bits of a vector.
const POSITIONS_256: usize = 6;
const POSITIONS_512: usize = 8;

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
#[allow(unsafe_code)]
pub(super) fn run(task: &mut Task<'_>, level: Available) -> bool {
    let positions = (level.get() == Level::Avx512Vnni).then_some(POSITIONS_512);
    let Some((work, source)) = Work::new(task, positions) else { return false };
    // SAFETY: the level is available, the length of the output has been checked, and the source is the one that the
    // work has.
    unsafe {
        match (level.get(), source) {
            (Level::Portable, _) | (Level::Avx2, Source::PaddedMap) => false,
            (Level::Avx2, Source::Map) => avx2::<MAP>(&work),
            (Level::Avx2, Source::Small) => avx2::<SMALL>(&work),
            (Level::Avx2, Source::Large) => avx2::<LARGE>(&work),
            (Level::Avx512Vnni, Source::Map) => avx512::<MAP>(&work),
            (Level::Avx512Vnni, Source::PaddedMap) => avx512::<PADDED_MAP>(&work),
            (Level::Avx512Vnni, Source::Small) => avx512::<SMALL>(&work),
            (Level::Avx512Vnni, Source::Large) => avx512::<LARGE>(&work),
        }
    }
}

/// # Safety
/// The processor has AVX2 and FMA, the output is there, and `SOURCE` is the one that the work has.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx2<const SOURCE: usize>(work: &Work<'_>) -> bool {
    work.for_each_band::<SOURCE>(|band| {
        for first in (0..work.outputs()).step_by(2 * <__m256 as Floats>::LANES) {
            // SAFETY: as the caller says.
            unsafe {
                // One vector of the last tile may be all there is.
                if work.outputs() - first <= <__m256 as Floats>::LANES {
                    group::<__m256, 1, POSITIONS_256, SOURCE>(work, band, first);
                } else {
                    group::<__m256, 2, POSITIONS_256, SOURCE>(work, band, first);
                }
            }
        }
    })
}

/// # Safety
/// The processor has AVX-512 F and VL, AVX2 and FMA, the output is there, and `SOURCE` is the one that the
/// work has.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx512<const SOURCE: usize>(work: &Work<'_>) -> bool {
    let tiles = work.outputs().div_ceil(OUTPUT_TILE);
    let groups = tiles.div_ceil(MOST_VECTORS);
    work.for_each_band::<SOURCE>(|band| {
        let mut tile = 0;
        for index in 0..groups {
            let count = (tiles - tile).div_ceil(groups - index);
            // SAFETY: as the caller says.
            unsafe {
                match count {
                    1 => group::<__m512, 1, POSITIONS_512, SOURCE>(work, band, tile * OUTPUT_TILE),
                    2 => group::<__m512, 2, POSITIONS_512, SOURCE>(work, band, tile * OUTPUT_TILE),
                    _ => group::<__m512, MOST_VECTORS, POSITIONS_512, SOURCE>(work, band, tile * OUTPUT_TILE),
                }
            }
            tile += count;
        }
    })
}
