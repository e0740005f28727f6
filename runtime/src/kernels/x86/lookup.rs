//! Functions by table, the entries gathered a vector at a time.

use super::dispatch::dispatch;
use super::floats::Floats;
use super::integers::{Element, Integers};
use super::level::Available;
use super::vectors::{Map, Unary};
use crate::kernels::integer::with_integer;
use crate::task::{Task, elements, elements_mut};
use convrnn_format::TableKind;

/// [`crate::kernels::lookup::run`]
pub fn run(task: &mut Task<'_>, level: Available) -> bool {
    let (Some(kind), Some(input)) = (TableKind::from_byte(task.record.variant), task.operand(0)) else { return false };
    let table: &[i16] = task.constant(task.record.table, kind.entries());
    let mut done = false;
    with_integer!(task.target.element, Y => {
        let output = elements_mut::<Y>(task.output);
        done = match kind {
            TableKind::Direct => match table.first_chunk() {
                Some(table) => dispatch(level, Map { input: elements(input.bytes), output, function: Direct(table) }),
                None => false,
            },
            TableKind::Interpolated => match table.first_chunk() {
                Some(table) => dispatch(level, Map { input: elements(input.bytes), output, function: Interpolated(table) }),
                None => false,
            },
        };
    });
    done
}

/// `table[x + 128]`
struct Direct<'a>(&'a [i16; 256]);

#[allow(unsafe_code)]
impl<Y: Element> Unary<i8, Y> for Direct<'_> {
    #[inline(always)]
    fn lanes<I: Integers, F: Floats>() -> usize {
        I::LANES
    }

    #[inline(always)]
    unsafe fn vector<I: Integers, F: Floats>(&self, input: *const i8, output: *mut Y) {
        // SAFETY: the caller's promise. Pairs of entries are gathered, the first of each of which is
        // even and 0 to 254.
        unsafe {
            let index = i8::load::<I>(input).add(I::splat(128));
            let pair = index.and(I::splat(!1)).gather(self.0.as_ptr());
            let entry = pair.shift_right_by(index.and(I::splat(1)).shift_left::<4>());
            Y::store(output, entry.shift_left::<16>().shift_right::<16>());
        }
    }
}

/// `u = x + 32768, i = u >> 7, f = u & 127`, `table[i] + (((table[i + 1] - table[i]) * f + 64) >> 7)`
struct Interpolated<'a>(&'a [i16; 513]);

#[allow(unsafe_code)]
impl<Y: Element> Unary<i16, Y> for Interpolated<'_> {
    #[inline(always)]
    fn lanes<I: Integers, F: Floats>() -> usize {
        I::LANES
    }

    #[inline(always)]
    unsafe fn vector<I: Integers, F: Floats>(&self, input: *const i16, output: *mut Y) {
        // SAFETY: the caller's promise. Pairs of entries are gathered, the first of each of which is 0
        // to 511.
        unsafe {
            let position = i16::load::<I>(input).add(I::splat(32768));
            let pair = position.shift_right::<7>().gather(self.0.as_ptr());
            let (low, high) = (pair.shift_left::<16>().shift_right::<16>(), pair.shift_right::<16>());
            let rise = high.subtract(low).multiply(position.and(I::splat(127)));
            Y::store(output, low.add(rise.add(I::splat(64)).shift_right::<7>()));
        }
    }
}
