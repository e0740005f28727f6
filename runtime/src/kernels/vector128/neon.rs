//! Vectors with the instructions of NEON, which every AArch64 processor for applications has. The module is
//! compiled only where the build takes them for granted; calls of intrinsics between registers ask for no more.

use core::arch::aarch64::*;

/// Pairs of vectors of weights, four output channels each, that a block of a convolution has at once.
#[cfg(target_feature = "dotprod")]
pub(super) const PAIRS: usize = 2;
#[cfg(not(target_feature = "dotprod"))]
pub(super) const PAIRS: usize = 1;

/// Positions of a block: with their sums, the weights and the values, most of 32 registers.
pub(super) const POSITIONS: usize = 4;

/// Intrinsics that touch no memory.
macro_rules! neon {
    ($expression:expr) => {
        // SAFETY: this module is compiled only where the build has NEON, and that is all they ask for.
        unsafe { $expression }
    };
}

/// The methods that are one intrinsic.
macro_rules! one_intrinsic {
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(self, other: Self) -> Self {
            neon!(Self($intrinsic(self.0, other.0)))
        }
    )*};
}

/// Four i32. All arithmetic wraps.
#[derive(Clone, Copy)]
pub(super) struct I32x4(int32x4_t);

#[allow(unsafe_code)]
impl I32x4 {
    one_intrinsic! {
        add = vaddq_s32;
        subtract = vsubq_s32;
        multiply = vmulq_s32;
        and = vandq_s32;
        maximum = vmaxq_s32;
        minimum = vminq_s32;
    }

    #[inline(always)]
    pub fn splat(value: i32) -> Self {
        neon!(Self(vdupq_n_s32(value)))
    }

    /// # Safety
    /// Four elements from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const i32) -> Self {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { Self(vld1q_s32(source)) }
    }

    /// # Safety
    /// Four elements from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store(self, target: *mut i32) {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { vst1q_s32(target, self.0) }
    }

    /// # Safety
    /// Eight bytes from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load_bytes(source: *const i8) -> [Self; 2] {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { Self::widen(vmovl_s8(vld1_s8(source))) }
    }

    /// # Safety
    /// Eight elements from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load_words(source: *const i16) -> [Self; 2] {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { Self::widen(vld1q_s16(source)) }
    }

    #[inline(always)]
    fn widen(words: int16x8_t) -> [Self; 2] {
        neon!([Self(vmovl_s16(vget_low_s16(words))), Self(vmovl_high_s16(words))])
    }

    /// The nearest integers.
    ///
    /// # Safety
    /// Four numbers from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load_reals(source: *const f32) -> Self {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { Self(vcvtnq_s32_f32(vld1q_f32(source))) }
    }

    /// Limits every lane to i8.
    ///
    /// # Safety
    /// Eight bytes from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store_bytes(values: [Self; 2], target: *mut i8) {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { vst1_s8(target, vqmovn_s16(Self::narrow(values))) }
    }

    /// Limits every lane to i16.
    ///
    /// # Safety
    /// Eight elements from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store_words(values: [Self; 2], target: *mut i16) {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { vst1q_s16(target, Self::narrow(values)) }
    }

    #[inline(always)]
    fn narrow([low, high]: [Self; 2]) -> int16x8_t {
        neon!(vqmovn_high_s32(vqmovn_s32(low.0), high.0))
    }

    /// By 0 to 31.
    #[inline(always)]
    pub fn shift_left(self, by: u32) -> Self {
        neon!(Self(vshlq_s32(self.0, vdupq_n_s32(by as i32))))
    }

    /// By 0 to 31, towards minus infinity.
    #[inline(always)]
    pub fn shift_right(self, by: u32) -> Self {
        neon!(Self(vshlq_s32(self.0, vdupq_n_s32((by as i32).wrapping_neg()))))
    }

    /// `(self * multiplier + 2^31) >> 32`, the product in 64 bits.
    #[inline(always)]
    pub fn high_multiply(self, multipliers: Self) -> Self {
        neon!({
            let low = vmull_s32(vget_low_s32(self.0), vget_low_s32(multipliers.0));
            let high = vmull_high_s32(self.0, multipliers.0);
            Self(vrshrn_high_n_s64::<32>(vrshrn_n_s64::<32>(low), high))
        })
    }
}

/// Four f32.
#[derive(Clone, Copy)]
pub(super) struct F32x4(float32x4_t);

#[allow(unsafe_code)]
impl F32x4 {
    one_intrinsic! {
        add = vaddq_f32;
        subtract = vsubq_f32;
        multiply = vmulq_f32;
        divide = vdivq_f32;
    }

    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        neon!(Self(vdupq_n_f32(value)))
    }

    /// # Safety
    /// Four numbers from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const f32) -> Self {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { Self(vld1q_f32(source)) }
    }

    /// # Safety
    /// Four numbers from `target` on are writable.
    #[inline(always)]
    pub unsafe fn store(self, target: *mut f32) {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { vst1q_f32(target, self.0) }
    }

    /// `self * factor + term`, rounded once.
    #[inline(always)]
    pub fn multiply_add(self, factor: Self, term: Self) -> Self {
        neon!(Self(vfmaq_f32(term.0, self.0, factor.0)))
    }

    /// The larger one; `other` where either is no number.
    #[inline(always)]
    pub fn maximum(self, other: Self) -> Self {
        neon!(Self(vbslq_f32(vcgtq_f32(self.0, other.0), self.0, other.0)))
    }

    /// The smaller one; `other` where either is no number.
    #[inline(always)]
    pub fn minimum(self, other: Self) -> Self {
        neon!(Self(vbslq_f32(vcltq_f32(self.0, other.0), self.0, other.0)))
    }

    /// `self` where it is above zero, else `other`.
    #[inline(always)]
    pub fn if_positive_else(self, other: Self) -> Self {
        neon!(Self(vbslq_f32(vcgtzq_f32(self.0), self.0, other.0)))
    }

    /// The nearest whole number `n`, and `2^n`, for -126 <= n <= 127.
    #[inline(always)]
    pub fn round_to_power(self) -> (Self, Self) {
        neon!({
            let whole = vcvtnq_s32_f32(self.0);
            let power = vshlq_n_s32::<23>(vaddq_s32(whole, vdupq_n_s32(127)));
            (Self(vcvtq_f32_s32(whole)), Self(vreinterpretq_f32_s32(power)))
        })
    }
}

/// Four values of a pixel, four times.
#[derive(Clone, Copy)]
pub(super) struct Quad(int8x16_t);

#[allow(unsafe_code)]
impl Quad {
    #[inline(always)]
    pub fn splat(value: i8) -> Self {
        neon!(Self(vdupq_n_s8(value)))
    }

    /// # Safety
    /// Four bytes from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const i8) -> Self {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { Self(vreinterpretq_s8_s32(vdupq_n_s32(source.cast::<i32>().read_unaligned()))) }
    }
}

/// The weights of four values for four output channels.
#[derive(Clone, Copy)]
pub(super) struct Weights(int8x16_t);

#[allow(unsafe_code)]
impl Weights {
    /// # Safety
    /// Sixteen bytes from `source` on are readable.
    #[inline(always)]
    pub unsafe fn load(source: *const i8) -> Self {
        // SAFETY: NEON is there, and the caller vouches for the memory.
        unsafe { Self(vld1q_s8(source)) }
    }
}

/// Sums of products for four output channels: each has a lane.
#[cfg(target_feature = "dotprod")]
#[derive(Clone, Copy)]
pub(super) struct Sums(int32x4_t);

#[cfg(target_feature = "dotprod")]
#[allow(unsafe_code)]
impl Sums {
    #[inline(always)]
    pub fn zero() -> Self {
        neon!(Self(vdupq_n_s32(0)))
    }

    #[inline(always)]
    pub fn add_products(self, values: Quad, weights: Weights) -> Self {
        let mut sums = self.0;
        // SAFETY: one instruction between registers, and the processor has it.
        unsafe {
            core::arch::asm!(
                "sdot {sums:v}.4s, {weights:v}.16b, {values:v}.16b",
                sums = inout(vreg) sums,
                weights = in(vreg) weights.0,
                values = in(vreg) values.0,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        Self(sums)
    }

    #[inline(always)]
    pub fn total(self) -> I32x4 {
        I32x4(self.0)
    }
}

/// Sums of products for four output channels: each has two lanes, which are added at the end. A product of
/// bytes fits 16 bits, and two of them are added to a lane of 32.
#[cfg(not(target_feature = "dotprod"))]
#[derive(Clone, Copy)]
pub(super) struct Sums([int32x4_t; 2]);

#[cfg(not(target_feature = "dotprod"))]
#[allow(unsafe_code)]
impl Sums {
    #[inline(always)]
    pub fn zero() -> Self {
        neon!(Self([vdupq_n_s32(0); 2]))
    }

    #[inline(always)]
    pub fn add_products(self, values: Quad, weights: Weights) -> Self {
        neon!({
            let low = vmull_s8(vget_low_s8(values.0), vget_low_s8(weights.0));
            let high = vmull_high_s8(values.0, weights.0);
            Self([vpadalq_s16(self.0[0], low), vpadalq_s16(self.0[1], high)])
        })
    }

    #[inline(always)]
    pub fn total(self) -> I32x4 {
        neon!(I32x4(vpaddq_s32(self.0[0], self.0[1])))
    }
}
