//! f32 convolution with fused multiply-adds.
//!
//! What depends on the size of the scratch is apart from what computes: the kernels are compiled once for all bands.

use crate::kernels::vectors::convolution::band::Band;
use crate::kernels::vectors::convolution::job::OUTPUT_TILE;
use crate::kernels::vectors::convolution::real::{BAND, LARGE, MAP, PADDED_MAP, SMALL, Source, Work, group};
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
            (Level::Portable, _) | (Level::Avx2, Source::PaddedMap) => return false,
            (Level::Avx2, Source::Map) => avx2::<MAP>(&work, &work.map()),
            (Level::Avx2, Source::Small) => return avx2_bands::<SMALL>(&work),
            (Level::Avx2, Source::Large) => return avx2_bands::<LARGE>(&work),
            (Level::Avx512Vnni, Source::Map) => avx512::<MAP>(&work, &work.map()),
            (Level::Avx512Vnni, Source::PaddedMap) => avx512::<PADDED_MAP>(&work, &work.map()),
            (Level::Avx512Vnni, Source::Small) => return avx512_bands::<SMALL>(&work),
            (Level::Avx512Vnni, Source::Large) => return avx512_bands::<LARGE>(&work),
        }
    }
    true
}

/// # Safety
/// As of [`avx2`], for bands.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx2_bands<const LENGTH: usize>(work: &Work<'_>) -> bool {
    // SAFETY: as the caller says.
    work.for_each_band::<LENGTH>(|band| unsafe { avx2::<BAND>(work, band) })
}

/// # Safety
/// As of [`avx512`], for bands.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx512_bands<const LENGTH: usize>(work: &Work<'_>) -> bool {
    // SAFETY: as the caller says.
    work.for_each_band::<LENGTH>(|band| unsafe { avx512::<BAND>(work, band) })
}

/// # Safety
/// The processor has AVX2 and FMA, the output is there, and `SOURCE` is the one that the work has.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx2<const SOURCE: usize>(work: &Work<'_>, band: &Band<'_, f32>) {
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
}

/// # Safety
/// The processor has AVX-512 F and VL, AVX2 and FMA, the output is there, and `SOURCE` is the one that the
/// work has.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx512<const SOURCE: usize>(work: &Work<'_>, band: &Band<'_, f32>) {
    let tiles = work.outputs().div_ceil(OUTPUT_TILE);
    let groups = tiles.div_ceil(MOST_VECTORS);
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
}
