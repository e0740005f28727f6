//! The sums with the 16-bit multipliers of the DSP extension.
#![allow(unsafe_code)]

use super::{Begin, Outputs, TILE, TileSums, Weights, Words};
use core::arch::naked_asm;
use core::ptr;

/// Where tiles start and end; each pointer moves on with every tile.
#[repr(C)]
struct Job {
    /// Null: from `sums_before` on.
    bias: *const i32,
    sums_before: *const TileSums,
    sums_after: *mut TileSums,
    /// Null: to `sums_after`.
    multipliers: *const i32,
    zero: i32,
    output: *mut u8,
    distance: usize,
    shift: u32,
    /// Bytes from the weights used of a tile to those of the next one.
    skipped: usize,
    /// Where the weights of a tile after the last one would be.
    end: *const i8,
    /// Room for the loop's.
    room: [u32; 3],
}

/// The caller found that everything reaches, and at least one tile.
#[inline(always)]
pub(super) fn run(
    windows: &[Words],
    weights: Weights<'_>,
    begin: Begin<'_>,
    sums: &mut [TileSums],
    outputs: Option<Outputs<'_>>,
) {
    let Weights { bytes, tiles, distance, start, values } = weights;
    let first = bytes.as_ptr().wrapping_add(start.wrapping_mul(TILE));
    let sums = sums.as_mut_ptr();
    let mut job = Job {
        bias: match begin {
            Begin::Bias(bias) => bias.as_ptr(),
            Begin::Sums => ptr::null(),
        },
        sums_before: sums,
        sums_after: sums,
        multipliers: ptr::null(),
        zero: 0,
        output: ptr::null_mut(),
        distance: 0,
        shift: 0,
        skipped: distance.wrapping_sub(values).wrapping_mul(TILE),
        end: first.wrapping_add(tiles.wrapping_mul(distance).wrapping_mul(TILE)),
        room: [0; 3],
    };
    let mut is_wide = 0;
    if let Some(outputs) = outputs {
        job.multipliers = outputs.multipliers.as_ptr();
        job.zero = outputs.zero;
        job.output = outputs.bytes.as_mut_ptr();
        job.distance = outputs.distance;
        job.shift = outputs.shift.into();
        is_wide = outputs.is_wide.into();
    }
    // SAFETY: there is at least one tile; for each of them there are weights of `values` values and two channels, two
    // biases or a tile of sums to start from, and two multipliers and places for two outputs of each window, or a tile of
    // sums to write to; the windows have so many values. Tiles are `skipped` bytes apart, so that the one after the last
    // is at `end`.
    unsafe { accumulate_tiles(windows.as_ptr().cast(), first, values, is_wide, job) }
}

/// Two values of four windows with the weights of two outputs, 13 instructions for 16 products: one
/// word of weights is widened into the pairs of the even bytes (first output) and of the odd ones
/// (second output). With `ldrh`, one value: the weights of the other are zero.
macro_rules! two_values {
    ($load:literal, $step:literal) => {
        concat!(
            $load,
            " lr, [r1], #",
            $step,
            "
            ldrd r2, r3, [r0], #8
            sxtb16 r12, lr
            sxtb16 lr, lr, ror #8
            smlad r4, r2, r12, r4
            smlad r5, r2, lr, r5
            smlad r6, r3, r12, r6
            smlad r7, r3, lr, r7
            ldrd r2, r3, [r0], #8
            smlad r8, r2, r12, r8
            smlad r9, r2, lr, r9
            smlad r10, r3, r12, r10
            smlad r11, r3, lr, r11
            "
        )
    };
}

/// Eight values.
macro_rules! eight_values {
    () => {
        concat!(two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"))
    };
}

/// Sums in r4 to r11 times their multipliers, with the zero point; then r0 is where the outputs of the first window go,
/// r2 those of the second, r3 the distance.
macro_rules! scaled {
    () => {
        "ldrd r2, lr, [sp, #64]
        ldm r2!, {{r3, r12}}
        str r2, [sp, #64]
        smmlar r4, r4, r3, lr
        smmlar r5, r5, r12, lr
        smmlar r6, r6, r3, lr
        smmlar r7, r7, r12, lr
        smmlar r8, r8, r3, lr
        smmlar r9, r9, r12, lr
        smmlar r10, r10, r3, lr
        smmlar r11, r11, r12, lr
        ldrd r0, r3, [sp, #72]
        add r2, r0, r3"
    };
}

/// The loop itself takes all registers there are, which no compiler gives: r0 the words, r1 the weights, r4 to r11 the
/// sums, r2, r3, r12 and lr what is loaded. On the stack, from its pointer on: where a tile's weights end, where its
/// loop is entered, the windows, the bytes of a tile's pairs of values, eight saved registers and the return address, the
/// job.
///
/// What a tile starts from and ends with is the same for all of them: the job's last words become the addresses
/// that the loop's end, the odd value's end and the shift's end go to.
///
/// A turn of the loop has 16 pairs of values. The first turn has those that are left over by whole turns: it is entered
/// so many pairs before its end. The loop ends when r1 comes to where the pairs end.
///
/// # Safety
/// There is at least one tile. For `values` values there are words of four windows (for an odd number the upper halves of
/// the last words are there too, whatever they hold) and, for each tile, weights of two outputs, those of the next tile
/// `skipped` bytes on and at last at `end`; `words` is a multiple of four. The job's pointers reach as far as so many
/// tiles use them.
#[unsafe(naked)]
unsafe extern "C" fn accumulate_tiles(words: *const u32, weights: *const i8, values: usize, is_wide: u32, job: Job) {
    // Weights are read with `ldr`, which takes any address on a processor with the DSP extension (the feature
    // `cortex-m4` promises one), and so does `str` for pairs of outputs. All instructions of `two_values` have four
    // bytes. Registers that belong to the caller are restored; the job on the stack belongs to this function.
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #16",
        "str r0, [sp, #8]",
        // Where the loop is entered: behind it where there is no pair.
        "adr.w r12, 2f",
        "lsrs r4, r2, #1",
        "rsb r4, r4, #0",
        "and r4, r4, #15",
        "mov r5, #52",
        "mla r12, r4, r5, r12",
        "cmp r2, #2",
        "bhs 1f",
        "adr.w r12, 3f",
        "1:",
        "add r12, r12, #1",
        "bic r4, r2, #1",
        "lsl r4, r4, #1",
        "str r12, [sp, #4]",
        "str r4, [sp, #12]",
        // Where a tile ends: in wide or in narrow outputs, behind a shift if there is one, or in sums.
        "ldr r4, [sp, #64]",
        "ldr r5, [sp, #80]",
        "adr.w r12, 10f",
        "cbnz r3, 12f",
        "adr.w r12, 8f",
        "12:",
        "add r12, r12, #1",
        "str r12, [sp, #100]",
        "cbz r5, 15f",
        "adr.w r12, 16f",
        "add r12, r12, #1",
        "15:",
        "cbnz r4, 13f",
        "adr.w r12, 11f",
        "add r12, r12, #1",
        "13:",
        "str r12, [sp, #96]",
        // Where the loop ends: there, or at the odd value.
        "lsls r2, r2, #31",
        "beq 14f",
        "adr.w r12, 7f",
        "add r12, r12, #1",
        "14:",
        "str r12, [sp, #92]",
        // A tile.
        "4:",
        "ldr r2, [sp, #52]",
        "cbz r2, 5f",
        "ldm r2!, {{r4, r5}}",
        "str r2, [sp, #52]",
        "mov r6, r4",
        "mov r7, r5",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r4",
        "mov r11, r5",
        "6:",
        "ldrd r12, r0, [sp, #4]",
        "ldr r3, [sp, #12]",
        "add r3, r1",
        "str r3, [sp]",
        "bx r12",
        "5:",
        "ldr r2, [sp, #56]",
        "ldm r2!, {{r4-r11}}",
        "str r2, [sp, #56]",
        "b 6b",
        "2:",
        eight_values!(),
        eight_values!(),
        eight_values!(),
        eight_values!(),
        "ldr r2, [sp]",
        "cmp r1, r2",
        "bne 2b",
        "3:",
        "ldr pc, [sp, #92]",
        "7:",
        two_values!("ldrh", "2"),
        "ldr pc, [sp, #96]",
        "8:",
        scaled!(),
        "ssat r4, #8, r4",
        "ssat r5, #8, r5",
        "ssat r6, #8, r6",
        "ssat r7, #8, r7",
        "ssat r8, #8, r8",
        "ssat r9, #8, r9",
        "ssat r10, #8, r10",
        "ssat r11, #8, r11",
        "strb r8, [r0, r3, lsl #1]",
        "strb r4, [r0], #1",
        "strb r10, [r2, r3, lsl #1]",
        "strb r6, [r2], #1",
        "strb r9, [r0, r3, lsl #1]",
        "strb r5, [r0], #1",
        "strb r11, [r2, r3, lsl #1]",
        "strb r7, [r2]",
        "str r0, [sp, #72]",
        "9:",
        "ldrd r2, r3, [sp, #84]",
        "add r1, r2",
        "cmp r1, r3",
        "bne 4b",
        "add sp, #16",
        "pop {{r4-r11, pc}}",
        "10:",
        scaled!(),
        "ssat r4, #16, r4",
        "ssat r5, #16, r5",
        "ssat r6, #16, r6",
        "ssat r7, #16, r7",
        "ssat r8, #16, r8",
        "ssat r9, #16, r9",
        "ssat r10, #16, r10",
        "ssat r11, #16, r11",
        "pkhbt r4, r4, r5, lsl #16",
        "pkhbt r6, r6, r7, lsl #16",
        "pkhbt r8, r8, r9, lsl #16",
        "pkhbt r10, r10, r11, lsl #16",
        "str r8, [r0, r3, lsl #1]",
        "str r4, [r0], #4",
        "str r10, [r2, r3, lsl #1]",
        "str r6, [r2]",
        "str r0, [sp, #72]",
        "b 9b",
        // The shift.
        "16:",
        "ldr r0, [sp, #80]",
        "lsl r4, r4, r0",
        "lsl r5, r5, r0",
        "lsl r6, r6, r0",
        "lsl r7, r7, r0",
        "lsl r8, r8, r0",
        "lsl r9, r9, r0",
        "lsl r10, r10, r0",
        "lsl r11, r11, r0",
        "ldr pc, [sp, #100]",
        // To sums.
        "11:",
        "ldr r2, [sp, #60]",
        "stm r2!, {{r4-r11}}",
        "str r2, [sp, #60]",
        "b 9b",
    )
}
