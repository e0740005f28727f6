//! Copies 8-bit values as 16-bit ones with the zero point taken off.

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::widen;

/// Rows of equal length at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// How many.
    pub count: usize,
    /// Elements of each.
    pub length: usize,
    /// From the start of one row to that of the next, in the targets; at least the length.
    pub target_step: usize,
    /// The same in the values.
    pub value_step: usize,
}

/// `targets[row * target_step + i] = values[row * value_step + i] - zero`, as far as both reach.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
pub(super) fn widen(targets: &mut [i16], values: &[i8], rows: Rows, zero: i16) {
    let targets = targets.chunks_mut(rows.target_step.max(1));
    let values = values.chunks(rows.value_step.max(1));
    for (targets, values) in targets.zip(values).take(rows.count) {
        for (target, &value) in targets.iter_mut().zip(values).take(rows.length) {
            *target = i16::from(value).wrapping_sub(zero);
        }
    }
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::Rows;
    use core::arch::asm;

    /// `targets[row * target_step + i] = values[row * value_step + i] - zero`, four at a time; nothing
    /// where a row would pass an end.
    #[inline(never)]
    pub fn widen(targets: &mut [i16], values: &[i8], rows: Rows, zero: i16) {
        let Some(last) = rows.count.checked_sub(1) else { return };
        let end = |step: usize| last.checked_mul(step)?.checked_add(rows.length);
        let fits = |step: usize, length: usize| end(step).is_some_and(|end| end <= length);
        let advances = rows.length <= rows.target_step && rows.length <= rows.value_step;
        if !(advances && fits(rows.target_step, targets.len()) && fits(rows.value_step, values.len())) {
            return;
        }
        let zeros = u32::from(zero as u16).wrapping_mul(0x0001_0001);
        // SAFETY: row by row, the loop reads `length` bytes of `values` and writes as many halfwords of
        // `targets`, of which the last row's end was found to be within both; after the last row the
        // pointers may have passed the ends, but are not used. Words are accessed with `ldr` and `str`,
        // which take any address on a processor with the DSP extension (the feature `cortex-m4`
        // promises one).
        unsafe {
            asm!(
                "2:",
                "lsrs {turns}, {length}, #2",
                "beq 4f",
                "3:",
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
                "bne 3b",
                "4:",
                "ands {turns}, {length}, #3",
                "beq 6f",
                "5:",
                "ldrsb {even}, [{value}], #1",
                "subs {turns}, #1",
                "ssub16 {even}, {even}, {zeros}",
                "strh {even}, [{target}], #2",
                "bne 5b",
                "6:",
                "add {value}, {value_gap}",
                "add {target}, {target_gap}",
                "subs {count}, #1",
                "bne 2b",
                value = inout(reg) values.as_ptr() => _,
                target = inout(reg) targets.as_mut_ptr() => _,
                count = inout(reg) rows.count => _,
                length = in(reg) rows.length,
                value_gap = in(reg) rows.value_step.wrapping_sub(rows.length),
                target_gap = in(reg) rows.target_step.wrapping_sub(rows.length).wrapping_mul(2),
                zeros = in(reg) zeros,
                turns = out(reg) _,
                even = out(reg) _,
                odd = out(reg) _,
                low = out(reg) _,
                options(nostack),
            );
        }
    }
}
