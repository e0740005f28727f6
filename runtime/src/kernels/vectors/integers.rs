//! Vectors of i32.
//!
//! Every method is inlined into a kernel that is compiled for the instructions; to call one, the
//! processor must have them. That alone is what the methods without pointers ask of their callers.

use super::machine::MOST_LANES;

/// A vector of i32. All arithmetic wraps.
#[allow(unsafe_code)]
pub(crate) trait Integers: Copy {
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

    /// The four bytes at twice the lane, counted in bytes, behind `table`: an element in the lower half, the next one in the
    /// upper half.
    ///
    /// # Safety
    /// They are readable for every lane.
    unsafe fn gather_pairs(self, table: *const i16) -> Self;

    /// The element at the lane behind `table`.
    ///
    /// # Safety
    /// It is readable for every lane, and so is the one beside it, which makes a pair of an even place and the next.
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
pub(crate) struct Factor {
    pub multiplier: i32,
    pub shift: i32,
}

impl Factor {
    /// As records hold it.
    pub fn new(multiplier: u32, shift: u8) -> Self {
        Self { multiplier: (multiplier & i32::MAX as u32) as i32, shift: i32::from(shift & 31) }
    }
}

/// Elements of integer tensors.
#[allow(unsafe_code)]
pub(crate) trait Element: Copy + Default {
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
