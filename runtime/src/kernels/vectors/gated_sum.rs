//! The elementwise end of a cell's update, a vector at a time.

use super::floats::Floats;
use super::integers::{Element, Factor, Integers};
use super::lookup::{direct, fine, interpolated};
use super::machine::{Kernel, Machine};
use crate::kernels::integer::with_integer;
use crate::task::{Task, elements, elements_mut};
use convrnn_format::{Element as ElementType, NONE, TableKind};

/// Most operands: two products.
const MOST_OPERANDS: usize = 4;

/// [`crate::kernels::gated_sum::run`]
pub(crate) fn run(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let record = task.record;
    let count = usize::from(record.operand_count);
    let length = task.target.elements();
    if count != 2 && count != MOST_OPERANDS {
        return false;
    }
    let function = match record.table {
        NONE => None,
        offset => match task.constant(offset, TableKind::Interpolated.entries()).first_chunk() {
            Some(table) => Some(table),
            None => return false,
        },
    };
    let scales = [(record.first, record.first_shift), (record.second, record.second_shift)];
    let factors = scales.map(|(multiplier, shift)| Factor::new(multiplier, shift));
    let mut operands = [Operand { values: Values::InPlace, map: Map::Centred(0) }; MOST_OPERANDS];
    for (slot, operand) in operands.iter_mut().take(count).enumerate() {
        match Operand::new(task, slot, length) {
            Some(found) => *operand = found,
            None => return false,
        }
    }
    let (operands, zero) = (operands.get(..count).unwrap_or(&[]), task.target.zero_point);
    let mut done = false;
    with_integer!(task.target.element, Y => {
        let output = elements_mut::<Y>(task.output);
        if output.len() == length {
            done = machine.dispatch(GatedSum { operands, factors, function, zero, output });
        }
    });
    done
}

/// Where an operand's values are: `length` of them.
#[derive(Clone, Copy)]
enum Values<'a> {
    Narrow(&'a [i8]),
    Wide(&'a [i16]),
    /// Where the output is, and of its type.
    InPlace,
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

#[derive(Clone, Copy)]
struct Operand<'a> {
    values: Values<'a>,
    map: Map<'a>,
}

impl<'a> Operand<'a> {
    /// An operand of a task; none if anything about it is not as verification demands.
    fn new(task: &Task<'a>, slot: usize, length: usize) -> Option<Self> {
        let weights = task.program.operand(&task.record, slot)?.weights;
        let operand = task.operand(slot)?;
        let element = ElementType::from_byte(operand.buffer.element)?;
        let values = match element {
            _ if task.is_in_place(slot) => Values::InPlace,
            ElementType::I8 => Values::Narrow(elements(operand.bytes).get(..length)?),
            ElementType::I16 => Values::Wide(elements(operand.bytes).get(..length)?),
            ElementType::I32 | ElementType::F32 => return None,
        };
        let is_fine = task.record.variant & 1_u8.wrapping_shl(slot as u32) != 0;
        let map = match weights {
            NONE => Map::Centred(operand.buffer.zero_point),
            offset => {
                let kind = TableKind::of_operand(element, is_fine)?;
                let table: &[i16] = task.constant(offset, kind.entries());
                match kind {
                    TableKind::Direct => Map::Direct(table.first_chunk()?),
                    TableKind::Interpolated => Map::Interpolated(table.first_chunk()?),
                    TableKind::Fine => Map::Fine(table.first_chunk()?),
                }
            }
        };
        Some(Self { values, map })
    }

    /// The factors of `count` elements from `start` on, or of a vector if that is less; `output` is
    /// the start of the output.
    ///
    /// # Safety
    /// The processor has the instructions, and there are so many elements.
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn factors<I: Integers, Y: Element>(&self, output: *const Y, start: usize, count: usize) -> I {
        // SAFETY: the caller's promise. Gathered pairs of entries lie in the tables, as each says.
        unsafe {
            let value: I = match self.values {
                Values::Narrow(values) => i8::load_first(values.as_ptr().wrapping_add(start), count),
                Values::Wide(values) => i16::load_first(values.as_ptr().wrapping_add(start), count),
                Values::InPlace => Y::load_first(output.wrapping_add(start), count),
            };
            match self.map {
                Map::Centred(zero) => value.subtract(I::splat(zero)),
                Map::Direct(table) => direct(value, table),
                Map::Interpolated(table) => interpolated(value, table),
                Map::Fine(table) => fine(value, table),
            }
        }
    }
}

/// Two or four operands, each of as many values as the output has elements.
struct GatedSum<'a, Y> {
    operands: &'a [Operand<'a>],
    factors: [Factor; MOST_OPERANDS / 2],
    function: Option<&'a [i16; 513]>,
    zero: i32,
    output: &'a mut [Y],
}

#[allow(unsafe_code)]
impl<Y: Element> Kernel for GatedSum<'_, Y> {
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let length = self.output.len();
        let output = self.output.as_mut_ptr();
        for start in (0..length).step_by(I::LANES) {
            let count = length - start;
            // SAFETY: `count` elements are left of the output and of every operand. One that lies where
            // the output does is read before that vector of it is written. The sum is limited to i16
            // before it is looked up. The instructions are the caller's promise.
            unsafe {
                let mut sum = I::splat(0);
                for (pair, &factor) in self.operands.chunks_exact(2).zip(&self.factors) {
                    let left: I = pair[0].factors(output, start, count);
                    let right: I = pair[1].factors(output, start, count);
                    sum = sum.add(left.multiply(right).rescale(factor));
                }
                let value = match self.function {
                    Some(table) => {
                        let limited = sum.maximum(I::splat(i16::MIN.into())).minimum(I::splat(i16::MAX.into()));
                        interpolated(limited, table)
                    }
                    None => I::splat(self.zero).add(sum),
                };
                Y::store_first(output.wrapping_add(start), count, value);
            }
        }
    }
}
