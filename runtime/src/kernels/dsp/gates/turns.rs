//! Turns of four elements each, as many as all slices have and as start at whole words; each returns the elements done.
#![allow(unsafe_code)]

use super::Sums;
use core::arch::naked_asm;

/// Elements of whole turns; none where an address is no whole word, as `ldrd` and `strd` want it.
fn whole(lengths: [usize; 3], addresses: [usize; 3]) -> usize {
    let [a, b, c] = addresses;
    let length = lengths.into_iter().fold(usize::MAX, usize::min);
    if (a | b | c) % 4 == 0 { length & !3 } else { 0 }
}

pub(super) fn fine_products(
    gates: &[i16],
    values: &[i16],
    table: &[i16; 2048],
    multiplier: i32,
    begin: Sums,
    sums: &mut [i32],
) -> usize {
    let count = whole(
        [gates.len(), values.len(), sums.len()],
        [gates.as_ptr().addr(), values.as_ptr().addr(), sums.as_ptr().addr()],
    );
    if count > 0 {
        let middle = table.as_ptr().wrapping_add(1024);
        // SAFETY: `count` is a positive multiple of four and within all three slices, which start at whole words; the
        // table reaches 1024 entries to both sides of `middle`, less one above.
        unsafe {
            let turns = match begin {
                Sums::Begun => fine_product_turns,
                Sums::Continued => further_fine_product_turns,
            };
            turns(gates.as_ptr(), values.as_ptr(), sums.as_mut_ptr(), count, middle, multiplier);
        }
    }
    count
}

pub(super) fn products(left: &[i16], right: &[i16], multiplier: i32, begin: Sums, sums: &mut [i32]) -> usize {
    let count = whole(
        [left.len(), right.len(), sums.len()],
        [left.as_ptr().addr(), right.as_ptr().addr(), sums.as_ptr().addr()],
    );
    if count > 0 {
        // SAFETY: `count` is a positive multiple of four and within all three slices, which start at whole words.
        unsafe {
            let turns = match begin {
                Sums::Begun => product_turns,
                Sums::Continued => further_product_turns,
            };
            turns(left.as_ptr(), right.as_ptr(), sums.as_mut_ptr(), count, multiplier);
        }
    }
    count
}

pub(super) fn function_of_sums(sums: &[i32], table: &[i16; 513], targets: &mut [i16]) -> usize {
    let addresses = [sums.as_ptr().addr(), targets.as_ptr().addr(), 0];
    let count = whole([sums.len(), targets.len(), usize::MAX], addresses);
    if count > 0 {
        let middle = table.as_ptr().wrapping_add(256);
        // SAFETY: `count` is a positive multiple of four and within both slices, which start at whole words; the table
        // reaches 256 entries to both sides of `middle`.
        unsafe { function_turns(sums.as_ptr(), targets.as_mut_ptr(), count, middle) }
    }
    count
}

pub(super) fn interpolate(values: &[i16], table: &[i16; 513], targets: &mut [i16]) -> usize {
    let addresses = [values.as_ptr().addr(), targets.as_ptr().addr(), 0];
    let count = whole([values.len(), targets.len(), usize::MAX], addresses);
    if count > 0 {
        let middle = table.as_ptr().wrapping_add(256);
        // SAFETY: as in `function_of_sums`.
        unsafe { interpolation_turns(values.as_ptr(), targets.as_mut_ptr(), count, middle) }
    }
    count
}

/// Four products in r6 to r9 by the multiplier in r5, as the first ones.
macro_rules! begun {
    () => {
        "smmulr r6, r6, r5
        smmulr r7, r7, r5
        smmulr r8, r8, r5
        smmulr r9, r9, r5"
    };
}

/// The same with the sums that are there, which pass through r10 to r12 and lr.
macro_rules! continued {
    () => {
        "ldm r2, {{r10-r12, lr}}
        smmlar r6, r6, r5, r10
        smmlar r7, r7, r5, r11
        smmlar r8, r8, r5, r12
        smmlar r9, r9, r5, lr"
    };
}

/// For four elements 21 or 22 instructions: r7 and r9 two gates each, r10 and r11 two values each, r6 to r9 products.
macro_rules! fine_product_turns {
    ($name:ident, $scale:expr) => {
        /// # Safety
        /// `count` is a positive multiple of four; there are so many elements, at whole words; at `middle`, 1024
        /// entries can be read before and as many from there on.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            gates: *const i16,
            values: *const i16,
            sums: *mut i32,
            count: usize,
            middle: *const i16,
            multiplier: i32,
        ) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "ldrd r4, r5, [sp, #36]",
                "2:",
                "ldrd r7, r9, [r0], #8",
                "ldrd r10, r11, [r1], #8",
                "sbfx r6, r7, #5, #11",
                "asr r7, r7, #21",
                "sbfx r8, r9, #5, #11",
                "asr r9, r9, #21",
                "ldrsh r6, [r4, r6, lsl #1]",
                "ldrsh r7, [r4, r7, lsl #1]",
                "ldrsh r8, [r4, r8, lsl #1]",
                "ldrsh r9, [r4, r9, lsl #1]",
                "smulbb r6, r6, r10",
                "smulbt r7, r7, r10",
                "smulbb r8, r8, r11",
                "smulbt r9, r9, r11",
                $scale,
                "subs r3, #4",
                "stm r2!, {{r6-r9}}",
                "bne 2b",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

fine_product_turns!(fine_product_turns, begun!());
fine_product_turns!(further_fine_product_turns, continued!());

/// For four elements 13 or 14 instructions: r6 and r8 two left values each, r10 and r11 two right ones each.
macro_rules! product_turns {
    ($name:ident, $scale:expr) => {
        /// # Safety
        /// `count` is a positive multiple of four; there are so many elements, at whole words.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(left: *const i16, right: *const i16, sums: *mut i32, count: usize, multiplier: i32) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "ldr r5, [sp, #36]",
                "2:",
                "ldrd r6, r8, [r0], #8",
                "ldrd r10, r11, [r1], #8",
                "smultt r7, r6, r10",
                "smulbb r6, r6, r10",
                "smultt r9, r8, r11",
                "smulbb r8, r8, r11",
                $scale,
                "subs r3, #4",
                "stm r2!, {{r6-r9}}",
                "bne 2b",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

product_turns!(product_turns, begun!());
product_turns!(further_product_turns, continued!());

/// One value between two entries, times 128 and with one half added, into a register; given are the instructions that
/// bring the index to r11 and the fraction to that register. The two entries are one word; as a word the weights of
/// the fraction are `128 + 65535 * fraction`.
macro_rules! between {
    ($index:literal, $fraction:literal, $register:literal) => {
        concat!(
            $index,
            "\nldr r11, [r3, r11, lsl #1]\n",
            $fraction,
            "\nmla ",
            $register,
            ", ",
            $register,
            ", r4, r5\nsmlad ",
            $register,
            ", r11, ",
            $register,
            ", r6"
        )
    };
}

/// `function_turns`, `interpolation_turns`: r7 to r10 values, r11 two entries; the constants of `between` in r4 to r6.
macro_rules! turns {
    ($name:ident, $element:ty, $values:expr) => {
        /// # Safety
        /// `count` is a positive multiple of four; there are so many elements, at whole words; at `middle`, 256 entries
        /// can be read before and 257 from there on.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(values: *const $element, targets: *mut i16, count: usize, middle: *const i16) {
            // The word of two entries is read with `ldr`, which takes any address on a processor with the DSP extension.
            naked_asm!(
                "push {{r4-r11, lr}}",
                "movw r4, #65535",
                "mov r5, #128",
                "mov r6, #64",
                "2:",
                $values,
                "asr r7, r7, #7",
                "asr r9, r9, #7",
                "subs r2, #4",
                "pkhbt r7, r7, r8, lsl #9",
                "pkhbt r9, r9, r10, lsl #9",
                "strd r7, r9, [r1], #8",
                "bne 2b",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

turns!(
    function_turns,
    i32,
    concat!(
        "ldm r0!, {{r7-r10}}\nssat r7, #16, r7\nssat r8, #16, r8\nssat r9, #16, r9\nssat r10, #16, r10\n",
        between!("asr r11, r7, #7", "ubfx r7, r7, #0, #7", "r7"),
        "\n",
        between!("asr r11, r8, #7", "ubfx r8, r8, #0, #7", "r8"),
        "\n",
        between!("asr r11, r9, #7", "ubfx r9, r9, #0, #7", "r9"),
        "\n",
        between!("asr r11, r10, #7", "ubfx r10, r10, #0, #7", "r10"),
    )
);
turns!(
    interpolation_turns,
    i16,
    concat!(
        "ldrd r8, r10, [r0], #8\n",
        between!("sbfx r11, r8, #7, #9", "ubfx r7, r8, #0, #7", "r7"),
        "\n",
        between!("asr r11, r8, #23", "ubfx r8, r8, #16, #7", "r8"),
        "\n",
        between!("sbfx r11, r10, #7, #9", "ubfx r9, r10, #0, #7", "r9"),
        "\n",
        between!("asr r11, r10, #23", "ubfx r10, r10, #16, #7", "r10"),
    )
);
