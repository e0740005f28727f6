//! Eight i32 in two vectors.

use super::instructions::I32x4;
use crate::kernels::vectors::integers::{Factor, Integers};

/// Eight i32.
#[derive(Clone, Copy)]
pub(super) struct Wholes(pub [I32x4; 2]);

/// Integers in one vector.
const HALF: usize = 4;

/// The methods that do the same with both vectors.
macro_rules! of_both {
    ($($name:ident;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self, other: Self) -> Self {
            let ([low, high], [other_low, other_high]) = (self.0, other.0);
            Self([low.$name(other_low), high.$name(other_high)])
        }
    )*};
}

impl Wholes {
    /// `element(lane)` for every lane.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn of_lanes(self, element: impl Fn(i32) -> i32) -> Self {
        let mut lanes = [0; 2 * HALF];
        // SAFETY: the array has eight elements, four for each vector.
        unsafe {
            self.0[0].store(lanes.as_mut_ptr());
            self.0[1].store(lanes.as_mut_ptr().wrapping_add(HALF));
        }
        let lanes = lanes.map(element);
        // SAFETY: likewise.
        unsafe { Self::load_wholes(lanes.as_ptr()) }
    }
}

#[allow(unsafe_code)]
impl Integers for Wholes {
    const LANES: usize = 2 * HALF;

    of_both! {
        add;
        subtract;
        multiply;
        and;
        maximum;
        minimum;
    }

    #[inline(always)]
    unsafe fn splat(value: i32) -> Self {
        Self([I32x4::splat(value); 2])
    }

    #[inline(always)]
    unsafe fn load_bytes(source: *const i8) -> Self {
        // SAFETY: the caller vouches for eight bytes.
        Self(unsafe { I32x4::load_bytes(source) })
    }

    #[inline(always)]
    unsafe fn load_words(source: *const i16) -> Self {
        // SAFETY: the caller vouches for eight elements.
        Self(unsafe { I32x4::load_words(source) })
    }

    #[inline(always)]
    unsafe fn load_wholes(source: *const i32) -> Self {
        // SAFETY: the caller vouches for eight elements.
        unsafe { Self([I32x4::load(source), I32x4::load(source.wrapping_add(HALF))]) }
    }

    #[inline(always)]
    unsafe fn load_reals(source: *const f32) -> Self {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { Self([I32x4::load_reals(source), I32x4::load_reals(source.wrapping_add(HALF))]) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, target: *mut i8) {
        // SAFETY: the caller vouches for eight bytes.
        unsafe { I32x4::store_bytes(self.0, target) }
    }

    #[inline(always)]
    unsafe fn store_words(self, target: *mut i16) {
        // SAFETY: the caller vouches for eight elements.
        unsafe { I32x4::store_words(self.0, target) }
    }

    #[inline(always)]
    unsafe fn gather_pairs(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the memory at every lane.
        self.of_lanes(|lane| unsafe { table.offset(lane as isize).cast::<i32>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn gather(self, table: *const i16) -> Self {
        // SAFETY: the caller vouches for the memory at every lane.
        self.of_lanes(|lane| unsafe { table.offset(lane as isize).read() }.into())
    }

    #[inline(always)]
    unsafe fn shift_left<const BY: u32>(self) -> Self {
        Self(self.0.map(|half| half.shift_left(BY)))
    }

    #[inline(always)]
    unsafe fn shift_right<const BY: u32>(self) -> Self {
        Self(self.0.map(|half| half.shift_right(BY)))
    }

    #[inline(always)]
    unsafe fn rescale(self, factor: Factor) -> Self {
        let multipliers = I32x4::splat(factor.multiplier);
        Self(self.0.map(|half| half.shift_left(factor.shift as u32).high_multiply(multipliers)))
    }

    #[inline(always)]
    unsafe fn rescale_each(self, multipliers: Self, shift: u8) -> Self {
        let ([low, high], [low_multipliers, high_multipliers]) = (self.0, multipliers.0);
        let shift = u32::from(shift & 31);
        Self([
            low.shift_left(shift).high_multiply(low_multipliers),
            high.shift_left(shift).high_multiply(high_multipliers),
        ])
    }
}
