//! Vectors of i32, of 8 with AVX2 or of 16 with AVX-512.

use crate::kernels::vectors::integers::{Factor, Integers};
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

#[allow(unsafe_code)]
impl Integers for __m256i {
    const LANES: usize = super::avx2::LANES;

    one_intrinsic! {
        add(other) = _mm256_add_epi32;
        subtract(other) = _mm256_sub_epi32;
        multiply(other) = _mm256_mullo_epi32;
        and(other) = _mm256_and_si256;
        maximum(other) = _mm256_max_epi32;
        minimum(other) = _mm256_min_epi32;
    }

    #[inline(always)]
    unsafe fn splat(value: i32) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn load_bytes(source: *const i8) -> Self {
        // SAFETY: the caller vouches for the instructions and eight bytes.
        unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(source.cast())) }
    }

    #[inline(always)]
    unsafe fn load_words(source: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and eight elements.
        unsafe { _mm256_cvtepi16_epi32(_mm_loadu_si128(source.cast())) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, target: *mut i8) {
        // SAFETY: the caller vouches for the instructions and eight bytes.
        unsafe { <i8 as super::avx2::Narrow>::store(target, Self::LANES, self) }
    }

    #[inline(always)]
    unsafe fn store_words(self, target: *mut i16) {
        // SAFETY: the caller vouches for the instructions and eight elements.
        unsafe { <i16 as super::avx2::Narrow>::store(target, Self::LANES, self) }
    }

    #[inline(always)]
    unsafe fn gather_pairs(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory at every lane.
        unsafe { _mm256_i32gather_epi32::<2>(table.cast(), self) }
    }

    #[inline(always)]
    unsafe fn gather(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and for the memory of every pair.
        unsafe {
            let pair = self.and(Self::splat(!1)).gather_pairs(table);
            let entry = _mm256_srav_epi32(pair, self.and(Self::splat(1)).shift_left::<4>());
            entry.shift_left::<16>().shift_right::<16>()
        }
    }

    #[inline(always)]
    unsafe fn shift_left<const BY: u32>(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_sll_epi32(self, _mm_cvtsi32_si128(BY as i32)) }
    }

    #[inline(always)]
    unsafe fn shift_right<const BY: u32>(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_sra_epi32(self, _mm_cvtsi32_si128(BY as i32)) }
    }

    #[inline(always)]
    unsafe fn rescale(self, factor: Factor) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { super::avx2::rescale(self, _mm256_set1_epi32(factor.multiplier), _mm_cvtsi32_si128(factor.shift)) }
    }

    #[inline(always)]
    unsafe fn rescale_each(self, multipliers: Self, shift: u8) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { super::avx2::rescale(self, multipliers, _mm_cvtsi32_si128(i32::from(shift & 31))) }
    }

    #[inline(always)]
    unsafe fn load_wholes(source: *const i32) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory.
        unsafe { _mm256_loadu_si256(source.cast()) }
    }

    #[inline(always)]
    unsafe fn load_reals(source: *const f32) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory.
        unsafe { _mm256_cvtps_epi32(_mm256_loadu_ps(source)) }
    }
}

#[allow(unsafe_code)]
impl Integers for __m512i {
    const LANES: usize = super::avx512::LANES;

    one_intrinsic! {
        add(other) = _mm512_add_epi32;
        subtract(other) = _mm512_sub_epi32;
        multiply(other) = _mm512_mullo_epi32;
        and(other) = _mm512_and_si512;
        maximum(other) = _mm512_max_epi32;
        minimum(other) = _mm512_min_epi32;
    }

    #[inline(always)]
    unsafe fn splat(value: i32) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn load_bytes(source: *const i8) -> Self {
        // SAFETY: the caller vouches for the instructions and 16 bytes.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(source.cast())) }
    }

    #[inline(always)]
    unsafe fn load_words(source: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and 16 elements.
        unsafe { _mm512_cvtepi16_epi32(_mm256_loadu_si256(source.cast())) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, target: *mut i8) {
        // SAFETY: the caller vouches for the instructions and 16 bytes.
        unsafe { <i8 as super::avx512::Narrow>::store(target, Self::LANES, self) }
    }

    #[inline(always)]
    unsafe fn store_words(self, target: *mut i16) {
        // SAFETY: the caller vouches for the instructions and 16 elements.
        unsafe { <i16 as super::avx512::Narrow>::store(target, Self::LANES, self) }
    }

    #[inline(always)]
    unsafe fn gather_pairs(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory at every lane.
        unsafe { _mm512_i32gather_epi32::<2>(self, table.cast()) }
    }

    #[inline(always)]
    unsafe fn gather(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and for the memory of every pair.
        unsafe {
            let pair = self.and(Self::splat(!1)).gather_pairs(table);
            let entry = _mm512_srav_epi32(pair, self.and(Self::splat(1)).shift_left::<4>());
            entry.shift_left::<16>().shift_right::<16>()
        }
    }

    #[inline(always)]
    unsafe fn shift_left<const BY: u32>(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_slli_epi32::<BY>(self) }
    }

    #[inline(always)]
    unsafe fn shift_right<const BY: u32>(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_srai_epi32::<BY>(self) }
    }

    #[inline(always)]
    unsafe fn rescale(self, factor: Factor) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { super::avx512::rescale(self, _mm512_set1_epi32(factor.multiplier), _mm_cvtsi32_si128(factor.shift)) }
    }

    #[inline(always)]
    unsafe fn rescale_each(self, multipliers: Self, shift: u8) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { super::avx512::rescale(self, multipliers, _mm_cvtsi32_si128(i32::from(shift & 31))) }
    }

    #[inline(always)]
    unsafe fn load_wholes(source: *const i32) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory.
        unsafe { _mm512_loadu_si512(source.cast()) }
    }

    #[inline(always)]
    unsafe fn load_reals(source: *const f32) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory.
        unsafe { _mm512_cvtps_epi32(_mm512_loadu_ps(source)) }
    }
}
