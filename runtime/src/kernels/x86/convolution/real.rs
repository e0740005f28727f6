//! f32 convolution with fused multiply-adds.

use crate::kernels::vectors::convolution::band::{Extent, for_each};
use crate::kernels::vectors::convolution::job::OUTPUT_TILE;
use crate::kernels::vectors::convolution::real::{LARGE, SMALL, Work, group};
use crate::kernels::vectors::floats::Floats;
use crate::kernels::x86::level::{Available, Level};
use crate::task::Task;
use core::arch::x86_64::{__m256, __m512};

/// Most vectors of output channels at once.
const MOST_VECTORS: usize = 3;

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
#[allow(unsafe_code)]
pub(super) fn run(task: &mut Task<'_>, level: Available) -> bool {
    let Some((work, extent, is_small)) = Work::new(task) else { return false };
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
    let tiles = work.job.outputs.div_ceil(OUTPUT_TILE);
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
