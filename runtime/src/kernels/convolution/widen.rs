//! Copies 8-bit values as 16-bit ones with the zero point taken off, into windows that lie side by side.

use super::block::Words;

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::widen;

/// Rows of equal length at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// How many.
    pub count: usize,
    /// Elements of each.
    pub length: usize,
    /// From the start of one row to that of the next, in the window; at least the length.
    pub target_step: usize,
    /// The same in the values.
    pub value_step: usize,
}

/// `window[start + row * target_step + i] = values[row * value_step + i] - zero`, as far as both reach. The window is one
/// lane of the words; its elements are halves of words, the lower one first.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
pub(super) fn widen(windows: &mut [Words], lane: usize, start: usize, values: &[i8], rows: Rows, zero: i16) {
    for (row, values) in values.chunks(rows.value_step.max(1)).take(rows.count).enumerate() {
        let start = start.wrapping_add(row.wrapping_mul(rows.target_step));
        for (index, &value) in values.iter().take(rows.length).enumerate() {
            let element = start.wrapping_add(index);
            let Some(word) = windows.get_mut(element / 2).and_then(|words| words.get_mut(lane)) else { return };
            let value = u32::from(i16::from(value).wrapping_sub(zero) as u16);
            *word = if element % 2 == 0 { *word & !0xffff | value } else { *word & 0xffff | value << 16 };
        }
    }
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::super::block::WINDOWS;
    use super::{Rows, Words};
    use core::arch::asm;

    /// Bytes from one word of a window to the next.
    const STEP: usize = size_of::<Words>();

    /// `window[start + row * target_step + i] = values[row * value_step + i] - zero`; nothing where a row would pass an
    /// end. The window is one lane of the words; its elements are halves of words, the lower one first.
    #[inline(never)]
    pub fn widen(windows: &mut [Words], lane: usize, start: usize, values: &[i8], rows: Rows, zero: i16) {
        let Some(last) = rows.count.checked_sub(1) else { return };
        let end = |step: usize| last.checked_mul(step)?.checked_add(rows.length);
        let target_end = end(rows.target_step).and_then(|end| end.checked_add(start));
        let fits = target_end.is_some_and(|end| end <= windows.len().saturating_mul(2))
            && end(rows.value_step).is_some_and(|end| end <= values.len());
        if !fits || rows.length > rows.value_step || lane >= WINDOWS {
            return;
        }
        let zeros = u32::from(zero as u16).wrapping_mul(0x0001_0001);
        let lane = windows.as_mut_ptr().cast::<u32>().wrapping_add(lane);
        let mut row_values = values.as_ptr();
        for row in 0..rows.count {
            let element = start.wrapping_add(row.wrapping_mul(rows.target_step));
            let target = lane.wrapping_add((element / 2).wrapping_mul(WINDOWS));
            // SAFETY: `target` is the word of `element` in the lane. The row's last value was found to be within `values`,
            // and its last element within the windows. The first block reads one byte and writes the upper half of that
            // word; the second reads four bytes and writes two words of the lane at a time; the third reads up to three
            // bytes and writes as many halves. Words of values are read with `ldr`, which takes any address on a
            // processor with the DSP extension (the feature `cortex-m4` promises one). The pointers may pass the ends
            // after the last element, but are then not used.
            unsafe {
                asm!(
                    // An odd start: the upper half first.
                    "cmp {is_odd}, #0",
                    "beq 3f",
                    "cmp {length}, #0",
                    "beq 8f",
                    "ldrsb {even}, [{value}], #1",
                    "ssub16 {even}, {even}, {zeros}",
                    "strh {even}, [{target}, #2]",
                    "add {target}, #{step}",
                    "sub {length}, #1",
                    "3:",
                    "lsrs {turns}, {length}, #2",
                    "beq 5f",
                    "4:",
                    "ldr {odd}, [{value}], #4",
                    "subs {turns}, #1",
                    "sxtb16 {even}, {odd}",
                    "sxtb16 {odd}, {odd}, ror #8",
                    "ssub16 {even}, {even}, {zeros}",
                    "ssub16 {odd}, {odd}, {zeros}",
                    "pkhbt {low}, {even}, {odd}, lsl #16",
                    "pkhtb {odd}, {odd}, {even}, asr #16",
                    "str {low}, [{target}], #{step}",
                    "str {odd}, [{target}], #{step}",
                    "bne 4b",
                    "5:",
                    "lsls {turns}, {length}, #31",
                    "ands {even}, {length}, #2",
                    "beq 6f",
                    "ldrsb {even}, [{value}], #1",
                    "ldrsb {odd}, [{value}], #1",
                    "ssub16 {even}, {even}, {zeros}",
                    "ssub16 {odd}, {odd}, {zeros}",
                    "pkhbt {low}, {even}, {odd}, lsl #16",
                    "str {low}, [{target}], #{step}",
                    "6:",
                    "cmp {turns}, #0",
                    "beq 8f",
                    "ldrsb {even}, [{value}], #1",
                    "ssub16 {even}, {even}, {zeros}",
                    "strh {even}, [{target}]",
                    "8:",
                    value = inout(reg) row_values => _,
                    target = inout(reg) target => _,
                    length = inout(reg) rows.length => _,
                    is_odd = in(reg) element % 2,
                    zeros = in(reg) zeros,
                    turns = out(reg) _,
                    even = out(reg) _,
                    odd = out(reg) _,
                    low = out(reg) _,
                    step = const STEP,
                    options(nostack),
                );
            }
            row_values = row_values.wrapping_add(rows.value_step);
        }
    }
}
