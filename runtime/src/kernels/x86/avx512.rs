//! Vectors of 16 integers with AVX-512.

use core::arch::x86_64::*;

/// Integers in a vector.
pub(super) const LANES: usize = 16;

/// The mask of the first lanes.
#[inline(always)]
pub(super) const fn first_lanes(count: usize) -> u16 {
    if count >= LANES { u16::MAX } else { (1 << count) - 1 }
}

/// [`crate::kernels::integer::rescale`] of every lane; `shift` holds the left shift in its first
/// lane. The multipliers are not negative.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn rescale(value: __m512i, multiplier: __m512i, shift: __m128i) -> __m512i {
    let half = _mm512_set1_epi64(1 << 31);
    let value = _mm512_sll_epi32(value, shift);
    let even = _mm512_mul_epi32(value, multiplier);
    let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(value), _mm512_srli_epi64::<32>(multiplier));
    let even = _mm512_srli_epi64::<32>(_mm512_add_epi64(even, half));
    _mm512_mask_blend_epi32(0xaaaa, even, _mm512_add_epi64(odd, half))
}

/// The first lanes of a slice from `first` on; zeros past its end.
#[inline]
#[target_feature(enable = "avx512f")]
#[allow(unsafe_code)]
pub(super) fn load(values: &[i32], first: usize) -> __m512i {
    let values = values.get(first..).unwrap_or(&[]);
    // SAFETY: only lanes within the slice are read.
    unsafe { _mm512_maskz_loadu_epi32(first_lanes(values.len()), values.as_ptr()) }
}

/// Elements that vectors of integers are limited to.
#[allow(unsafe_code)]
pub(super) trait Narrow: Copy {
    /// Limits every lane to the type and writes the first `count` of them.
    ///
    /// # Safety
    /// `count` elements from `target` on are writable, and the processor has AVX-512 F, BW and VL.
    unsafe fn store(target: *mut Self, count: usize, value: __m512i);
}

impl Narrow for i8 {
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn store(target: *mut Self, count: usize, value: __m512i) {
        // SAFETY: no more than `count` bytes are written, which the caller vouches for, as for the
        // instructions.
        unsafe {
            let narrow = _mm512_cvtsepi32_epi8(value);
            if count >= LANES {
                _mm_storeu_si128(target.cast(), narrow);
            } else {
                _mm_mask_storeu_epi8(target, first_lanes(count), narrow);
            }
        }
    }
}

impl Narrow for i16 {
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn store(target: *mut Self, count: usize, value: __m512i) {
        // SAFETY: no more than `count` elements are written, which the caller vouches for, as for the
        // instructions.
        unsafe {
            let narrow = _mm512_cvtsepi32_epi16(value);
            if count >= LANES {
                _mm256_storeu_si256(target.cast(), narrow);
            } else {
                _mm256_mask_storeu_epi16(target, first_lanes(count), narrow);
            }
        }
    }
}
