//! Vectors of i32, of 8 with AVX2 or of 16 with AVX-512.
//!
//! Every method is inlined into a kernel that is compiled for the instructions; to call one, the
//! processor must have them. That alone is what the methods without pointers ask of their callers.

use super::dispatch::MOST_LANES;
use core::arch::x86_64::*;

/// A vector of i32. All arithmetic wraps.
#[allow(unsafe_code)]
pub(super) trait Integers: Copy {
    /// Elements.
    const LANES: usize;

    /// The same integer in every lane.
    ///
    /// # Safety
    /// The processor has the instructions; as for all methods.
    unsafe fn splat(value: i32) -> Self;

    /// # Safety
    /// [`Self::LANES`] bytes from `source` on are readable.
    unsafe fn load_bytes(source: *const i8) -> Self;

    /// # Safety
    /// [`Self::LANES`] elements from `source` on are readable.
    unsafe fn load_words(source: *const i16) -> Self;

    /// # Safety
    /// [`Self::LANES`] elements from `source` on are readable.
    unsafe fn load_wholes(source: *const i32) -> Self;

    /// The nearest integers.
    ///
    /// # Safety
    /// [`Self::LANES`] numbers from `source` on are readable.
    unsafe fn load_reals(source: *const f32) -> Self;

    /// The first `count` elements, and zeros behind them.
    ///
    /// # Safety
    /// `count` elements from `source` on are readable.
    #[inline(always)]
    unsafe fn load_first_wholes(source: *const i32, count: usize) -> Self {
        // SAFETY: no vector has more lanes than the buffer; the rest is the caller's promise.
        unsafe {
            if count >= Self::LANES {
                return Self::load_wholes(source);
            }
            let mut buffer = [0; MOST_LANES];
            core::ptr::copy_nonoverlapping(source, buffer.as_mut_ptr(), count);
            Self::load_wholes(buffer.as_ptr())
        }
    }

    /// Limits every lane to i8.
    ///
    /// # Safety
    /// [`Self::LANES`] bytes from `target` on are writable.
    unsafe fn store_bytes(self, target: *mut i8);

    /// Limits every lane to i16.
    ///
    /// # Safety
    /// [`Self::LANES`] elements from `target` on are writable.
    unsafe fn store_words(self, target: *mut i16);

    /// The four bytes at twice the lane, counted in bytes, behind `table`.
    ///
    /// # Safety
    /// They are readable for every lane.
    unsafe fn gather(self, table: *const i16) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn add(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn subtract(self, other: Self) -> Self;

    /// The lower half of the product.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn multiply(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn and(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn maximum(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn minimum(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn shift_left<const BY: u32>(self) -> Self;

    /// Towards minus infinity.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn shift_right<const BY: u32>(self) -> Self;

    /// Towards minus infinity, each lane by its own number, 0 to 31.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn shift_right_by(self, by: Self) -> Self;

    /// [`crate::kernels::integer::rescale`] of every lane.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn rescale(self, factor: Factor) -> Self;

    /// The same with a multiplier for each lane, none of them negative.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn rescale_each(self, multipliers: Self, shift: u8) -> Self;
}

/// A multiplier that is not negative, and a left shift of 0 to 31.
#[derive(Clone, Copy)]
pub(super) struct Factor {
    multiplier: i32,
    shift: i32,
}

impl Factor {
    /// As records hold it.
    pub fn new(multiplier: u32, shift: u8) -> Self {
        Self { multiplier: (multiplier & i32::MAX as u32) as i32, shift: i32::from(shift & 31) }
    }
}

/// Elements of integer tensors.
#[allow(unsafe_code)]
pub(super) trait Element: Copy + Default {
    /// # Safety
    /// As of [`Integers::load_bytes`].
    unsafe fn load<I: Integers>(source: *const Self) -> I;
    /// # Safety
    /// As of [`Integers::store_bytes`].
    unsafe fn store<I: Integers>(target: *mut Self, value: I);

    /// The first `count` elements, and zeros behind them.
    ///
    /// # Safety
    /// The processor has the instructions, and `count` elements are readable.
    #[inline(always)]
    unsafe fn load_first<I: Integers>(source: *const Self, count: usize) -> I {
        // SAFETY: no vector has more lanes than the buffer; the rest is the caller's promise.
        unsafe {
            if count >= I::LANES {
                return Self::load(source);
            }
            let mut buffer = [Self::default(); MOST_LANES];
            core::ptr::copy_nonoverlapping(source, buffer.as_mut_ptr(), count);
            Self::load(buffer.as_ptr())
        }
    }

    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// The processor has the instructions, and `count` elements are writable.
    #[inline(always)]
    unsafe fn store_first<I: Integers>(target: *mut Self, count: usize, value: I) {
        // SAFETY: no vector has more lanes than the buffer; the rest is the caller's promise.
        unsafe {
            if count >= I::LANES {
                return Self::store(target, value);
            }
            let mut buffer = [Self::default(); MOST_LANES];
            Self::store(buffer.as_mut_ptr(), value);
            core::ptr::copy_nonoverlapping(buffer.as_ptr(), target, count);
        }
    }
}

#[allow(unsafe_code)]
impl Element for i8 {
    #[inline(always)]
    unsafe fn load<I: Integers>(source: *const Self) -> I {
        // SAFETY: the caller's promise.
        unsafe { I::load_bytes(source) }
    }

    #[inline(always)]
    unsafe fn store<I: Integers>(target: *mut Self, value: I) {
        // SAFETY: the caller's promise.
        unsafe { value.store_bytes(target) }
    }
}

#[allow(unsafe_code)]
impl Element for i16 {
    #[inline(always)]
    unsafe fn load<I: Integers>(source: *const Self) -> I {
        // SAFETY: the caller's promise.
        unsafe { I::load_words(source) }
    }

    #[inline(always)]
    unsafe fn store<I: Integers>(target: *mut Self, value: I) {
        // SAFETY: the caller's promise.
        unsafe { value.store_words(target) }
    }
}

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
        shift_right_by(by) = _mm256_srav_epi32;
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
    unsafe fn gather(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory at every lane.
        unsafe { _mm256_i32gather_epi32::<2>(table.cast(), self) }
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
        shift_right_by(by) = _mm512_srav_epi32;
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
    unsafe fn gather(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the instructions and the memory at every lane.
        unsafe { _mm512_i32gather_epi32::<2>(self, table.cast()) }
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
