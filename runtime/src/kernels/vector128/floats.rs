//! Eight f32 in two vectors.

use super::instructions::F32x4;
use crate::kernels::vectors::floats::Floats;

/// Eight f32.
#[derive(Clone, Copy)]
pub(super) struct Reals([F32x4; 2]);

/// Numbers in one vector.
const HALF: usize = 4;

/// The methods that do the same with both vectors.
macro_rules! of_both {
    ($($name:ident($($operand:ident),*);)*) => {$(
        #[inline(always)]
        unsafe fn $name(self $(, $operand: Self)*) -> Self {
            Self([self.0[0].$name($($operand.0[0]),*), self.0[1].$name($($operand.0[1]),*)])
        }
    )*};
}

#[allow(unsafe_code)]
impl Floats for Reals {
    const LANES: usize = 2 * HALF;

    of_both! {
        multiply_add(factor, term);
        add(other);
        subtract(other);
        multiply(other);
        divide(other);
        maximum(other);
        minimum(other);
        if_positive_else(other);
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([F32x4::splat(value); 2])
    }

    #[inline(always)]
    unsafe fn load(source: *const f32) -> Self {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { Self([F32x4::load(source), F32x4::load(source.wrapping_add(HALF))]) }
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut f32) {
        // SAFETY: the caller vouches for eight numbers.
        unsafe {
            self.0[0].store(target);
            self.0[1].store(target.wrapping_add(HALF));
        }
    }

    #[inline(always)]
    unsafe fn round_to_power(self) -> (Self, Self) {
        let [(low, low_power), (high, high_power)] = self.0.map(F32x4::round_to_power);
        (Self([low, high]), Self([low_power, high_power]))
    }
}
