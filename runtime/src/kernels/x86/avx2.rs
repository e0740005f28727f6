//! Vectors of 8 integers with AVX2.

use core::arch::x86_64::*;

/// Integers in a vector.
pub(super) const LANES: usize = 8;

/// [`crate::kernels::integer::rescale`] of every lane; `shift` holds the left shift in its first
/// lane. The multipliers are not negative.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn rescale(value: __m256i, multiplier: __m256i, shift: __m128i) -> __m256i {
    let half = _mm256_set1_epi64x(1 << 31);
    let value = _mm256_sll_epi32(value, shift);
    let even = _mm256_mul_epi32(value, multiplier);
    let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(value), _mm256_srli_epi64::<32>(multiplier));
    let even = _mm256_srli_epi64::<32>(_mm256_add_epi64(even, half));
    _mm256_blend_epi32::<0xaa>(even, _mm256_add_epi64(odd, half))
}

/// Lanes from a slice from `first` on; zeros past its end.
#[inline]
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
pub(super) fn load(values: &[i32], first: usize) -> __m256i {
    let mut lanes = [0_i32; LANES];
    for (lane, &value) in lanes.iter_mut().zip(values.get(first..).unwrap_or(&[])) {
        *lane = value;
    }
    // SAFETY: the array has eight elements.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

/// Elements that vectors of integers are limited to.
#[allow(unsafe_code)]
pub(super) trait Narrow: Copy {
    /// Limits every lane to the type and writes the first `count` of them.
    ///
    /// # Safety
    /// `count` elements from `target` on are writable, and the processor has AVX2.
    unsafe fn store(target: *mut Self, count: usize, value: __m256i);
}

impl Narrow for i8 {
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn store(target: *mut Self, count: usize, value: __m256i) {
        // SAFETY: no more than `count` bytes are written, which the caller vouches for, as for the
        // instructions.
        unsafe {
            let words = _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value));
            let bytes = _mm_packs_epi16(words, words);
            if count >= LANES {
                _mm_storel_epi64(target.cast(), bytes);
            } else {
                let mut lanes = [0_i8; LANES];
                _mm_storel_epi64(lanes.as_mut_ptr().cast(), bytes);
                core::ptr::copy_nonoverlapping(lanes.as_ptr(), target, count);
            }
        }
    }
}

impl Narrow for i16 {
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn store(target: *mut Self, count: usize, value: __m256i) {
        // SAFETY: no more than `count` elements are written, which the caller vouches for, as for the
        // instructions.
        unsafe {
            let words = _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value));
            if count >= LANES {
                _mm_storeu_si128(target.cast(), words);
            } else {
                let mut lanes = [0_i16; LANES];
                _mm_storeu_si128(lanes.as_mut_ptr().cast(), words);
                core::ptr::copy_nonoverlapping(lanes.as_ptr(), target, count);
            }
        }
    }
}
