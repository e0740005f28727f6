//! Vectors of f32.
//!
//! Every method is inlined into a kernel that is compiled for the instructions; to call one, the
//! processor must have them.

use super::machine::MOST_LANES;

/// A vector of f32.
#[allow(unsafe_code)]
pub(crate) trait Floats: Copy {
    /// Elements.
    const LANES: usize;

    /// The same number in every lane.
    ///
    /// # Safety
    /// The processor has the instructions; as for all methods.
    unsafe fn splat(value: f32) -> Self;

    /// # Safety
    /// [`Self::LANES`] numbers from `source` on are readable.
    unsafe fn load(source: *const f32) -> Self;

    /// # Safety
    /// [`Self::LANES`] numbers from `target` on are writable.
    unsafe fn store(self, target: *mut f32);

    /// Writes the first `count` lanes, less than all.
    ///
    /// # Safety
    /// `count` numbers from `target` on are writable.
    #[inline(always)]
    unsafe fn store_part(self, target: *mut f32, count: usize) {
        // SAFETY: no vector has more lanes than the array, and `count` is less; the rest is the caller's promise.
        unsafe {
            let mut lanes = [0.0; MOST_LANES];
            self.store(lanes.as_mut_ptr());
            core::ptr::copy_nonoverlapping(lanes.as_ptr(), target, count);
        }
    }

    /// `self * factor + term`, rounded once where the processor can.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn multiply_add(self, factor: Self, term: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn add(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn subtract(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn multiply(self, other: Self) -> Self;

    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn divide(self, other: Self) -> Self;

    /// The larger one; `other` where `self` is no number.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn maximum(self, other: Self) -> Self;

    /// The smaller one; `other` where `self` is no number.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn minimum(self, other: Self) -> Self;

    /// The nearest whole number `n`, and `2^n`, for -126 <= n <= 127.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn round_to_power(self) -> (Self, Self);

    /// `self` where it is above zero, else `other`.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn if_positive_else(self, other: Self) -> Self;
}

/// Writes the first `count` lanes.
///
/// # Safety
/// The processor has the instructions, and `count` numbers from `target` on are writable, or
/// [`Floats::LANES`] if that is less.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn store_first<F: Floats>(values: F, target: *mut f32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= F::LANES {
            values.store(target);
        } else {
            values.store_part(target, count);
        }
    }
}
