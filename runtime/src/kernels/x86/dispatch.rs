//! Kernels over vectors, compiled for both widths.

use super::level::{Available, Level};
use crate::kernels::vectors::machine::{Kernel, Machine};
use core::arch::x86_64::{__m256, __m256i, __m512, __m512i};

impl Machine for Available {
    #[inline(always)]
    #[allow(unsafe_code)]
    fn dispatch(self, kernel: impl Kernel) -> bool {
        match self.get() {
            Level::Portable => return false,
            // SAFETY: the level is available.
            Level::Avx2 => unsafe { avx2(kernel) },
            // SAFETY: likewise.
            Level::Avx512Vnni => unsafe { avx512(kernel) },
        }
        true
    }
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
