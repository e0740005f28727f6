//! One text for both widths of vectors, compiled for the instructions of each.

use super::floats::Floats;
use super::integers::Integers;
use super::level::{Available, Level};
use core::arch::x86_64::{__m256, __m256i, __m512, __m512i};

/// Most lanes of any vector.
pub(super) const MOST_LANES: usize = 16;

/// Work that can be done with vectors of either width.
#[allow(unsafe_code)]
pub(super) trait Kernel {
    /// Does it. To be `#[inline(always)]`, and all that it calls: only so is it compiled for the
    /// instructions.
    ///
    /// # Safety
    /// The processor has the instructions of the vectors.
    unsafe fn run<I: Integers, F: Floats>(self);
}

/// Does the work; false without vectors, and then nothing is done.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn dispatch(level: Available, kernel: impl Kernel) -> bool {
    match level.get() {
        Level::Portable => return false,
        // SAFETY: the level is available.
        Level::Avx2 => unsafe { avx2(kernel) },
        // SAFETY: likewise.
        Level::Avx512Vnni => unsafe { avx512(kernel) },
    }
    true
}

/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
#[allow(unsafe_code)]
unsafe fn avx2<K: Kernel>(kernel: K) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<__m256i, __m256>() }
}

/// # Safety
/// The processor has AVX2, FMA and AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
#[allow(unsafe_code)]
unsafe fn avx512<K: Kernel>(kernel: K) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<__m512i, __m512>() }
}
