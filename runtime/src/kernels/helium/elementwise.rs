//! Sums, products and changes of scale, eight elements at a time.
//!
//! An element without its zero point fits 16 bits. The product of two such, or of one with the left shift of its rescale as a
//! power of two, is made in 32 bits, those of even elements and those of odd ones apart, rescaled, and narrowed back in
//! between one another.
#![allow(unsafe_code)]

use crate::task::{Operand, Task};
use convrnn_format::{Element, Numerics, OperationRecord};
use core::mem::offset_of;

/// Largest left shift whose power of two fits 16 bits.
const LARGEST_SHIFT: u8 = 14;

/// What the loops are given.
#[repr(C)]
struct Elements {
    left: *const u8,
    right: *const u8,
    output: *mut u8,
    /// At least one.
    count: usize,
    left_zero: i32,
    right_zero: i32,
    zero: i32,
    first: u32,
    second: u32,
    /// Power of two for sums and changes of scale, left shift for products.
    first_shift: u32,
    second_shift: u32,
}

type Loop = unsafe extern "C" fn(*const Elements);

/// Whether a tensor's elements are i16, else i8; none if they are neither, or have a zero point that they cannot have.
fn is_wide(element: u8, zero_point: i32) -> Option<bool> {
    match Element::from_byte(element) {
        Some(Element::I8) if i8::try_from(zero_point).is_ok() => Some(false),
        Some(Element::I16) if zero_point == 0 => Some(true),
        Some(Element::I8 | Element::I16 | Element::I32 | Element::F32) | None => None,
    }
}

/// Elements that bytes hold; none if they are not aligned for them.
fn held(bytes: &[u8], is_wide: bool) -> Option<usize> {
    match is_wide {
        true => bytes.as_ptr().addr().is_multiple_of(2).then_some(bytes.len() / 2),
        false => Some(bytes.len()),
    }
}

/// Runs one of the loops of an operation, `[left][right][output]` by whether their elements are wide.
fn run(task: &mut Task<'_>, loops: &[[[Loop; 2]; 2]; 2], right: usize, is_product: bool) -> bool {
    let record = task.record;
    let powers = !is_product;
    let is_within = record.first_shift <= LARGEST_SHIFT && record.second_shift <= LARGEST_SHIFT;
    let (Some(left), Some(right)) = (task.operand(0), task.operand(right)) else { return false };
    if task.numerics() != Numerics::Integer || (powers && !is_within) {
        return false;
    }
    let wide = |operand: &Operand<'_>| is_wide(operand.buffer.element, operand.buffer.zero_point);
    let output_zero = task.target.zero_point;
    let output_is_wide = match Element::from_byte(task.target.element) {
        Some(Element::I8) => false,
        Some(Element::I16) => true,
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let (Some(left_is_wide), Some(right_is_wide)) = (wide(&left), wide(&right)) else { return false };
    let lengths = (held(left.bytes, left_is_wide), held(right.bytes, right_is_wide), held(task.output, output_is_wide));
    let (Some(left_length), Some(right_length), Some(output_length)) = lengths else { return false };
    let count = left_length.min(right_length).min(output_length);
    let of_shift = |shift: u8| if powers { 1_u32.wrapping_shl(shift.into()) } else { shift.into() };
    let elements = Elements {
        left: left.bytes.as_ptr(),
        right: right.bytes.as_ptr(),
        output: task.output.as_mut_ptr(),
        count,
        left_zero: left.buffer.zero_point,
        right_zero: right.buffer.zero_point,
        zero: output_zero,
        first: record.first,
        second: record.second,
        first_shift: of_shift(record.first_shift),
        second_shift: of_shift(record.second_shift),
    };
    if count > 0 {
        let [narrow, wide] = loops;
        let [narrow, wide] = if left_is_wide { wide } else { narrow };
        let [narrow, wide] = if right_is_wide { wide } else { narrow };
        let chosen = if output_is_wide { wide } else { narrow };
        // SAFETY: see the loops: there are `count` elements of each tensor, of the widths that the loop is for, and those of
        // two bytes are aligned.
        unsafe { chosen(&elements) }
    }
    true
}

/// `saturate(z_out + first(a - z_a) + second(b - z_b))`, or says that it is for the portable kernel.
pub fn add(task: &mut Task<'_>) -> bool {
    run(task, &ADD, 1, false)
}

/// `saturate(z_out + first((a - z_a) * (b - z_b)))`, or says that it is for the portable kernel.
pub fn multiply(task: &mut Task<'_>) -> bool {
    run(task, &MULTIPLY, 1, true)
}

/// `saturate(z_out + first(x - z))`, or says that it is for the portable kernel.
pub fn rescale(task: &mut Task<'_>) -> bool {
    run(task, &RESCALE, 0, false)
}

/// Eight elements of the left operand, without their zero point.
macro_rules! left {
    (whole, narrow) => {
        "vldrb.s16 q0, [r1], #8\nvsub.i16 q0, q0, r5\n"
    };
    (whole, wide) => {
        "vldrh.u16 q0, [r1], #16\n"
    };
    (rest, narrow) => {
        "vpst\nvldrbt.s16 q0, [r1]\nvsub.i16 q0, q0, r5\n"
    };
    (rest, wide) => {
        "vpst\nvldrht.u16 q0, [r1]\n"
    };
}

/// Eight elements of the right operand, without their zero point.
macro_rules! right {
    (whole, narrow) => {
        "vldrb.s16 q1, [r2], #8\nvsub.i16 q1, q1, r6\n"
    };
    (whole, wide) => {
        "vldrh.u16 q1, [r2], #16\n"
    };
    (rest, narrow) => {
        "vpst\nvldrbt.s16 q1, [r2]\nvsub.i16 q1, q1, r6\n"
    };
    (rest, wide) => {
        "vpst\nvldrht.u16 q1, [r2]\n"
    };
}

/// Eight elements of the output: the even ones are in q2, the odd ones in q3.
macro_rules! output {
    (whole, narrow) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvqmovnb.s16 q2, q2\nvstrb.16 q2, [r3], #8\n"
    };
    (whole, wide) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvstrh.16 q2, [r3], #16\n"
    };
    (rest, narrow) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvqmovnb.s16 q2, q2\nvpst\nvstrbt.16 q2, [r3]\n"
    };
    (rest, wide) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvpst\nvstrht.16 q2, [r3]\n"
    };
}

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

macro_rules! add_loop {
    ($name:ident, $left:tt, $right:tt, $output:tt) => {
        elements_loop!($name, add_body!(whole, $left, $right, $output), add_body!(rest, $left, $right, $output));
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

macro_rules! multiply_loop {
    ($name:ident, $left:tt, $right:tt, $output:tt) => {
        elements_loop!(
            $name,
            multiply_body!(whole, $left, $right, $output),
            multiply_body!(rest, $left, $right, $output)
        );
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

macro_rules! rescale_loop {
    ($name:ident, $left:tt, $output:tt) => {
        elements_loop!($name, rescale_body!(whole, $left, $output), rescale_body!(rest, $left, $output));
    };
}

add_loop!(add_narrow_narrow_narrow, narrow, narrow, narrow);
add_loop!(add_narrow_narrow_wide, narrow, narrow, wide);
add_loop!(add_narrow_wide_narrow, narrow, wide, narrow);
add_loop!(add_narrow_wide_wide, narrow, wide, wide);
add_loop!(add_wide_narrow_narrow, wide, narrow, narrow);
add_loop!(add_wide_narrow_wide, wide, narrow, wide);
add_loop!(add_wide_wide_narrow, wide, wide, narrow);
add_loop!(add_wide_wide_wide, wide, wide, wide);

static ADD: [[[Loop; 2]; 2]; 2] = [
    [[add_narrow_narrow_narrow, add_narrow_narrow_wide], [add_narrow_wide_narrow, add_narrow_wide_wide]],
    [[add_wide_narrow_narrow, add_wide_narrow_wide], [add_wide_wide_narrow, add_wide_wide_wide]],
];

multiply_loop!(multiply_narrow_narrow_narrow, narrow, narrow, narrow);
multiply_loop!(multiply_narrow_narrow_wide, narrow, narrow, wide);
multiply_loop!(multiply_narrow_wide_narrow, narrow, wide, narrow);
multiply_loop!(multiply_narrow_wide_wide, narrow, wide, wide);
multiply_loop!(multiply_wide_narrow_narrow, wide, narrow, narrow);
multiply_loop!(multiply_wide_narrow_wide, wide, narrow, wide);
multiply_loop!(multiply_wide_wide_narrow, wide, wide, narrow);
multiply_loop!(multiply_wide_wide_wide, wide, wide, wide);

static MULTIPLY: [[[Loop; 2]; 2]; 2] = [
    [
        [multiply_narrow_narrow_narrow, multiply_narrow_narrow_wide],
        [multiply_narrow_wide_narrow, multiply_narrow_wide_wide],
    ],
    [[multiply_wide_narrow_narrow, multiply_wide_narrow_wide], [multiply_wide_wide_narrow, multiply_wide_wide_wide]],
];

rescale_loop!(rescale_narrow_narrow, narrow, narrow);
rescale_loop!(rescale_narrow_wide, narrow, wide);
rescale_loop!(rescale_wide_narrow, wide, narrow);
rescale_loop!(rescale_wide_wide, wide, wide);

/// The right operand is the left one, and not read.
static RESCALE: [[[Loop; 2]; 2]; 2] = [
    [[rescale_narrow_narrow, rescale_narrow_wide], [rescale_narrow_narrow, rescale_narrow_wide]],
    [[rescale_wide_narrow, rescale_wide_wide], [rescale_wide_narrow, rescale_wide_wide]],
];

/// Sums of one or two products, limited to the output: factors, whether there are two products, the operation with their
/// rescales, the output, whether its elements are i16, its zero point, the number of elements.
///
/// # Safety
/// The first two factors, or all four, have `count` elements that can be read, the output has as many that can be written;
/// elements of 16 bits lie at even addresses. A factor may lie where the output does if both have 16 bits.
pub(super) unsafe fn products(
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
            (false, false) => multiply_wide_wide_narrow(&elements.elements),
            (false, true) => multiply_wide_wide_wide(&elements.elements),
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
