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

/// Turns of eight values each, as many as both slices have; returns the values done.
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod turns {
    use core::arch::naked_asm;

    /// The first value may come before the turns, so that those begin at a whole word.
    pub(super) fn widen(targets: &mut [i16], values: &[i8], zero: i16) -> usize {
        let mut first = 0;
        if targets.as_ptr().addr() % 4 != 0 {
            if let (Some(target), Some(&value)) = (targets.first_mut(), values.first()) {
                *target = i16::from(value).wrapping_sub(zero);
            }
            first = 1;
        }
        let (targets, values) = (targets.get_mut(first..).unwrap_or(&mut []), values.get(first..).unwrap_or(&[]));
        let count = targets.len().min(values.len()) & !7;
        if count > 0 {
            let zeros = u32::from(zero.wrapping_neg() as u16).wrapping_mul(0x0001_0001);
            // SAFETY: `count` is a positive multiple of eight and within both slices; targets start at a whole word.
            unsafe { widen_turns(targets.as_mut_ptr(), values.as_ptr(), count, zeros) }
        }
        count.wrapping_add(first)
    }

    /// # Safety
    /// `count` is a positive multiple of eight, and there are so many values and places for them, those at a whole word.
    #[unsafe(naked)]
    unsafe extern "C" fn widen_turns(targets: *mut i16, values: *const i8, count: usize, zeros: u32) {
        // Words are read with `ldr`, which takes any address on a processor with the DSP extension (the feature
        // `cortex-m4` promises one). r12 and r6 hold the even values of each word, r4 and r8 the odd ones.
        naked_asm!(
            "push {{r4-r8}}",
            "2:",
            "ldr r4, [r1], #4",
            "ldr r8, [r1], #4",
            "subs r2, #8",
            "sxtab16 r12, r3, r4",
            "sxtab16 r4, r3, r4, ror #8",
            "sxtab16 r6, r3, r8",
            "sxtab16 r8, r3, r8, ror #8",
            "pkhtb r5, r4, r12, asr #16",
            "pkhbt r4, r12, r4, lsl #16",
            "pkhtb r7, r8, r6, asr #16",
            "pkhbt r6, r6, r8, lsl #16",
            "stm r0!, {{r4-r7}}",
            "bne 2b",
            "pop {{r4-r8}}",
            "bx lr",
        )
    }
}
