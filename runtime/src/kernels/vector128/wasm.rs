//! Vectors with the instructions of WebAssembly's fixed-width SIMD.

use core::arch::wasm32::*;

/// Pairs of vectors of weights, four output channels each, that a block of a convolution has at once.
pub(super) const PAIRS: usize = 1;

/// Positions of a block: with their sums, the weights and the values, most of the 16 registers that a host
/// may have.
pub(super) const POSITIONS: usize = 2;

/// The methods that are one intrinsic.
macro_rules! one_intrinsic {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(self, other: Self) -> Self {
            Self($intrinsic(self.0, other.0))
        }
    )*};
}

/// Four i32. All arithmetic wraps.
#[derive(Clone, Copy)]
pub(super) struct I32x4(v128);

#[allow(unsafe_code)]
impl I32x4 {
    one_intrinsic! {
        add = i32x4_add;
        subtract = i32x4_sub;
        multiply = i32x4_mul;
        and = v128_and;
        maximum = i32x4_max;
        minimum = i32x4_min;
    }

    #[inline(always)]
    pub fn splat(value: i32) -> Self {
        Self(i32x4_splat(value))
    }

    /// # Safety
    /// Four elements from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const i32) -> Self {
        // SAFETY: the caller vouches for the memory.
        Self(unsafe { v128_load(source.cast()) })
    }

    /// # Safety
    /// Four elements from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store(self, target: *mut i32) {
        // SAFETY: the caller vouches for the memory.
        unsafe { v128_store(target.cast(), self.0) }
    }

    /// # Safety
    /// Eight bytes from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load_bytes(source: *const i8) -> [Self; 2] {
        // SAFETY: the caller vouches for the memory.
        Self::widen(unsafe { i16x8_load_extend_i8x8(source) })
    }

    /// # Safety
    /// Eight elements from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load_words(source: *const i16) -> [Self; 2] {
        // SAFETY: the caller vouches for the memory.
        Self::widen(unsafe { v128_load(source.cast()) })
    }

    #[inline(always)]
    fn widen(words: v128) -> [Self; 2] {
        [Self(i32x4_extend_low_i16x8(words)), Self(i32x4_extend_high_i16x8(words))]
    }

    /// The nearest integers.
    ///
    /// # Safety
    /// Four numbers from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load_reals(source: *const f32) -> Self {
        // SAFETY: the caller vouches for the memory.
        Self(i32x4_trunc_sat_f32x4(f32x4_nearest(unsafe { v128_load(source.cast()) })))
    }

    /// Limits every lane to i8.
    ///
    /// # Safety
    /// Eight bytes from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store_bytes(values: [Self; 2], target: *mut i8) {
        let words = Self::narrow(values);
        // SAFETY: the caller vouches for the memory.
        unsafe { v128_store64_lane::<0>(i8x16_narrow_i16x8(words, words), target.cast()) }
    }

    /// Limits every lane to i16.
    ///
    /// # Safety
    /// Eight elements from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store_words(values: [Self; 2], target: *mut i16) {
        // SAFETY: the caller vouches for the memory.
        unsafe { v128_store(target.cast(), Self::narrow(values)) }
    }

    #[inline(always)]
    fn narrow([low, high]: [Self; 2]) -> v128 {
        i16x8_narrow_i32x4(low.0, high.0)
    }

    /// By 0 to 31.
    #[inline(always)]
    pub fn shift_left(self, by: u32) -> Self {
        Self(i32x4_shl(self.0, by))
    }

    /// By 0 to 31, towards minus infinity.
    #[inline(always)]
    pub fn shift_right(self, by: u32) -> Self {
        Self(i32x4_shr(self.0, by))
    }

    /// `(self * multiplier + 2^31) >> 32`, the product in 64 bits.
    #[inline(always)]
    pub fn high_multiply(self, multipliers: Self) -> Self {
        let half = i64x2_splat(1 << 31);
        let low = i64x2_add(i64x2_extmul_low_i32x4(self.0, multipliers.0), half);
        let high = i64x2_add(i64x2_extmul_high_i32x4(self.0, multipliers.0), half);
        Self(i32x4_shuffle::<1, 3, 5, 7>(low, high))
    }
}

/// Four f32.
#[derive(Clone, Copy)]
pub(super) struct F32x4(v128);

#[allow(unsafe_code)]
impl F32x4 {
    one_intrinsic! {
        add = f32x4_add;
        subtract = f32x4_sub;
        multiply = f32x4_mul;
        divide = f32x4_div;
    }

    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    /// # Safety
    /// Four numbers from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const f32) -> Self {
        // SAFETY: the caller vouches for the memory.
        Self(unsafe { v128_load(source.cast()) })
    }

    /// # Safety
    /// Four numbers from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store(self, target: *mut f32) {
        // SAFETY: the caller vouches for the memory.
        unsafe { v128_store(target.cast(), self.0) }
    }

    /// `self * factor + term`, rounded twice.
    #[inline(always)]
    pub fn multiply_add(self, factor: Self, term: Self) -> Self {
        self.multiply(factor).add(term)
    }

    /// The larger one; `other` where either is no number.
    #[inline(always)]
    pub fn maximum(self, other: Self) -> Self {
        Self(f32x4_pmax(other.0, self.0))
    }

    /// The smaller one; `other` where either is no number.
    #[inline(always)]
    pub fn minimum(self, other: Self) -> Self {
        Self(f32x4_pmin(other.0, self.0))
    }

    /// `self` where it is above zero, else `other`.
    #[inline(always)]
    pub fn if_positive_else(self, other: Self) -> Self {
        Self(v128_bitselect(self.0, other.0, f32x4_gt(self.0, f32x4_splat(0.0))))
    }

    /// The nearest whole number `n`, and `2^n`, for -126 <= n <= 127.
    #[inline(always)]
    pub fn round_to_power(self) -> (Self, Self) {
        let whole = f32x4_nearest(self.0);
        let power = i32x4_shl(i32x4_add(i32x4_trunc_sat_f32x4(whole), i32x4_splat(127)), 23);
        (Self(whole), Self(power))
    }
}

/// Four values of a pixel, widened to i16, twice.
#[derive(Clone, Copy)]
pub(super) struct Quad(v128);

#[allow(unsafe_code)]
impl Quad {
    #[inline(always)]
    pub fn splat(value: i8) -> Self {
        Self(i16x8_splat(value.into()))
    }

    /// # Safety
    /// Four bytes from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const i8) -> Self {
        // SAFETY: the caller vouches for the memory.
        Self(i16x8_extend_low_i8x16(unsafe { v128_load32_splat(source.cast()) }))
    }
}

/// The weights of four values for four output channels, widened to i16: two channels in each vector.
#[derive(Clone, Copy)]
pub(super) struct Weights([v128; 2]);

#[allow(unsafe_code)]
impl Weights {
    /// # Safety
    /// Sixteen bytes from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const i8) -> Self {
        // SAFETY: the caller vouches for the memory.
        let bytes = unsafe { v128_load(source.cast()) };
        Self([i16x8_extend_low_i8x16(bytes), i16x8_extend_high_i8x16(bytes)])
    }
}

/// Sums of products for four output channels: each has two lanes, which are added at the end.
#[derive(Clone, Copy)]
pub(super) struct Sums([v128; 2]);

impl Sums {
    #[inline(always)]
    pub fn zero() -> Self {
        Self([i32x4_splat(0); 2])
    }

    #[inline(always)]
    pub fn add_products(self, values: Quad, weights: Weights) -> Self {
        let add = |sum, weights| i32x4_add(sum, i32x4_dot_i16x8(values.0, weights));
        Self([add(self.0[0], weights.0[0]), add(self.0[1], weights.0[1])])
    }

    #[inline(always)]
    pub fn total(self) -> I32x4 {
        let [low, high] = self.0;
        I32x4(i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(low, high), i32x4_shuffle::<1, 3, 5, 7>(low, high)))
    }
}
