//! The elementwise end of a cell's update, in one pass over memory.

use crate::kernels::integer::{Integer, rescale, with_integer};
use crate::kernels::lookup::{direct_entry, fine_entry, interpolated_entry};
use crate::task::{Task, elements, elements_mut};
use convrnn_format::{Element, NONE, TableKind};

/// Elements at a time: what every factor of them is lies on the stack, so that the type of each
/// operand is looked at once a block, and an operand that lies where the output does is read before
/// it is overwritten.
const BLOCK: usize = 32;

/// The factors of a block.
type Factors = [i32; BLOCK];

/// Values of an operand from some element on.
#[derive(Clone, Copy)]
enum Values<'a> {
    Narrow(&'a [i8]),
    Wide(&'a [i16]),
}

/// How values become factors.
#[derive(Clone, Copy)]
enum Map<'a> {
    /// `x - z`
    Centred(i32),
    Direct(&'a [i16; 256]),
    Interpolated(&'a [i16; 513]),
    Fine(&'a [i16; 2048]),
}

/// With `u = x - z`, or the table of x: `s = first(u0 * u1) + second(u2 * u3)`;
/// `saturate(table(saturate16(s)))`, or without a table `saturate(z_out + s)`.
pub fn run(task: &mut Task<'_>) {
    run_with::<{ crate::uses::Uses::ALL.bits() }>(task);
}

/// [`run`] with the kernels of `USES` alone.
#[inline(never)]
pub(crate) fn run_with<const USES: u64>(task: &mut Task<'_>) {
    #[cfg(feature = "cortex-m4")]
    crate::kernels::dsp::gated_sum::run::<USES>(task);
    #[cfg(not(feature = "cortex-m4"))]
    portable(task);
}

/// Block by block.
#[cfg_attr(feature = "cortex-m4", allow(dead_code))]
fn portable(task: &mut Task<'_>) {
    let count = task.target.elements();
    let mut start = 0;
    while start < count {
        block(task, start);
        start = start.wrapping_add(BLOCK);
    }
}

fn block(task: &mut Task<'_>, start: usize) {
    let record = task.record;
    let mut sums: Factors = [0; BLOCK];
    let scales = [(record.first as i32, record.first_shift), (record.second as i32, record.second_shift)];
    for (product, (multiplier, shift)) in scales.into_iter().enumerate() {
        let slot = product.wrapping_mul(2);
        if slot >= usize::from(record.operand_count) {
            break;
        }
        let (mut left, mut right): (Factors, Factors) = ([0; BLOCK], [0; BLOCK]);
        factors(task, slot, start, &mut left);
        factors(task, slot.wrapping_add(1), start, &mut right);
        for (sum, (&left, &right)) in sums.iter_mut().zip(left.iter().zip(&right)) {
            *sum = sum.wrapping_add(rescale(left.wrapping_mul(right), multiplier, shift));
        }
    }
    let zero = task.target.zero_point;
    let function: &[i16] = match record.table {
        NONE => &[],
        offset => task.constant(offset, TableKind::Interpolated.entries()),
    };
    with_integer!(task.target.element, Y => {
        let targets = elements_mut::<Y>(task.output).get_mut(start..).unwrap_or(&mut []);
        match function.first_chunk() {
            Some(function) => {
                for (y, &sum) in targets.iter_mut().zip(&sums) {
                    *y = Y::saturate(interpolated_entry(function, i16::saturate(sum)));
                }
            }
            None => {
                for (y, &sum) in targets.iter_mut().zip(&sums) {
                    *y = Y::saturate(zero.wrapping_add(sum));
                }
            }
        }
    });
}

/// The factors that an operand gives; nothing where verification would have refused it.
fn factors(task: &Task<'_>, slot: usize, start: usize, factors: &mut Factors) {
    let Some(record) = task.program.operand(&task.record, slot) else { return };
    let Some(operand) = task.operand(slot) else { return };
    let bytes = if task.is_in_place(slot) { &*task.output } else { operand.bytes };
    let Some(element) = Element::from_byte(operand.buffer.element) else { return };
    let is_fine = task.record.variant & 1_u8.wrapping_shl(slot as u32) != 0;
    let map = match record.weights {
        NONE => Some(Map::Centred(operand.buffer.zero_point)),
        offset => TableKind::of_operand(element, is_fine).and_then(|kind| {
            let table: &[i16] = task.constant(offset, kind.entries());
            match kind {
                TableKind::Direct => table.first_chunk().map(Map::Direct),
                TableKind::Interpolated => table.first_chunk().map(Map::Interpolated),
                TableKind::Fine => table.first_chunk().map(Map::Fine),
            }
        }),
    };
    let values = match element {
        Element::I8 => elements(bytes).get(start..).map(Values::Narrow),
        Element::I16 => elements(bytes).get(start..).map(Values::Wide),
        Element::I32 | Element::F32 => None,
    };
    match (values, map) {
        (Some(Values::Narrow(values)), Some(Map::Centred(zero))) => {
            fill(factors, values, |x| x.widen().wrapping_sub(zero));
        }
        (Some(Values::Narrow(values)), Some(Map::Direct(table))) => fill(factors, values, |x| direct_entry(table, x)),
        (Some(Values::Wide(values)), Some(Map::Centred(zero))) => {
            fill(factors, values, |x| x.widen().wrapping_sub(zero));
        }
        (Some(Values::Wide(values)), Some(Map::Interpolated(table))) => {
            fill(factors, values, |x| interpolated_entry(table, x));
        }
        (Some(Values::Wide(values)), Some(Map::Fine(table))) => fill(factors, values, |x| fine_entry(table, x)),
        (Some(Values::Narrow(_)), Some(Map::Interpolated(_) | Map::Fine(_)))
        | (Some(Values::Wide(_)), Some(Map::Direct(_)))
        | (None, _)
        | (_, None) => {}
    }
}

#[inline(always)]
fn fill<X: Integer>(factors: &mut Factors, values: &[X], map: impl Fn(X) -> i32) {
    for (factor, &x) in factors.iter_mut().zip(values) {
        *factor = map(x);
    }
}
