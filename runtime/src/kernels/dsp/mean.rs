//! Sums of every channel over the positions of a map.
#![allow(unsafe_code)]

use core::arch::naked_asm;

/// Channels at a time: a word of a position.
const TOGETHER: usize = 4;

/// Positions whose sums of i8 values fit 16 bits.
const POSITIONS: usize = 255;

/// The sums of four channels from `first` on; none where they are not there.
pub(crate) fn sums(values: &[i8], channels: usize, first: usize) -> Option<[i32; TOGETHER]> {
    let positions = values.len().checked_div(channels)?;
    if first.checked_add(TOGETHER)? > channels || positions == 0 {
        return None;
    }
    let mut sums = [0; TOGETHER];
    let start = values.as_ptr().wrapping_add(first);
    // SAFETY: there is at least one position of `channels` values, of which four are there from `first` on.
    unsafe { sum_words(start, channels, positions, &mut sums) }
    Some(sums)
}

/// r8 and r9 hold sums of even and of odd channels in 16 bits, r4 to r7 those in 32 bits. Six instructions for four values.
///
/// # Safety
/// `count` is at least 1; four values can be read at `values` and at each multiple of `step` after it, so many in all.
#[unsafe(naked)]
unsafe extern "C" fn sum_words(values: *const i8, step: usize, count: usize, sums: *mut [i32; TOGETHER]) {
    // Words are read with `ldr`, which takes any address on a processor with the DSP extension (the feature `cortex-m4`
    // promises one).
    naked_asm!(
        "push {{r4-r9, lr}}",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "2:",
        "mov r8, #0",
        "mov r9, #0",
        "mov r12, #{positions}",
        "cmp r2, r12",
        "it lo",
        "movlo r12, r2",
        "sub r2, r12",
        "3:",
        "ldr lr, [r0]",
        "add r0, r1",
        "subs r12, #1",
        "sxtab16 r8, r8, lr",
        "sxtab16 r9, r9, lr, ror #8",
        "bne 3b",
        "sxtah r4, r4, r8",
        "sxtah r5, r5, r9",
        "add r6, r6, r8, asr #16",
        "add r7, r7, r9, asr #16",
        "cmp r2, #0",
        "bne 2b",
        "stm r3, {{r4-r7}}",
        "pop {{r4-r9, pc}}",
        positions = const POSITIONS,
    )
}
