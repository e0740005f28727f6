//! Sums and products of two tensors.

use crate::kernels::integer::{Integer, keep_rolled, rescale, with_integer};
use crate::task::{Operand, Task, elements, elements_mut};
use convrnn_format::Numerics;

/// `a + b`; integer `saturate(z_out + first(a - z_a) + second(b - z_b))`.
#[inline(never)]
pub fn add(task: &mut Task<'_>) {
    let record = task.record;
    let (first, second) = (record.first as i32, record.second as i32);
    let (first_shift, second_shift) = (record.first_shift, record.second_shift);
    let integer = |a, b| rescale(a, first, first_shift).wrapping_add(rescale(b, second, second_shift));
    combine(task, |a, b| a + b, integer);
}

/// `a * b`; integer `saturate(z_out + first((a - z_a) * (b - z_b)))`.
#[inline(never)]
pub fn multiply(task: &mut Task<'_>) {
    let (multiplier, shift) = (task.record.first as i32, task.record.first_shift);
    combine(task, |a, b| a * b, |a: i32, b| rescale(a.wrapping_mul(b), multiplier, shift));
}

#[inline(always)]
fn combine(task: &mut Task<'_>, real: impl Fn(f32, f32) -> f32, integer: impl Fn(i32, i32) -> i32) {
    let (Some(left), Some(right)) = (task.operand(0), task.operand(1)) else { return };
    match task.numerics() {
        Numerics::Real => {
            let operands = elements::<f32>(left.bytes).iter().zip(elements::<f32>(right.bytes));
            for (y, (&a, &b)) in elements_mut::<f32>(task.output).iter_mut().zip(operands) {
                *y = real(a, b);
            }
        }
        Numerics::Integer => {
            let zero = task.target.zero_point;
            with_integer!(left.buffer.element, A => with_integer!(right.buffer.element, B => {
                with_integer!(task.target.element, Y => {
                    combine_integers::<A, B, Y>(&left, &right, task.output, zero, &integer)
                })
            }));
        }
    }
}

#[inline(always)]
fn combine_integers<A: Integer, B: Integer, Y: Integer>(
    left: &Operand<'_>,
    right: &Operand<'_>,
    output: &mut [u8],
    zero: i32,
    integer: impl Fn(i32, i32) -> i32,
) {
    let (left_zero, right_zero) = (left.buffer.zero_point, right.buffer.zero_point);
    let operands = elements::<A>(left.bytes).iter().zip(elements::<B>(right.bytes));
    for (y, (&a, &b)) in elements_mut::<Y>(output).iter_mut().zip(operands) {
        keep_rolled();
        let value = integer(a.widen().wrapping_sub(left_zero), b.widen().wrapping_sub(right_zero));
        *y = Y::saturate(zero.wrapping_add(value));
    }
}
