//! Another scale or width.

use crate::kernels::integer::{Integer, keep_rolled, rescale, with_integer};
use crate::task::{Task, elements, elements_mut};

/// `saturate(z_out + first(x - z))`
#[inline(never)]
pub fn run(task: &mut Task<'_>) {
    let Some(input) = task.operand(0) else { return };
    let (multiplier, shift) = (task.record.first as i32, task.record.first_shift);
    let (zero, input_zero) = (task.target.zero_point, input.buffer.zero_point);
    with_integer!(input.buffer.element, X => with_integer!(task.target.element, Y => {
        for (y, &x) in elements_mut::<Y>(task.output).iter_mut().zip(elements::<X>(input.bytes)) {
            keep_rolled();
            let value = rescale(x.widen().wrapping_sub(input_zero), multiplier, shift);
            *y = Y::saturate(zero.wrapping_add(value));
        }
    }));
}
