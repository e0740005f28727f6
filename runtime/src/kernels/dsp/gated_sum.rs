//! Gated sums block by block: factors of 16 bits, products into sums, the function of the sums.
//!
//! A factor that lies in memory as 16 bits is read where it lies, and a gate with a fine table is looked up while it is
//! multiplied with such a one; all other factors are written to the stack first.

use super::gates::{Sums, fine_products, function_of_sums, interpolate, products};
use crate::kernels::integer::{Integer, keep_rolled, rescale, with_output};
use crate::kernels::lookup::{direct_entry, fine_entry, interpolated_entry};
use crate::task::{Task, elements, elements_mut};
use crate::uses::{Use, Uses};
use convrnn_format::{Element, NONE, OperationKind, TableKind};

/// Elements at a time.
const BLOCK: usize = 256;

/// Factors of a block, at a whole word.
#[repr(C, align(8))]
struct Factors([i16; BLOCK]);

/// How values become factors.
#[derive(Clone, Copy)]
enum Map<'a> {
    /// `x - z`
    Centred(i16),
    Direct(&'a [i16; 256]),
    Interpolated(&'a [i16; 513]),
    Fine(&'a [i16; 2048]),
}

/// One operand.
#[derive(Clone, Copy)]
struct Operand<'a> {
    /// None where the operand lies where the output does.
    bytes: Option<&'a [u8]>,
    is_wide: bool,
    map: Map<'a>,
}

/// Two operands and the rescale of their product.
#[derive(Clone, Copy)]
struct Product<'a> {
    left: Operand<'a>,
    right: Operand<'a>,
    multiplier: i32,
    /// Products of gates and values have none.
    shift: u8,
}

/// `s = first(u0 * u1) + second(u2 * u3)`, `saturate(table(saturate16(s)))` or `saturate(z_out + s)`; nothing where
/// verification would have refused the operation.
pub(crate) fn run<const USES: u64>(task: &mut Task<'_>) {
    let record = task.record;
    let product = |slot: usize, multiplier: u32, shift: u8| {
        let (left, right) = (operand(task, slot)?, operand(task, slot.wrapping_add(1))?);
        // The gate stands to the left.
        let is_gate = matches!(right.map, Map::Fine(_));
        let (left, right) = if is_gate { (right, left) } else { (left, right) };
        Some(Product { left, right, multiplier: multiplier as i32, shift })
    };
    let Some(first) = product(0, record.first, record.first_shift) else { return };
    let second = product(2, record.second, record.second_shift);
    let function: &[i16] = match record.table {
        NONE => &[],
        offset => task.constant(offset, TableKind::Interpolated.entries()),
    };
    let (zero, element) = (task.target.zero_point, task.target.element);
    let count = task.target.elements();
    let mut sums = [0; BLOCK];
    for start in (0..count).step_by(BLOCK) {
        let end = start.wrapping_add(BLOCK).min(count);
        sum::<USES>(&first, task.output, start, end, Sums::Begun, &mut sums);
        if let Some(second) = &second {
            sum::<USES>(second, task.output, start, end, Sums::Continued, &mut sums);
        }
        with_output!(USES, OperationKind::GatedSum, element, Y => {
            let targets = elements_mut::<Y>(task.output).get_mut(start..end).unwrap_or(&mut []);
            finish::<Y, USES>(targets, &sums, function.first_chunk(), zero);
        });
    }
}

/// An operand; none where verification would have refused it.
fn operand<'a>(task: &Task<'a>, slot: usize) -> Option<Operand<'a>> {
    let record = task.program.operand(&task.record, slot)?;
    let found = task.operand(slot)?;
    let element = Element::from_byte(found.buffer.element)?;
    let is_wide = match element {
        Element::I8 => false,
        Element::I16 => true,
        Element::I32 | Element::F32 => return None,
    };
    let is_fine = task.record.variant & 1_u8.wrapping_shl(slot as u32) != 0;
    let map = match record.weights {
        NONE => Map::Centred(found.buffer.zero_point as i16),
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
    let bytes = (!task.is_in_place(slot)).then_some(found.bytes);
    Some(Operand { bytes, is_wide, map })
}

/// Products of the elements from `start` to `end`.
#[inline(never)]
fn sum<const USES: u64>(
    product: &Product<'_>,
    output: &[u8],
    start: usize,
    end: usize,
    begin: Sums,
    sums: &mut [i32; BLOCK],
) {
    let Product { left, right, multiplier, shift } = product;
    match (left.map, right.own(output, start, end)) {
        (Map::Fine(table), Some(right)) if *shift == 0 => {
            fine_products(values(left, output, start, end), right, table, *multiplier, begin, sums);
        }
        (Map::Centred(_) | Map::Direct(_) | Map::Interpolated(_) | Map::Fine(_), right) => {
            sum_of_copies::<USES>(product, right, output, start, end, begin, sums);
        }
    }
}

/// The same where factors are written to the stack first, unless they lie in memory.
#[inline(never)]
fn sum_of_copies<const USES: u64>(
    product: &Product<'_>,
    right_factors: Option<&[i16]>,
    output: &[u8],
    start: usize,
    end: usize,
    begin: Sums,
    sums: &mut [i32; BLOCK],
) {
    let Product { left, right, multiplier, shift } = product;
    let (mut left_copy, mut right_copy) = (Factors([0; BLOCK]), Factors([0; BLOCK]));
    let right = match right_factors {
        Some(factors) => factors,
        None => factors::<USES>(right, output, start, end, &mut right_copy),
    };
    let left = match left.own(output, start, end) {
        Some(factors) => factors,
        None => factors::<USES>(left, output, start, end, &mut left_copy),
    };
    if *shift == 0 || !uses::<USES>(Use::ShiftedProducts) {
        products(left, right, *multiplier, begin, sums);
        return;
    }
    for ((sum, &left), &right) in sums.iter_mut().zip(left).zip(right) {
        keep_rolled();
        let product = rescale(i32::from(left).wrapping_mul(right.into()), *multiplier, *shift);
        *sum = if begin == Sums::Begun { product } else { sum.wrapping_add(product) };
    }
}

impl<'a> Operand<'a> {
    /// The values from `start` to `end`, where they are the factors: those of 16 bits have no zero point.
    fn own(&self, output: &'a [u8], start: usize, end: usize) -> Option<&'a [i16]> {
        match self.map {
            Map::Centred(_) if self.is_wide => Some(values(self, output, start, end)),
            Map::Centred(_) | Map::Direct(_) | Map::Interpolated(_) | Map::Fine(_) => None,
        }
    }
}

/// The values of an operand from `start` to `end`.
fn values<'a, X: Integer>(operand: &Operand<'a>, output: &'a [u8], start: usize, end: usize) -> &'a [X] {
    elements(operand.bytes.unwrap_or(output)).get(start..end).unwrap_or(&[])
}

/// Writes the factors that an operand gives from `start` to `end`.
#[inline(never)]
fn factors<'a, const USES: u64>(
    operand: &Operand<'a>,
    output: &'a [u8],
    start: usize,
    end: usize,
    block: &'a mut Factors,
) -> &'a [i16] {
    match operand.map {
        Map::Centred(zero) if uses::<USES>(Use::NarrowFactor) => {
            fill(block, values(operand, output, start, end), |x: i8| i16::from(x).wrapping_sub(zero));
        }
        Map::Direct(table) if uses::<USES>(Use::Factor(TableKind::Direct)) => {
            fill(block, values(operand, output, start, end), |x: i8| direct_entry(table, x) as i16);
        }
        Map::Interpolated(table) if uses::<USES>(Use::Factor(TableKind::Interpolated)) => {
            interpolate(values(operand, output, start, end), table, &mut block.0);
        }
        Map::Fine(table) if uses::<USES>(Use::Factor(TableKind::Fine)) => {
            fill(block, values(operand, output, start, end), |x: i16| fine_entry(table, x) as i16);
        }
        Map::Centred(_) | Map::Direct(_) | Map::Interpolated(_) | Map::Fine(_) => {}
    }
    block.0.get(..end.wrapping_sub(start)).unwrap_or(&block.0)
}

/// Whether code for something is built.
#[inline(always)]
const fn uses<const USES: u64>(which: Use) -> bool {
    Uses::from_bits(USES).has(which)
}

#[inline(always)]
fn fill<X: Integer>(block: &mut Factors, values: &[X], map: impl Fn(X) -> i16) {
    for (factor, &x) in block.0.iter_mut().zip(values) {
        keep_rolled();
        *factor = map(x);
    }
}

/// The outputs of a block.
#[inline(never)]
fn finish<Y: Integer, const USES: u64>(
    targets: &mut [Y],
    sums: &[i32; BLOCK],
    function: Option<&[i16; 513]>,
    zero: i32,
) {
    match (function, bytemuck::try_cast_slice_mut(targets)) {
        (Some(function), Ok(targets)) if size_of::<Y>() == 2 && uses::<USES>(Use::Function) => {
            function_of_sums(sums, function, targets);
        }
        (Some(function), _) if uses::<USES>(Use::Function) => {
            for (y, &sum) in targets.iter_mut().zip(sums) {
                keep_rolled();
                *y = Y::saturate(interpolated_entry(function, i16::saturate(sum)));
            }
        }
        (Some(_), _) => {}
        (None, _) if uses::<USES>(Use::Sum) => {
            for (y, &sum) in targets.iter_mut().zip(sums) {
                keep_rolled();
                *y = Y::saturate(zero.wrapping_add(sum));
            }
        }
        (None, _) => {}
    }
}
