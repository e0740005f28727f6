//! Copies windows from widened rows into lanes that lie side by side.

use super::tiles::{WINDOWS, Words};
use crate::kernels::integer::keep_rolled;

/// Where a window lies in the kept rows.
#[derive(Clone, Copy, Default)]
pub(super) struct Lane {
    /// Slot of its first row.
    pub slot: usize,
    /// Its first column.
    pub column: usize,
}

/// The kept rows of one operand, and what windows take of them.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// `[slot][value]`
    pub halves: &'a [i16],
    /// Values from one slot to the next.
    pub line: usize,
    /// Slots; rows go on in the first one after the last.
    pub slots: usize,
    /// Values of a column.
    pub channels: usize,
    /// Rows of a window.
    pub rows: usize,
    /// Values of each.
    pub length: usize,
}

/// Writes the windows: one row after the other. What the last half of an odd number of values holds is not said. Nothing
/// where one does not reach; a row of odd length needs one half more than it has.
#[inline(never)]
pub(super) fn gather(windows: &mut [Words], source: &Source<'_>, lanes: &[Lane; WINDOWS]) {
    let Source { halves, line, slots, channels, rows, length } = *source;
    let mut starts = [0; WINDOWS];
    let mut most: usize = 0;
    for (start, lane) in starts.iter_mut().zip(lanes) {
        keep_rolled();
        let column = lane.column.wrapping_mul(channels);
        most = most.max(column);
        if lane.slot < slots {
            *start = lane.slot.wrapping_mul(line).wrapping_add(column);
        }
    }
    let end = most.saturating_add(length).saturating_add(length % 2);
    let end = slots.saturating_sub(1).saturating_mul(line).saturating_add(end);
    let words = length.saturating_mul(rows).div_ceil(2);
    if end <= halves.len() && words <= windows.len() && length > 0 && rows > 0 && slots > 0 {
        copy::rows(windows, source, starts);
    }
}

#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
mod copy {
    use super::{Source, WINDOWS, Words};

    pub(super) fn rows(windows: &mut [Words], source: &Source<'_>, starts: [usize; WINDOWS]) {
        let Source { halves, line, slots, rows, length, .. } = *source;
        for (lane, mut start) in starts.into_iter().enumerate() {
            for row in 0..rows {
                let values = halves.get(start..start.wrapping_add(length)).unwrap_or(&[]);
                for (index, &value) in values.iter().enumerate() {
                    let element = row.wrapping_mul(length).wrapping_add(index);
                    let Some(word) = windows.get_mut(element / 2).and_then(|words| words.get_mut(lane)) else { return };
                    let value = u32::from(value as u16);
                    *word = if element % 2 == 0 { *word & !0xffff | value } else { *word & 0xffff | value << 16 };
                }
                start = start.wrapping_add(line);
                if start >= slots.wrapping_mul(line) {
                    start = start.wrapping_sub(slots.wrapping_mul(line));
                }
            }
        }
    }
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod copy {
    use super::{Source, WINDOWS, Words};
    use core::arch::naked_asm;

    /// Rows to copy. The lanes and the rows that are left change on the way.
    #[repr(C)]
    struct Job {
        /// Where the next row of each window starts.
        lanes: [*const i16; WINDOWS],
        /// Bytes from one slot to the next.
        line: usize,
        /// Where the slots end.
        end: *const i16,
        /// Bytes of all slots.
        all: usize,
        /// Values of a row.
        length: usize,
        /// Rows that are left.
        rows: usize,
    }

    /// The caller found at least one row of at least one value, all of them within the slots, with one half more if they
    /// are odd, and no more values than the windows have halves.
    #[inline(always)]
    pub(super) fn rows(windows: &mut [Words], source: &Source<'_>, starts: [usize; WINDOWS]) {
        let Source { halves, line, slots, channels, rows, length } = *source;
        let base = halves.as_ptr();
        let all = slots.wrapping_mul(line);
        let mut job = Job {
            lanes: starts.map(|start| base.wrapping_add(start)),
            line: line.wrapping_mul(2),
            end: base.wrapping_add(all),
            all: all.wrapping_mul(2),
            length,
            rows,
        };
        let is_even = (line | channels | length) % 2 == 0 && base.addr() % 4 == 0;
        // SAFETY: as the caller found: each window starts in a slot, and so does each further row, since a row that starts
        // behind the slots starts in the first one instead. In the first call all rows start and end at whole words, since
        // the halves do and every distance is even.
        unsafe {
            if is_even {
                gather_words(windows.as_mut_ptr(), &mut job);
            } else {
                gather_halves(windows.as_mut_ptr(), &mut job);
            }
        }
    }

    /// The next row: its lanes, the job in r1.
    macro_rules! next_row {
        () => {
            "ldm r1, {{r4-r7}}
            ldrd r2, r3, [r1, #16]
            ldr r8, [r1, #24]
            add r4, r2
            add r5, r2
            add r6, r2
            add r7, r2
            cmp r4, r3
            it hs
            subhs r4, r8
            cmp r5, r3
            it hs
            subhs r5, r8
            cmp r6, r3
            it hs
            subhs r6, r8
            cmp r7, r3
            it hs
            subhs r7, r8
            stm r1, {{r4-r7}}
            ldr r2, [r1, #32]
            subs r2, #1
            str r2, [r1, #32]"
        };
    }

    /// Two words of each lane, in the order in which they are stored.
    macro_rules! two_words {
        () => {
            "ldrd r1, r9, [r4], #8
            ldrd r2, r10, [r5], #8
            ldrd r3, r11, [r6], #8
            ldrd r8, lr, [r7], #8"
        };
    }

    /// r0 the windows, r4 to r7 the lanes of a row, r12 its words that are left, all other registers two words of each
    /// lane. On the stack: the job, eight saved registers and the return address.
    ///
    /// # Safety
    /// There is at least one row, of at least one word; all rows lie within the slots, at whole words, and the windows
    /// have as many words as the rows.
    #[unsafe(naked)]
    unsafe extern "C" fn gather_words(windows: *mut Words, job: *mut Job) {
        naked_asm!(
            "push {{r1, r4-r11, lr}}",
            "1:",
            "ldr r12, [r1, #28]",
            "ldm r1, {{r4-r7}}",
            "lsr r12, r12, #1",
            "subs r12, #4",
            "blo 3f",
            "2:",
            two_words!(),
            "stm r0!, {{r1, r2, r3, r8, r9, r10, r11, lr}}",
            two_words!(),
            "subs r12, #4",
            "stm r0!, {{r1, r2, r3, r8, r9, r10, r11, lr}}",
            "bhs 2b",
            "3:",
            "lsls r12, r12, #31",
            "bcc 4f",
            two_words!(),
            "stm r0!, {{r1, r2, r3, r8, r9, r10, r11, lr}}",
            "4:",
            "bpl 5f",
            "ldr r1, [r4]",
            "ldr r2, [r5]",
            "ldr r3, [r6]",
            "ldr r8, [r7]",
            "stm r0!, {{r1, r2, r3, r8}}",
            "5:",
            "ldr r1, [sp]",
            next_row!(),
            "bne 1b",
            "add sp, #4",
            "pop {{r4-r11, pc}}",
        )
    }

    /// As [`gather_words`], for rows that start or end within a word: `ldr` takes any address on a processor with the DSP
    /// extension (the feature `cortex-m4` promises one). On the stack: whether the last word of the windows has a free
    /// half, the job, eight saved registers and the return address.
    ///
    /// # Safety
    /// There is at least one row, of at least one value; all rows lie within the slots, with one half more if they are
    /// odd, and the windows have as many halves as the rows.
    #[unsafe(naked)]
    unsafe extern "C" fn gather_halves(windows: *mut Words, job: *mut Job) {
        naked_asm!(
            "push {{r0, r1, r4-r11, lr}}",
            "mov r2, #0",
            "str r2, [sp]",
            "1:",
            "ldr r12, [r1, #28]",
            "ldm r1, {{r4-r7}}",
            "cbz r2, 2f",
            // The upper half of the word before.
            "ldrh r1, [r4], #2",
            "ldrh r2, [r5], #2",
            "ldrh r3, [r6], #2",
            "ldrh r8, [r7], #2",
            "strh r1, [r0, #-14]",
            "strh r2, [r0, #-10]",
            "strh r3, [r0, #-6]",
            "strh r8, [r0, #-2]",
            "sub r12, #1",
            "2:",
            "and r2, r12, #1",
            "str r2, [sp]",
            "add r12, #1",
            "lsr r12, r12, #1",
            "subs r12, #2",
            "blo 4f",
            "3:",
            "ldr r1, [r4], #4",
            "ldr r2, [r5], #4",
            "ldr r3, [r6], #4",
            "ldr r8, [r7], #4",
            "ldr r9, [r4], #4",
            "ldr r10, [r5], #4",
            "ldr r11, [r6], #4",
            "ldr lr, [r7], #4",
            "subs r12, #2",
            "stm r0!, {{r1, r2, r3, r8, r9, r10, r11, lr}}",
            "bhs 3b",
            "4:",
            "lsls r12, r12, #31",
            "bpl 5f",
            "ldr r1, [r4]",
            "ldr r2, [r5]",
            "ldr r3, [r6]",
            "ldr r8, [r7]",
            "stm r0!, {{r1, r2, r3, r8}}",
            "5:",
            "ldr r1, [sp, #4]",
            next_row!(),
            // As `ldr` leaves the flags alone.
            "ldr r2, [sp]",
            "bne 1b",
            "add sp, #8",
            "pop {{r4-r11, pc}}",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row after row, also where rows are odd and start within a word, and where slots go on in the first one.
    #[test]
    fn windows_are_their_rows_one_after_the_other() {
        let halves: [i16; 64] = core::array::from_fn(|index| index as i16 * 257 - 8000);
        let lane = |slot, column| Lane { slot, column };
        for (channels, length) in [(2, 4), (1, 5), (3, 3), (1, 1), (2, 3)] {
            let source = Source { halves: &halves, line: 20, slots: 3, channels, rows: 2, length };
            let lanes = [lane(0, 0), lane(0, 1), lane(2, 4), lane(1, 2)];
            let mut windows = [[0x5555_5555; WINDOWS]; 5];
            gather(&mut windows, &source, &lanes);
            for (index, lane) in lanes.iter().enumerate() {
                for element in 0..2 * length {
                    let word = windows[element / 2][index];
                    let found = if element % 2 == 0 { word as i16 } else { (word >> 16) as i16 };
                    let slot = (lane.slot + element / length) % 3;
                    let expected = halves[slot * 20 + lane.column * channels + element % length];
                    assert_eq!(found, expected, "row of {length}, lane {index}, element {element}");
                }
            }
        }
    }
}
