//! Copies rows of windows word by word.
#![allow(unsafe_code)]

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

/// The caller found at least one row, all of them within the slots, with one half more if they are odd, and no more values
/// than the windows have halves from the source's first word on.
#[inline(always)]
pub(super) fn rows(
    source: &Source,
    slots: usize,
    rows: usize,
    starts: [usize; WINDOWS],
    halves: &[i16],
    windows: &mut [Words],
) {
    let Source { half, word, line, channels, length } = *source;
    if length == 0 {
        return;
    }
    let base = halves.as_ptr();
    let all = slots.wrapping_mul(line);
    let mut job = Job {
        lanes: starts.map(|start| base.wrapping_add(start)),
        line: line.wrapping_mul(2),
        end: base.wrapping_add(half).wrapping_add(all),
        all: all.wrapping_mul(2),
        length,
        rows,
    };
    let is_even = (line | half | channels | length) % 2 == 0 && base.addr() % 4 == 0;
    let windows = windows.as_mut_ptr().wrapping_add(word);
    // SAFETY: as the caller found: each window starts in a slot, and so does each further row, since a row that starts
    // behind the slots starts in the first one instead. In the first call all rows start and end at whole words, since
    // the halves do and every distance is even.
    unsafe {
        if is_even {
            gather_words(windows, &mut job);
        } else {
            gather_halves(windows, &mut job);
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
        ittt lo
        cmplo r5, r3
        cmplo r6, r3
        cmplo r7, r3
        blo 9f
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
        9:
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

/// The same at any address.
macro_rules! two_halved_words {
    () => {
        "ldr r1, [r4], #4
        ldr r2, [r5], #4
        ldr r3, [r6], #4
        ldr r8, [r7], #4
        ldr r9, [r4], #4
        ldr r10, [r5], #4
        ldr r11, [r6], #4
        ldr lr, [r7], #4"
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
        "ldm r1, {{r4-r7}}",
        "1:",
        "ldr r12, [r1, #28]",
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
        "ldm r1, {{r4-r7}}",
        "1:",
        "ldr r12, [r1, #28]",
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
        "subs r12, #4",
        "blo 4f",
        "3:",
        two_halved_words!(),
        "stm r0!, {{r1, r2, r3, r8, r9, r10, r11, lr}}",
        two_halved_words!(),
        "subs r12, #4",
        "stm r0!, {{r1, r2, r3, r8, r9, r10, r11, lr}}",
        "bhs 3b",
        "4:",
        "lsls r12, r12, #31",
        "bcc 6f",
        two_halved_words!(),
        "stm r0!, {{r1, r2, r3, r8, r9, r10, r11, lr}}",
        "6:",
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
