//! The loops with the 16-bit multipliers of the DSP extension.
#![allow(unsafe_code)]

use super::{Column, Job};
use core::arch::naked_asm;

/// Shifts the words of `count` columns, `pairs` each, by one; the last ones become the values of two rows. Nothing
/// where the words or values do not reach.
pub(in super::super) fn advance(words: &mut [u32], pairs: usize, values: &[i8], count: usize, column: Column) {
    let Some(last) = count.checked_sub(1) else { return };
    let end = last.saturating_mul(column.step).saturating_add(column.row_distance);
    if end >= values.len() || count.saturating_mul(pairs) > words.len() {
        return;
    }
    let (words, values) = (words.as_mut_ptr(), values.as_ptr());
    // SAFETY: there are `count` columns, at least one, of `pairs` words, and for each of them two values, the last of
    // which is within `values`.
    unsafe {
        match pairs {
            2 => advance_2(words, values, count, column),
            3 => advance_3(words, values, count, column),
            4 => advance_4(words, values, count, column),
            _ => {}
        }
    }
}

/// Outputs of `width` columns in two rows: `saturate(zero + R(bias + sum of words * weights))`. The second row is
/// written before the first. Nothing where the words, weights or targets do not reach.
pub(in super::super) fn two_rows(
    words: &[u32],
    pairs: usize,
    weights: &[u32],
    targets: &mut [i8],
    width: usize,
    job: Job,
) {
    let side = pairs.wrapping_mul(2).wrapping_sub(1);
    let Some(last) = width.checked_sub(1) else { return };
    let end = last.saturating_mul(job.step).saturating_add(job.row_distance);
    let columns = last.saturating_add(side);
    if end >= targets.len()
        || columns.saturating_mul(pairs) > words.len()
        || side.saturating_mul(side.wrapping_sub(1)) > weights.len()
    {
        return;
    }
    let (words, weights, targets) = (words.as_ptr(), weights.as_ptr(), targets.as_mut_ptr());
    let end = words.wrapping_add(width.wrapping_mul(pairs));
    // SAFETY: there are `width` columns, at least one, and `side - 1` more, of `pairs` words; weights for `side`
    // columns; and for each of the `width` columns two targets, the last of which is within `targets`.
    unsafe {
        match pairs {
            2 => two_rows_3(words, weights, targets, end, job),
            3 => two_rows_5(words, weights, targets, end, job),
            4 => two_rows_7(words, weights, targets, end, job),
            _ => {}
        }
    }
}

/// `advance_N`: r0 words, r1 values, r2 columns that are left, r3 to the second row, r4 to the next column, r5 zero
/// points, r6 mask, r7 and r8 values; r9, r12 and lr are free for the words that are kept.
macro_rules! advance {
    ($name:ident, $load:literal, $store:literal) => {
        /// # Safety
        /// `count` is at least 1; there are so many columns of words; `column` leads to values only.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(words: *mut u32, values: *const i8, count: usize, column: Column) {
            // Of the structure, one word comes in r3 and the others on the stack.
            naked_asm!(
                "push {{r4-r9, lr}}",
                "ldrd r4, r5, [sp, #28]",
                "ldr r6, [sp, #36]",
                "2:",
                "ldrsb r7, [r1]",
                "ldrsb r8, [r1, r3]",
                "add r1, r4",
                $load,
                "pkhbt r7, r7, r8, lsl #16",
                "ssub16 r7, r7, r5",
                "and r7, r6",
                $store,
                "subs r2, #1",
                "bne 2b",
                "pop {{r4-r9, pc}}",
            )
        }
    };
}

advance!(advance_2, "ldr r12, [r0, #4]", "strd r12, r7, [r0], #8");
advance!(advance_3, "ldrd r12, lr, [r0, #4]", "strd r12, lr, [r0], #8\nstr r7, [r0], #4");
advance!(advance_4, "ldrd r12, lr, [r0, #4]\nldr r9, [r0, #12]", "strd r12, lr, [r0], #8\nstrd r9, r7, [r0], #8");

/// One column of a 3x3 kernel: r3 and r12 words, r1 and r2 sums.
macro_rules! column_of_3 {
    ($load:literal, $first:literal, $second:literal) => {
        concat!(
            "ldrd r3, r12, ",
            $load,
            "\nsmlad r1, r3, ",
            $first,
            ", r1\nsmlatb r2, r3, ",
            $first,
            ", r2\nsmlabt r1, r12, ",
            $second,
            ", r1\nsmlad r2, r12, ",
            $second,
            ", r2"
        )
    };
}

/// r0 words, lr targets, r4 to r9 weights, r10 multiplier, r11 to the second row; on the stack, from its pointer on:
/// where the words end, eight saved registers and the return address, the job.
///
/// # Safety
/// `end` is behind `words` by at least one column; two columns more can be read; there are weights for three columns;
/// `job` leads to targets only.
#[unsafe(naked)]
unsafe extern "C" fn two_rows_3(words: *const u32, weights: *const u32, targets: *mut i8, end: *const u32, job: Job) {
    naked_asm!(
        "push {{r3-r11, lr}}",
        "mov lr, r2",
        "ldm r1, {{r4-r9}}",
        "ldrd r10, r11, [sp, #56]",
        "2:",
        "ldrd r1, r2, [sp, #40]",
        column_of_3!("[r0], #8", "r4", "r5"),
        column_of_3!("[r0]", "r6", "r7"),
        column_of_3!("[r0, #8]", "r8", "r9"),
        "ldrd r3, r12, [sp, #48]",
        "smmlar r1, r1, r10, r3",
        "smmlar r2, r2, r10, r3",
        "ssat r1, #8, r1",
        "ssat r2, #8, r2",
        "strb r2, [lr, r11]",
        "strb r1, [lr]",
        "ldr r3, [sp]",
        "add lr, r12",
        "cmp r0, r3",
        "bne 2b",
        "add sp, #4",
        "pop {{r4-r11, pc}}",
    )
}

/// One column of a 5x5 kernel: r1 to r3 words, r4 to r7 weights, r10 and lr sums.
macro_rules! column_of_5 {
    () => {
        "ldm r11!, {{r4-r7}}
        ldm r0!, {{r1-r3}}
        smlad r10, r1, r4, r10
        smlatb lr, r1, r4, lr
        smlad r10, r2, r5, r10
        smlad lr, r2, r6, lr
        smlabt r10, r3, r7, r10
        smlad lr, r3, r7, lr"
    };
}

/// One column of a 7x7 kernel: r1 to r3 and r12 words, r4 to r9 weights, r10 and lr sums.
macro_rules! column_of_7 {
    () => {
        "ldm r11!, {{r4-r9}}
        ldm r0!, {{r1-r3, r12}}
        smlad r10, r1, r4, r10
        smlatb lr, r1, r4, lr
        smlad r10, r2, r5, r10
        smlad lr, r2, r7, lr
        smlad r10, r3, r6, r10
        smlad lr, r3, r8, lr
        smlabt r10, r12, r9, r10
        smlad lr, r12, r9, lr"
    };
}

/// `two_rows_N`: r0 words, r11 weights; on the stack, from its pointer on: the next target, where the words end, eight
/// saved registers and the return address, the job.
macro_rules! two_rows {
    ($name:ident, $columns:expr, $words_back:literal, $weights_back:literal) => {
        /// # Safety
        /// `end` is behind `words` by at least one column; the kernel's columns, less one, can be read behind it; there
        /// are weights for them; `job` leads to targets only.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            words: *const u32,
            weights: *const u32,
            targets: *mut i8,
            end: *const u32,
            job: Job,
        ) {
            naked_asm!(
                "push {{r2-r11, lr}}",
                "mov r11, r1",
                "2:",
                "ldrd r10, lr, [sp, #44]",
                $columns,
                "ldrd r1, r2, [sp, #52]",
                "ldrd r3, r12, [sp, #60]",
                "smmlar r10, r10, r3, r1",
                "smmlar lr, lr, r3, r1",
                "ldrd r1, r3, [sp]",
                "ssat r10, #8, r10",
                "ssat lr, #8, lr",
                "strb lr, [r1, r12]",
                "strb r10, [r1]",
                "add r1, r2",
                "str r1, [sp]",
                "sub r11, #{weights}",
                "sub r0, #{words}",
                "cmp r0, r3",
                "bne 2b",
                "add sp, #8",
                "pop {{r4-r11, pc}}",
                words = const $words_back,
                weights = const $weights_back,
            )
        }
    };
}

two_rows!(
    two_rows_5,
    concat!(column_of_5!(), "\n", column_of_5!(), "\n", column_of_5!(), "\n", column_of_5!(), "\n", column_of_5!()),
    48,
    80
);
two_rows!(
    two_rows_7,
    concat!(
        column_of_7!(),
        "\n",
        column_of_7!(),
        "\n",
        column_of_7!(),
        "\n",
        column_of_7!(),
        "\n",
        column_of_7!(),
        "\n",
        column_of_7!(),
        "\n",
        column_of_7!()
    ),
    96,
    168
);
