//! Another scale or width.

use crate::kernels::integer::{Integer, keep_rolled, rescale, with_integer, with_output};
use crate::task::{Task, elements, elements_mut};
use crate::uses::{Use, Uses};
#[cfg(feature = "cortex-m4")]
use convrnn_format::Element;
use convrnn_format::OperationKind;

/// `saturate(z_out + first(x - z))`
pub fn run(task: &mut Task<'_>) {
    run_with::<{ Uses::ALL.bits() }>(task);
}

/// [`run`] with the kernels of `USES` alone.
#[inline(never)]
pub(crate) fn run_with<const USES: u64>(task: &mut Task<'_>) {
    let Some(input) = task.operand(0) else { return };
    let (multiplier, shift) = (task.record.first as i32, task.record.first_shift);
    let (zero, input_zero) = (task.target.zero_point, input.buffer.zero_point);
    #[cfg(feature = "cortex-m4")]
    {
        let is_narrowing =
            (input.buffer.element, task.target.element) == (Element::I16.to_byte(), Element::I8.to_byte());
        if is_narrowing && shift == 0 && Uses::from_bits(USES).has(Use::Narrowing) {
            // Values of 16 bits have no zero point.
            return crate::kernels::dsp::narrow::narrow(
                elements(input.bytes),
                multiplier,
                zero,
                elements_mut(task.output),
            );
        }
    }
    // On other processors a narrowing one is like any other.
    if cfg!(feature = "cortex-m4") && !Uses::from_bits(USES).has(Use::OtherRescale) {
        return;
    }
    with_integer!(input.buffer.element, X => with_output!(USES, OperationKind::Rescale, task.target.element, Y => {
        for (y, &x) in elements_mut::<Y>(task.output).iter_mut().zip(elements::<X>(input.bytes)) {
            keep_rolled();
            let value = rescale(x.widen().wrapping_sub(input_zero), multiplier, shift);
            *y = Y::saturate(zero.wrapping_add(value));
        }
    }));
}
