//! Copies 8-bit values as 16-bit ones with the zero point taken off.

use crate::kernels::integer::keep_rolled;

/// `targets[i] = values[i] - zero`, as far as both reach.
#[inline(never)]
pub(super) fn widen(targets: &mut [i16], values: &[i8], zero: i16) {
    let done = turns::widen(targets, values, zero);
    for (target, &value) in targets.iter_mut().zip(values).skip(done) {
        keep_rolled();
        *target = i16::from(value).wrapping_sub(zero);
    }
}

/// No turns: the plain loop does it all.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
mod turns {
    pub(super) fn widen(_: &mut [i16], _: &[i8], _: i16) -> usize {
        0
    }
}

/// Turns of four values each, as many as both slices have; returns the values done.
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod turns {
    use core::arch::naked_asm;

    pub(super) fn widen(targets: &mut [i16], values: &[i8], zero: i16) -> usize {
        let count = targets.len().min(values.len()) & !3;
        if count > 0 {
            let zeros = u32::from(zero as u16).wrapping_mul(0x0001_0001);
            // SAFETY: `count` is a positive multiple of four and within both slices.
            unsafe { widen_turns(targets.as_mut_ptr(), values.as_ptr(), count, zeros) }
        }
        count
    }

    /// Four values at r1, of which r12 and r4 hold the even and the odd ones.
    macro_rules! four_values {
        () => {
            "ldr r4, [r1], #4
            sxtb16 r12, r4
            sxtb16 r4, r4, ror #8
            ssub16 r12, r12, r3
            ssub16 r4, r4, r3
            pkhbt r5, r12, r4, lsl #16
            pkhtb r4, r4, r12, asr #16
            str r5, [r0], #4
            str r4, [r0], #4"
        };
    }

    /// # Safety
    /// `count` is a positive multiple of four, and there are so many values and places for them.
    #[unsafe(naked)]
    unsafe extern "C" fn widen_turns(targets: *mut i16, values: *const i8, count: usize, zeros: u32) {
        // Words are read and written with `ldr` and `str`, which take any address on a processor with the DSP extension
        // (the feature `cortex-m4` promises one).
        naked_asm!(
            "push {{r4, r5}}",
            "tst r2, #4",
            "beq 2f",
            four_values!(),
            "subs r2, #4",
            "beq 3f",
            "2:",
            four_values!(),
            four_values!(),
            "subs r2, #8",
            "bne 2b",
            "3:",
            "pop {{r4, r5}}",
            "bx lr",
        )
    }
}
