//! Functions by table, the entries gathered a vector at a time.

use super::floats::Floats;
use super::integers::{Element, Integers};
use super::machine::Machine;
use super::tensors::{Map, Unary};
use crate::kernels::integer::with_integer;
use crate::task::{Task, elements, elements_mut};
use convrnn_format::TableKind;

/// [`crate::kernels::lookup::run`]
pub(crate) fn run(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let (Some(kind), Some(input)) = (TableKind::from_byte(task.record.variant), task.operand(0)) else { return false };
    let table: &[i16] = task.constant(task.record.table, kind.entries());
    let mut done = false;
    with_integer!(task.target.element, Y => {
        let output = elements_mut::<Y>(task.output);
        done = match kind {
            TableKind::Direct => match table.first_chunk() {
                Some(table) => machine.dispatch(Map { input: elements(input.bytes), output, function: Direct(table) }),
                None => false,
            },
            TableKind::Interpolated => match table.first_chunk() {
                Some(table) => machine.dispatch(Map { input: elements(input.bytes), output, function: Interpolated(table) }),
                None => false,
            },
            TableKind::Fine => match table.first_chunk() {
                Some(table) => machine.dispatch(Map { input: elements(input.bytes), output, function: Fine(table) }),
                None => false,
            },
        };
    });
    done
}

/// `table[x + 128]` of values of i8.
///
/// # Safety
/// The processor has the instructions, and the lanes hold values of i8.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn direct<I: Integers>(x: I, table: &[i16; 256]) -> I {
    // SAFETY: the caller's promise; the index is 0 to 255, and the number of entries is even.
    unsafe { x.add(I::splat(128)).gather(table.as_ptr()) }
}

/// `table[(x + 32768) >> 5]` of values of i16.
///
/// # Safety
/// The processor has the instructions, and the lanes hold values of i16.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn fine<I: Integers>(x: I, table: &[i16; 2048]) -> I {
    // SAFETY: the caller's promise; the index is 0 to 2047, and the number of entries is even.
    unsafe { x.add(I::splat(32768)).shift_right::<5>().gather(table.as_ptr()) }
}

/// `u = x + 32768, i = u >> 7, f = u & 127`, `table[i] + (((table[i + 1] - table[i]) * f + 64) >> 7)`
/// of values of i16.
///
/// # Safety
/// The processor has the instructions, and the lanes hold values of i16.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn interpolated<I: Integers>(x: I, table: &[i16; 513]) -> I {
    // SAFETY: the caller's promise; the first entry of a pair is 0 to 511, so the second one exists.
    unsafe {
        let position = x.add(I::splat(32768));
        let pair = position.shift_right::<7>().gather_pairs(table.as_ptr());
        let (low, high) = (pair.shift_left::<16>().shift_right::<16>(), pair.shift_right::<16>());
        let rise = high.subtract(low).multiply(position.and(I::splat(127)));
        low.add(rise.add(I::splat(64)).shift_right::<7>())
    }
}

/// The functions of whole tensors.
macro_rules! functions {
    ($($name:ident, $element:ty, $entries:literal, $function:ident;)*) => {$(
        struct $name<'a>(&'a [i16; $entries]);

        #[allow(unsafe_code)]
        impl<Y: Element> Unary<$element, Y> for $name<'_> {
            #[inline(always)]
            fn lanes<I: Integers, F: Floats>() -> usize {
                I::LANES
            }

            #[inline(always)]
            unsafe fn vector<I: Integers, F: Floats>(&self, input: *const $element, output: *mut Y) {
                // SAFETY: the caller's promise.
                unsafe { Y::store(output, $function(<$element>::load::<I>(input), self.0)) }
            }
        }
    )*};
}

functions! {
    Direct, i8, 256, direct;
    Interpolated, i16, 513, interpolated;
    Fine, i16, 2048, fine;
}
