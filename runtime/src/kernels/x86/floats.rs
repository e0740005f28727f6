//! Vectors of f32, of 8 with AVX2 and FMA or of 16 with AVX-512.
//!
//! Every method is inlined into a kernel that is compiled for the instructions; to call one, the
//! processor must have them.

use core::arch::x86_64::*;

/// A vector of f32.
#[allow(unsafe_code)]
pub(super) trait Floats: Copy {
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

    /// `self * factor + term`, rounded once.
    ///
    /// # Safety
    /// As of [`Self::splat`].
    unsafe fn multiply_add(self, factor: Self, term: Self) -> Self;
}

/// The bodies, by the intrinsics of a width.
macro_rules! floats {
    ($vector:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $multiply_add:ident) => {
        #[allow(unsafe_code)]
        impl Floats for $vector {
            const LANES: usize = $lanes;

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

            #[inline(always)]
            unsafe fn multiply_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $multiply_add(self, factor, term) }
            }
        }
    };
}

floats!(__m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps);
floats!(__m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps);

/// Writes the first `count` lanes.
///
/// # Safety
/// The processor has the instructions, and `count` numbers from `target` on are writable, or
/// [`Floats::LANES`] if that is less.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) unsafe fn store_first<F: Floats>(values: F, target: *mut f32, count: usize) {
    // SAFETY: the array has as many lanes as the widest vector; the rest is the caller's promise.
    unsafe {
        if count >= F::LANES {
            values.store(target);
        } else {
            let mut lanes = [0.0; 16];
            values.store(lanes.as_mut_ptr());
            core::ptr::copy_nonoverlapping(lanes.as_ptr(), target, count);
        }
    }
}
