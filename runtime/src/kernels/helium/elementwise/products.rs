//! Sums of products of elements of 16 bits.

use super::loops::MULTIPLY;
use super::{Elements, of_width};
use convrnn_format::OperationRecord;
use core::mem::offset_of;

/// Sums of one or two products, limited to the output: factors, whether there are two products, the operation with their
/// rescales, the output, whether its elements are i16, its zero point, the number of elements.
///
/// # Safety
/// The first two factors, or all four, have `count` elements that can be read, the output has as many that can be written;
/// elements of 16 bits lie at even addresses. A factor may lie where the output does if both have 16 bits.
pub(in super::super) unsafe fn products(
    factors: [*const i16; 4],
    has_two: bool,
    record: &OperationRecord,
    output: *mut u8,
    is_wide: bool,
    zero: i32,
    count: usize,
) {
    let [left, right, second_left, second_right] = factors;
    let elements = Products {
        elements: Elements {
            left: left.cast(),
            right: right.cast(),
            output,
            count,
            left_zero: 0,
            right_zero: 0,
            zero,
            first: record.first,
            second: record.second,
            first_shift: record.first_shift.into(),
            second_shift: record.second_shift.into(),
        },
        second: [second_left, second_right],
    };
    if count == 0 {
        return;
    }
    // SAFETY: the caller's promises are those that the loops ask for.
    unsafe {
        match (has_two, is_wide) {
            (false, _) => {
                let [_, [_, loops]] = MULTIPLY;
                of_width(loops, is_wide)(&elements.elements);
            }
            (true, false) => two_products_narrow(&elements),
            (true, true) => two_products_wide(&elements),
        }
    }
}

/// What the loops over two products are given.
#[repr(C)]
struct Products {
    elements: Elements,
    /// Factors of the second product.
    second: [*const i16; 2],
}

macro_rules! two_products_body {
    ($part:tt, $output:tt, $third:literal, $fourth:literal) => {
        concat!(
            left!($part, wide),
            right!($part, wide),
            "vmullb.s16 q2, q0, q1
            vmullt.s16 q3, q0, q1
            vshl.s32 q2, r8
            vshl.s32 q3, r8
            vrmulh.s32 q2, q2, q4
            vrmulh.s32 q3, q3, q4
            ",
            $third,
            $fourth,
            "vmullb.s16 q6, q0, q1
            vmullt.s16 q7, q0, q1
            vshl.s32 q6, r9
            vshl.s32 q7, r9
            vrmulh.s32 q6, q6, q5
            vrmulh.s32 q7, q7, q5
            vadd.i32 q2, q2, q6
            vadd.i32 q3, q3, q7
            vadd.i32 q2, q2, r7
            vadd.i32 q3, q3, r7
            ",
            output!($part, $output)
        )
    };
}

macro_rules! two_products_loop {
    ($name:ident, $output:tt) => {
        /// # Safety
        /// There are `count` elements of each factor, of 16 bits, and of the output; at least one; those of two bytes at even
        /// addresses.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(products: *const Products) {
            helium_asm!(
                "push {{r4-r10, lr}}",
                "vpush {{d8-d15}}",
                "ldrd r1, r2, [r0, #{left}]",
                "ldrd r3, r4, [r0, #{output}]",
                "ldrd r5, r6, [r0, #{pair}]",
                "ldr r7, [r0, #{zero}]",
                "ldrd r8, r9, [r0, #{first}]",
                "vdup.32 q4, r8",
                "vdup.32 q5, r9",
                "ldrd r8, r9, [r0, #{first_shift}]",
                "lsrs r0, r4, #3",
                "wls lr, r0, 3f",
                "2:",
                two_products_body!(whole, $output, "vldrh.u16 q0, [r5], #16\n", "vldrh.u16 q1, [r6], #16\n"),
                "le lr, 2b",
                "3:",
                "ands r4, r4, #7",
                "beq 4f",
                "vctp.16 r4",
                two_products_body!(rest, $output, "vpst\nvldrht.u16 q0, [r5]\n", "vpst\nvldrht.u16 q1, [r6]\n"),
                "4:",
                "vpop {{d8-d15}}",
                "pop {{r4-r10, pc}}",
                left = const offset_of!(Elements, left),
                output = const offset_of!(Elements, output),
                zero = const offset_of!(Elements, zero),
                first = const offset_of!(Elements, first),
                first_shift = const offset_of!(Elements, first_shift),
                pair = const offset_of!(Products, second),
            )
        }
    };
}

two_products_loop!(two_products_narrow, narrow);
two_products_loop!(two_products_wide, wide);
