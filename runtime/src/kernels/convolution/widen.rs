//! Copies 8-bit values as 16-bit ones with the zero point taken off.

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::widen;

/// `targets[i] = values[i] - zero`, as far as both reach.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
#[inline(always)]
pub(super) fn widen(targets: &mut [i16], values: &[i8], zero: i16) {
    for (target, &value) in targets.iter_mut().zip(values) {
        *target = i16::from(value).wrapping_sub(zero);
    }
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use core::arch::asm;

    /// `targets[i] = values[i] - zero`, as far as both reach, four at a time.
    #[inline(never)]
    pub fn widen(targets: &mut [i16], values: &[i8], zero: i16) {
        let length = targets.len().min(values.len());
        let turns = length / 4;
        let zeros = u32::from(zero as u16).wrapping_mul(0x0001_0001);
        let (mut target, mut value) = (targets.as_mut_ptr(), values.as_ptr());
        if turns > 0 {
            // SAFETY: the loop reads `4 * turns` bytes of `values` and writes as many halfwords of
            // `targets`, which both have. Words are accessed with `ldr` and `str`, which take any
            // address on a processor with the DSP extension (the feature `cortex-m4` promises one).
            unsafe {
                asm!(
                    "2:",
                    "ldr {odd}, [{value}], #4",
                    "subs {turns}, #1",
                    "sxtb16 {even}, {odd}",
                    "sxtb16 {odd}, {odd}, ror #8",
                    "ssub16 {even}, {even}, {zeros}",
                    "ssub16 {odd}, {odd}, {zeros}",
                    "pkhbt {low}, {even}, {odd}, lsl #16",
                    "pkhtb {odd}, {odd}, {even}, asr #16",
                    "str {low}, [{target}], #4",
                    "str {odd}, [{target}], #4",
                    "bne 2b",
                    value = inout(reg) value,
                    target = inout(reg) target,
                    turns = inout(reg) turns => _,
                    zeros = in(reg) zeros,
                    even = out(reg) _,
                    odd = out(reg) _,
                    low = out(reg) _,
                    options(nostack),
                );
            }
        }
        for _ in 0..length % 4 {
            // SAFETY: after the loop `length % 4` elements are left behind both pointers.
            unsafe {
                *target = i16::from(*value).wrapping_sub(zero);
                (target, value) = (target.add(1), value.add(1));
            }
        }
    }
}
