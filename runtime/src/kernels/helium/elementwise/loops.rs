//! The loops over elements of each width, as many as an operation has pairs of types.

use super::{Elements, Loop};
use core::mem::offset_of;

/// Reads the record, runs a loop over the elements, eight at a time and then the rest. The rest is read and written under a
/// mask and computed without: a mask of 16-bit elements would cut 32-bit ones in half.
macro_rules! elements_loop {
    ($name:ident, $whole:expr, $rest:expr) => {
        /// # Safety
        /// There are `count` elements of each tensor, of the widths that the name says, those of two bytes at even
        /// addresses; at least one.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(elements: *const Elements) {
            helium_asm!(
                "push {{r4-r8, lr}}",
                "vpush {{d8-d15}}",
                "ldrd r1, r2, [r0, #{left}]",
                "ldrd r3, r4, [r0, #{output}]",
                "ldrd r5, r6, [r0, #{left_zero}]",
                "ldr r7, [r0, #{zero}]",
                "ldr r8, [r0, #{first}]",
                "vdup.32 q4, r8",
                "ldr r8, [r0, #{second}]",
                "vdup.32 q5, r8",
                "ldr r8, [r0, #{second_shift}]",
                "vdup.16 q7, r8",
                "ldr r8, [r0, #{first_shift}]",
                "vdup.16 q6, r8",
                "lsrs r0, r4, #3",
                "wls lr, r0, 3f",
                "2:",
                $whole,
                "le lr, 2b",
                "3:",
                "ands r4, r4, #7",
                "beq 4f",
                "vctp.16 r4",
                $rest,
                "4:",
                "vpop {{d8-d15}}",
                "pop {{r4-r8, pc}}",
                left = const offset_of!(Elements, left),
                output = const offset_of!(Elements, output),
                left_zero = const offset_of!(Elements, left_zero),
                zero = const offset_of!(Elements, zero),
                first = const offset_of!(Elements, first),
                second = const offset_of!(Elements, second),
                first_shift = const offset_of!(Elements, first_shift),
                second_shift = const offset_of!(Elements, second_shift),
            )
        }
    };
}

macro_rules! add_body {
    ($part:tt, $left:tt, $right:tt, $output:tt) => {
        concat!(
            left!($part, $left),
            right!($part, $right),
            "vmullb.s16 q2, q0, q6
            vrmulh.s32 q2, q2, q4
            vmullb.s16 q3, q1, q7
            vrmulh.s32 q3, q3, q5
            vadd.i32 q2, q2, q3
            vadd.i32 q2, q2, r7
            vmullt.s16 q3, q0, q6
            vrmulh.s32 q3, q3, q4
            vmullt.s16 q0, q1, q7
            vrmulh.s32 q0, q0, q5
            vadd.i32 q3, q3, q0
            vadd.i32 q3, q3, r7
            ",
            output!($part, $output)
        )
    };
}

macro_rules! multiply_body {
    ($part:tt, $left:tt, $right:tt, $output:tt) => {
        concat!(
            left!($part, $left),
            right!($part, $right),
            "vmullb.s16 q2, q0, q1
            vmullt.s16 q3, q0, q1
            vshl.s32 q2, r8
            vshl.s32 q3, r8
            vrmulh.s32 q2, q2, q4
            vrmulh.s32 q3, q3, q4
            vadd.i32 q2, q2, r7
            vadd.i32 q3, q3, r7
            ",
            output!($part, $output)
        )
    };
}

macro_rules! rescale_body {
    ($part:tt, $left:tt, $output:tt) => {
        concat!(
            left!($part, $left),
            "vmullb.s16 q2, q0, q6
            vmullt.s16 q3, q0, q6
            vrmulh.s32 q2, q2, q4
            vrmulh.s32 q3, q3, q4
            vadd.i32 q2, q2, r7
            vadd.i32 q3, q3, r7
            ",
            output!($part, $output)
        )
    };
}

/// The loops of an operation with two operands, `[left][right][output]` by whether their elements are wide.
macro_rules! two_operands {
    ($name:ident, $body:ident) => {
        pub(super) static $name: [[[Loop; 2]; 2]; 2] = {
            two_operands!(narrow_narrow_narrow, $body, narrow, narrow, narrow);
            two_operands!(narrow_narrow_wide, $body, narrow, narrow, wide);
            two_operands!(narrow_wide_narrow, $body, narrow, wide, narrow);
            two_operands!(narrow_wide_wide, $body, narrow, wide, wide);
            two_operands!(wide_narrow_narrow, $body, wide, narrow, narrow);
            two_operands!(wide_narrow_wide, $body, wide, narrow, wide);
            two_operands!(wide_wide_narrow, $body, wide, wide, narrow);
            two_operands!(wide_wide_wide, $body, wide, wide, wide);
            [
                [[narrow_narrow_narrow, narrow_narrow_wide], [narrow_wide_narrow, narrow_wide_wide]],
                [[wide_narrow_narrow, wide_narrow_wide], [wide_wide_narrow, wide_wide_wide]],
            ]
        };
    };
    ($name:ident, $body:ident, $left:tt, $right:tt, $output:tt) => {
        elements_loop!($name, $body!(whole, $left, $right, $output), $body!(rest, $left, $right, $output));
    };
}

two_operands!(ADD, add_body);
two_operands!(MULTIPLY, multiply_body);

/// `[input][output]`
pub(super) static RESCALE: [[Loop; 2]; 2] = {
    elements_loop!(narrow_narrow, rescale_body!(whole, narrow, narrow), rescale_body!(rest, narrow, narrow));
    elements_loop!(narrow_wide, rescale_body!(whole, narrow, wide), rescale_body!(rest, narrow, wide));
    elements_loop!(wide_narrow, rescale_body!(whole, wide, narrow), rescale_body!(rest, wide, narrow));
    elements_loop!(wide_wide, rescale_body!(whole, wide, wide), rescale_body!(rest, wide, wide));
    [[narrow_narrow, narrow_wide], [wide_narrow, wide_wide]]
};
