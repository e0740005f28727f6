//! A rescale from 16 to 8 bits.

use crate::kernels::integer::{Integer, keep_rolled, rescale};

/// `targets[i] = saturate(zero + R(values[i]))`, for a rescale without a shift
pub(crate) fn narrow(values: &[i16], multiplier: i32, zero: i32, targets: &mut [i8]) {
    let done = turns::narrow(values, multiplier, zero, targets);
    for (target, &value) in targets.iter_mut().zip(values).skip(done) {
        keep_rolled();
        *target = i8::saturate(zero.wrapping_add(rescale(value.into(), multiplier, 0)));
    }
}

/// No turns: the plain loop does it all.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
mod turns {
    pub(super) fn narrow(_: &[i16], _: i32, _: i32, _: &mut [i8]) -> usize {
        0
    }
}

/// Turns of four values each, as many as both slices have; returns the values done.
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod turns {
    use core::arch::naked_asm;

    pub(super) fn narrow(values: &[i16], multiplier: i32, zero: i32, targets: &mut [i8]) -> usize {
        let count = values.len().min(targets.len()) & !3;
        // The zero point of 8 bits and one half, in units of 1 / 65536.
        let start = zero.wrapping_shl(16).wrapping_add(1 << 15);
        if count > 0 {
            // SAFETY: `count` is a positive multiple of four and within both slices.
            unsafe { narrow_turns(values.as_ptr(), targets.as_mut_ptr(), count, multiplier, start) }
        }
        count
    }

    /// `SMLAW` gives the product of 32 and 16 bits without its lower 16 bits, added to `start`. Half a unit of the result
    /// is a whole number of such steps, so that leaving out the lower bits first rounds as the rule does; and the product
    /// has less than 2^30 steps, so that nothing overflows.
    ///
    /// # Safety
    /// `count` is a positive multiple of four, and there are so many values and places for them.
    #[unsafe(naked)]
    unsafe extern "C" fn narrow_turns(values: *const i16, targets: *mut i8, count: usize, multiplier: i32, start: i32) {
        // Words are read and written with `ldr` and `str`, which take any address on a processor with the DSP extension
        // (the feature `cortex-m4` promises one).
        naked_asm!(
            "push {{r4-r7, lr}}",
            "ldr r12, [sp, #20]",
            "2:",
            "ldr r5, [r0], #4",
            "ldr r7, [r0], #4",
            "smlawb r4, r3, r5, r12",
            "smlawt r5, r3, r5, r12",
            "smlawb r6, r3, r7, r12",
            "smlawt r7, r3, r7, r12",
            "ssat r4, #8, r4, asr #16",
            "ssat r5, #8, r5, asr #16",
            "ssat r6, #8, r6, asr #16",
            "ssat r7, #8, r7, asr #16",
            "subs r2, #4",
            "bfi r4, r5, #8, #8",
            "bfi r4, r6, #16, #8",
            "bfi r4, r7, #24, #8",
            "str r4, [r1], #4",
            "bne 2b",
            "pop {{r4-r7, pc}}",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rounding of the two steps is that of the rule, at ties too.
    #[test]
    fn leaving_out_lower_bits_first_rounds_as_the_rule_does() {
        for value in i16::MIN..=i16::MAX {
            for multiplier in [0, 1, 1 << 15, 1 << 16, 1 << 30, (1 << 30) + (1 << 15), i32::MAX] {
                let product = ((i64::from(multiplier) * i64::from(value)) >> 16) as i32;
                let found = product.wrapping_add((-7 << 16) + (1 << 15)) >> 16;
                assert_eq!(found, rescale(value.into(), multiplier, 0) - 7, "{value} times {multiplier}");
            }
        }
    }
}
