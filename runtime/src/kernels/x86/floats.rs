//! Vectors of f32, of 8 with AVX2 and FMA or of 16 with AVX-512.

use super::avx512::first_lanes;
use crate::kernels::vectors::floats::Floats;
use core::arch::x86_64::*;

/// The methods that are one intrinsic of a width.
macro_rules! one_intrinsic {
    ($($name:ident($($operand:ident),*) = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self $(, $operand: Self)*) -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe { $intrinsic(self $(, $operand)*) }
        }
    )*};
}

/// The methods that move numbers.
macro_rules! moves {
    ($splat:ident, $load:ident, $store:ident) => {
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe { $splat(value) }
        }

        #[inline(always)]
        unsafe fn load(source: *const f32) -> Self {
            // SAFETY: the caller vouches for the instructions and the memory.
            unsafe { $load(source) }
        }

        #[inline(always)]
        unsafe fn store(self, target: *mut f32) {
            // SAFETY: the caller vouches for the instructions and the memory.
            unsafe { $store(target, self) }
        }
    };
}

#[allow(unsafe_code)]
impl Floats for __m256 {
    const LANES: usize = 8;

    moves!(_mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps);

    one_intrinsic! {
        multiply_add(factor, term) = _mm256_fmadd_ps;
        add(other) = _mm256_add_ps;
        subtract(other) = _mm256_sub_ps;
        multiply(other) = _mm256_mul_ps;
        divide(other) = _mm256_div_ps;
        maximum(other) = _mm256_max_ps;
        minimum(other) = _mm256_min_ps;
    }

    #[inline(always)]
    unsafe fn round_to_power(self) -> (Self, Self) {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            let whole = _mm256_cvtps_epi32(self);
            let power = _mm256_slli_epi32::<23>(_mm256_add_epi32(whole, _mm256_set1_epi32(127)));
            (_mm256_cvtepi32_ps(whole), _mm256_castsi256_ps(power))
        }
    }

    #[inline(always)]
    unsafe fn if_positive_else(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_blendv_ps(other, self, _mm256_cmp_ps::<_CMP_GT_OQ>(self, _mm256_setzero_ps())) }
    }
}

#[allow(unsafe_code)]
impl Floats for __m512 {
    const LANES: usize = 16;

    moves!(_mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps);

    #[inline(always)]
    unsafe fn store_part(self, target: *mut f32, count: usize) {
        // SAFETY: only the first `count` lanes are written; the caller vouches for them and the instructions.
        unsafe { _mm512_mask_storeu_ps(target, first_lanes(count), self) }
    }

    one_intrinsic! {
        multiply_add(factor, term) = _mm512_fmadd_ps;
        add(other) = _mm512_add_ps;
        subtract(other) = _mm512_sub_ps;
        multiply(other) = _mm512_mul_ps;
        divide(other) = _mm512_div_ps;
        maximum(other) = _mm512_max_ps;
        minimum(other) = _mm512_min_ps;
    }

    #[inline(always)]
    unsafe fn round_to_power(self) -> (Self, Self) {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            let whole = _mm512_cvtps_epi32(self);
            let power = _mm512_slli_epi32::<23>(_mm512_add_epi32(whole, _mm512_set1_epi32(127)));
            (_mm512_cvtepi32_ps(whole), _mm512_castsi512_ps(power))
        }
    }

    #[inline(always)]
    unsafe fn if_positive_else(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            let is_positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self, _mm512_setzero_ps());
            _mm512_mask_blend_ps(is_positive, other, self)
        }
    }
}
