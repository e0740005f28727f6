//! Sums, products and changes of scale, eight elements at a time.
//!
//! An element without its zero point fits 16 bits. The product of two such, or of one with the left shift of its rescale as a
//! power of two, is made in 32 bits, those of even elements and those of odd ones apart, rescaled, and narrowed back in
//! between one another.
#![allow(unsafe_code)]

#[macro_use]
mod access;
mod loops;
mod products;

use crate::task::{Operand, Task};
use convrnn_format::{Element, Numerics};
use loops::{ADD, MULTIPLY, RESCALE};
pub(super) use products::products;

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

/// The one for elements of 8 bits or for those of 16.
fn of_width<T>([narrow, wide]: [T; 2], is_wide: bool) -> T {
    if is_wide { wide } else { narrow }
}

/// Runs one of the loops of an operation, `[right][output]` by whether their elements are wide, which `loops` gives for a
/// left operand. The right operand is that of a slot.
fn run(task: &mut Task<'_>, loops: impl Fn(bool) -> [[Loop; 2]; 2], right: usize, is_product: bool) -> bool {
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
        let chosen = of_width(of_width(loops(left_is_wide), right_is_wide), output_is_wide);
        // SAFETY: see the loops: there are `count` elements of each tensor, of the widths that the loop is for, and those of
        // two bytes are aligned.
        unsafe { chosen(&elements) }
    }
    true
}

/// `saturate(z_out + first(a - z_a) + second(b - z_b))`, or says that it is for the portable kernel.
pub fn add(task: &mut Task<'_>) -> bool {
    run(task, |is_wide| of_width(ADD, is_wide), 1, false)
}

/// `saturate(z_out + first((a - z_a) * (b - z_b)))`, or says that it is for the portable kernel.
pub fn multiply(task: &mut Task<'_>) -> bool {
    run(task, |is_wide| of_width(MULTIPLY, is_wide), 1, true)
}

/// `saturate(z_out + first(x - z))`, or says that it is for the portable kernel.
pub fn rescale(task: &mut Task<'_>) -> bool {
    // The right operand is the left one, and not read.
    run(task, |is_wide| [of_width(RESCALE, is_wide); 2], 0, false)
}
