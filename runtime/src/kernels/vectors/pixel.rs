//! Elements of tensors whose channels are computed a vector at a time.

use super::floats::Floats;
use super::integers::{Element, Integers};
use super::machine::MOST_LANES;

/// An element of a tensor and the vector it is computed in.
#[allow(unsafe_code)]
pub(crate) trait Pixel: Copy + Default {
    /// Integers are widened, f32 are not.
    type Vector<I: Integers, F: Floats>: Copy;

    /// Below every other.
    const LOWEST: Self;

    /// Elements of a vector.
    fn lanes<I: Integers, F: Floats>() -> usize;

    /// # Safety
    /// The processor has the instructions, and a vector of elements is readable.
    unsafe fn load<I: Integers, F: Floats>(source: *const Self) -> Self::Vector<I, F>;

    /// # Safety
    /// The processor has the instructions, and a vector of elements is writable.
    unsafe fn store<I: Integers, F: Floats>(target: *mut Self, value: Self::Vector<I, F>);

    /// The larger one of every lane; `other` where `value` is no number.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn maximum<I: Integers, F: Floats>(
        value: Self::Vector<I, F>,
        other: Self::Vector<I, F>,
    ) -> Self::Vector<I, F>;
}

/// The bodies, by what the vector is.
macro_rules! pixel {
    ($element:ty, $lowest:expr, $vector:ident, $load:expr, $store:expr) => {
        #[allow(unsafe_code)]
        impl Pixel for $element {
            type Vector<I: Integers, F: Floats> = $vector;

            const LOWEST: Self = $lowest;

            #[inline(always)]
            fn lanes<I: Integers, F: Floats>() -> usize {
                $vector::LANES
            }

            #[inline(always)]
            unsafe fn load<I: Integers, F: Floats>(source: *const Self) -> $vector {
                // SAFETY: the caller's promise.
                unsafe { $load(source) }
            }

            #[inline(always)]
            unsafe fn store<I: Integers, F: Floats>(target: *mut Self, value: $vector) {
                // SAFETY: the caller's promise.
                unsafe { $store(target, value) }
            }

            #[inline(always)]
            unsafe fn maximum<I: Integers, F: Floats>(value: $vector, other: $vector) -> $vector {
                // SAFETY: the caller's promise.
                unsafe { value.maximum(other) }
            }
        }
    };
}

pixel!(i8, i8::MIN, I, <i8 as Element>::load, <i8 as Element>::store);
pixel!(i16, i16::MIN, I, <i16 as Element>::load, <i16 as Element>::store);
pixel!(f32, f32::NEG_INFINITY, F, F::load, |target, value: F| value.store(target));

/// The first `count` elements, and others behind them.
///
/// # Safety
/// The processor has the instructions, and `count` elements are readable.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn load_first<T: Pixel, I: Integers, F: Floats>(source: *const T, count: usize) -> T::Vector<I, F> {
    // SAFETY: no vector has more lanes than the buffer; the rest is the caller's promise.
    unsafe {
        if count >= T::lanes::<I, F>() {
            return T::load::<I, F>(source);
        }
        let mut buffer = [T::default(); MOST_LANES];
        core::ptr::copy_nonoverlapping(source, buffer.as_mut_ptr(), count);
        T::load::<I, F>(buffer.as_ptr())
    }
}

/// Writes the first `count` lanes.
///
/// # Safety
/// The processor has the instructions, and `count` elements are writable.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn store_first<T: Pixel, I: Integers, F: Floats>(
    target: *mut T,
    count: usize,
    value: T::Vector<I, F>,
) {
    // SAFETY: no vector has more lanes than the buffer; the rest is the caller's promise.
    unsafe {
        if count >= T::lanes::<I, F>() {
            return T::store::<I, F>(target, value);
        }
        let mut buffer = [T::default(); MOST_LANES];
        T::store::<I, F>(buffer.as_mut_ptr(), value);
        core::ptr::copy_nonoverlapping(buffer.as_ptr(), target, count);
    }
}
