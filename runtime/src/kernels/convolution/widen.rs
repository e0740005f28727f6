//! Copies 8-bit values as 16-bit ones with the zero point taken off, into windows that lie side by side, and what a window
//! shares with the one before.

use super::block::{WINDOWS, Words};

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::{shift, widen};

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

/// `words[i][lane] = words[i + distance][the lane before]` for every `i` that has one; the first lane comes after the last.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
pub(super) fn shift(words: &mut [Words], lane: usize, distance: usize) {
    let before = lane_before(lane);
    for index in 0..words.len().saturating_sub(distance) {
        let word = words.get(index.wrapping_add(distance)).and_then(|words| words.get(before)).copied();
        let target = words.get_mut(index).and_then(|words| words.get_mut(lane));
        if let (Some(target), Some(word)) = (target, word) {
            *target = word;
        }
    }
}

fn lane_before(lane: usize) -> usize {
    lane.checked_sub(1).unwrap_or(WINDOWS - 1)
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::{Rows, WINDOWS, Words, lane_before};
    use core::arch::asm;

    /// Four values of a row; the flags say whether this was the last turn.
    macro_rules! four_values {
        () => {
            "ldr {odd}, [{value}], #4
            subs {turns}, #1
            sxtb16 {even}, {odd}
            sxtb16 {odd}, {odd}, ror #8
            ssub16 {even}, {even}, {zeros}
            ssub16 {odd}, {odd}, {zeros}
            pkhbt {low}, {even}, {odd}, lsl #16
            pkhtb {odd}, {odd}, {even}, asr #16
            str {low}, [{target}], #{step}
            str {odd}, [{target}], #{step}"
        };
    }

    /// Two values of a row.
    macro_rules! two_values {
        () => {
            "ldrsb {even}, [{value}], #1
            ldrsb {odd}, [{value}], #1
            ssub16 {even}, {even}, {zeros}
            ssub16 {odd}, {odd}, {zeros}
            pkhbt {low}, {even}, {odd}, lsl #16
            str {low}, [{target}], #{step}"
        };
    }

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
        if (rows.length | rows.target_step | start) % 2 == 0 && rows.length > 0 {
            widen_pairs(lane.wrapping_add((start / 2).wrapping_mul(WINDOWS)), values.as_ptr(), rows, zeros);
            return;
        }
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
                    four_values!(),
                    "bne 4b",
                    "5:",
                    "lsls {turns}, {length}, #31",
                    "ands {even}, {length}, #2",
                    "beq 6f",
                    two_values!(),
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

    /// [`widen`] where every row starts with a word and ends with one, and there is at least one of each. `target` is the
    /// first word of the lane; the rows were found to fit.
    #[inline(always)]
    fn widen_pairs(target: *mut u32, values: *const i8, rows: Rows, zeros: u32) {
        let skipped = rows.target_step.wrapping_sub(rows.length);
        // SAFETY: row by row, the loop reads `length` bytes of the values, four or two at a time, and writes half as many
        // words of the lane, all of which the caller found to be there. Words of values are read with `ldr` and pairs with
        // `ldrsb`, which take any address on a processor with the DSP extension (the feature `cortex-m4` promises one).
        // The pointers pass the ends after the last row, but are then not used.
        unsafe {
            asm!(
                "2:",
                "lsrs {turns}, {length}, #2",
                "beq 4f",
                "3:",
                four_values!(),
                "bne 3b",
                "4:",
                "lsls {turns}, {length}, #30",
                "bpl 5f",
                two_values!(),
                "5:",
                "add {value}, {value_gap}",
                "add {target}, {target_gap}",
                "subs {count}, #1",
                "bne 2b",
                value = inout(reg) values => _,
                target = inout(reg) target => _,
                count = inout(reg) rows.count => _,
                length = in(reg) rows.length,
                value_gap = in(reg) rows.value_step.wrapping_sub(rows.length),
                target_gap = in(reg) (skipped / 2).wrapping_mul(STEP),
                zeros = in(reg) zeros,
                turns = out(reg) _,
                even = out(reg) _,
                odd = out(reg) _,
                low = out(reg) _,
                step = const STEP,
                options(nostack),
            );
        }
    }

    /// `words[i][lane] = words[i + distance][the lane before]` for every `i` that has one; the first lane comes after the
    /// last.
    #[inline(never)]
    pub fn shift(words: &mut [Words], lane: usize, distance: usize) {
        let count = words.len().saturating_sub(distance);
        if lane >= WINDOWS || count == 0 {
            return;
        }
        let first = words.as_mut_ptr().cast::<u32>();
        let target = first.wrapping_add(lane);
        let source = first.wrapping_add(distance.wrapping_mul(WINDOWS)).wrapping_add(lane_before(lane));
        // SAFETY: word by word, the loops read `count` words of one lane from `distance` on and write as many of another
        // lane from the start; `distance + count` is the number of words, and both lanes are below `WINDOWS`. The pointers
        // pass the ends after the last word, but are then not used.
        unsafe {
            asm!(
                "lsrs {turns}, {count}, #2",
                "beq 3f",
                "2:",
                "ldr {a}, [{source}], #{step}",
                "ldr {b}, [{source}], #{step}",
                "ldr {c}, [{source}], #{step}",
                "ldr {d}, [{source}], #{step}",
                "subs {turns}, #1",
                "str {a}, [{target}], #{step}",
                "str {b}, [{target}], #{step}",
                "str {c}, [{target}], #{step}",
                "str {d}, [{target}], #{step}",
                "bne 2b",
                "3:",
                "ands {count}, #3",
                "beq 5f",
                "4:",
                "ldr {a}, [{source}], #{step}",
                "subs {count}, #1",
                "str {a}, [{target}], #{step}",
                "bne 4b",
                "5:",
                source = inout(reg) source => _,
                target = inout(reg) target => _,
                count = inout(reg) count => _,
                turns = out(reg) _,
                a = out(reg) _,
                b = out(reg) _,
                c = out(reg) _,
                d = out(reg) _,
                step = const STEP,
                options(nostack),
            );
        }
    }
}
