//! The elementwise end of a cell's update: products of gates and values, and a function of their sum.
//!
//! What reciprocal gated cells have, two gates by fine tables, two values and a table of the sum, is one loop. All else of 16
//! bits is done block by block: factors that come by table go to the stack, the other loops do the rest.
#![allow(unsafe_code)]

use super::{elementwise, lookup};
use crate::task::Task;
use convrnn_format::{Element, NONE, Numerics, TableKind};
use core::mem::offset_of;

/// Elements at a time where factors or sums go to the stack.
const BLOCK: usize = 128;

/// i16 values on the stack.
type Block = [i16; BLOCK];

/// What the loop for two gates is given. Pointers to an operand, then to its table.
#[repr(C)]
struct Gates {
    gates: [*const i16; 2],
    values: [*const i16; 2],
    tables: [*const i16; 2],
    function: *const i16,
    output: *mut i16,
    multipliers: [u32; 2],
    /// At least one.
    count: usize,
}

/// One operand: its elements, and its table if it has one.
#[derive(Clone, Copy)]
struct Factor<'a> {
    values: *const i16,
    table: Option<(TableKind, &'a [i16])>,
}

/// Computes a gated sum, or says that it is for the portable kernel. `steps_fit` says that all interpolated tables of the
/// program pass [`lookup::steps_fit`].
pub fn run(task: &mut Task<'_>, steps_fit: bool) -> bool {
    let record = task.record;
    let operands = usize::from(record.operand_count);
    let function: &[i16] = match record.table {
        NONE => &[],
        offset => task.constant(offset, TableKind::Interpolated.entries()),
    };
    let (is_wide, size) = match Element::from_byte(task.target.element) {
        Some(Element::I8) => (false, 1),
        Some(Element::I16) => (true, 2),
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let is_aligned = task.output.as_ptr().addr().is_multiple_of(2);
    if task.numerics() != Numerics::Integer || !steps_fit || !is_aligned || !matches!(operands, 2 | 4) {
        return false;
    }
    if record.table != NONE && function.len() != TableKind::Interpolated.entries() {
        return false;
    }
    let mut count = task.output.len() / size;
    let mut factors = [Factor { values: core::ptr::null(), table: None }; 4];
    for (slot, factor) in factors.iter_mut().enumerate().take(operands) {
        let Some((found, length)) = self::factor(task, slot, is_wide) else { return false };
        *factor = found;
        count = count.min(length);
    }
    if count == 0 {
        return true;
    }
    let output = task.output.as_mut_ptr();
    if let ([first, second, third, fourth], 4, true) = (&factors, operands, is_wide && record.table != NONE) {
        let is_fine = |factor: &Factor<'_>| match factor.table {
            Some((TableKind::Fine, table)) if table.len() == TableKind::Fine.entries() => Some(table.as_ptr()),
            Some((TableKind::Fine | TableKind::Direct | TableKind::Interpolated, _)) | None => None,
        };
        let tables = (is_fine(first), second.table.is_none(), is_fine(third), fourth.table.is_none());
        if let (Some(left), true, Some(right), true) = tables
            && (record.first_shift, record.second_shift) == (0, 0)
        {
            let gates = Gates {
                gates: [first.values, third.values],
                values: [second.values, fourth.values],
                tables: [left, right],
                function: function.as_ptr(),
                output: output.cast(),
                multipliers: [record.first, record.second],
                count,
            };
            // SAFETY: see the loop: `count` elements of every operand and of the output are there, the tables have all
            // their entries, and the function passes `steps_fit`. An operand that lies where the output does lies there
            // element for element.
            unsafe { two_gates(&gates) }
            return true;
        }
    }
    let work = Work { factors: &factors, operands, function, is_wide, zero: task.target.zero_point };
    let mut start = 0;
    while start < count {
        let length = count.wrapping_sub(start).min(BLOCK);
        work.block(&record, start, length, output.wrapping_add(start.wrapping_mul(size)));
        start = start.wrapping_add(length);
    }
    true
}

/// An operand of 16 bits and how many elements it has; one that lies where the output does has those of the output.
fn factor<'a>(task: &Task<'a>, slot: usize, output_is_wide: bool) -> Option<(Factor<'a>, usize)> {
    let record = task.program.operand(&task.record, slot)?;
    let operand = task.operand(slot)?;
    let element = Element::from_byte(operand.buffer.element)?;
    if element != Element::I16 || operand.buffer.zero_point != 0 {
        return None;
    }
    let in_place = task.is_in_place(slot);
    if in_place && !output_is_wide {
        return None;
    }
    let bytes = if in_place { &*task.output } else { operand.bytes };
    let is_fine = task.record.variant & 1_u8.wrapping_shl(slot as u32) != 0;
    let table = match record.weights {
        NONE => None,
        offset => {
            let kind = TableKind::of_operand(element, is_fine)?;
            let table: &[i16] = task.constant(offset, kind.entries());
            (table.len() == kind.entries()).then_some(())?;
            Some((kind, table))
        }
    };
    let is_aligned = bytes.as_ptr().addr().is_multiple_of(2);
    is_aligned.then_some((Factor { values: bytes.as_ptr().cast(), table }, bytes.len() / 2))
}

/// A gated sum that is done block by block.
struct Work<'a> {
    factors: &'a [Factor<'a>; 4],
    operands: usize,
    function: &'a [i16],
    is_wide: bool,
    zero: i32,
}

impl Work<'_> {
    /// Elements from `start` on, of which there are `length`, at most [`BLOCK`].
    fn block(&self, record: &convrnn_format::OperationRecord, start: usize, length: usize, output: *mut u8) {
        let mut stored: [Block; 4] = [[0; BLOCK]; 4];
        let mut pointers = [core::ptr::null(); 4];
        for ((pointer, factor), block) in pointers.iter_mut().zip(self.factors).zip(&mut stored).take(self.operands) {
            let values = factor.values.wrapping_add(start);
            *pointer = match factor.table {
                None => values,
                Some((kind, table)) => {
                    // SAFETY: the operand has `length` elements from `start` on, the block has room for them, and the table
                    // is one for elements of 16 bits with all its entries.
                    unsafe { lookup::entries(kind, values, table.as_ptr(), block.as_mut_ptr(), length) }
                    block.as_ptr()
                }
            };
        }
        let has_function = !self.function.is_empty();
        let mut sums: Block = [0; BLOCK];
        let (target, is_wide, zero) = match has_function {
            true => (sums.as_mut_ptr().cast(), true, 0),
            false => (output, self.is_wide, self.zero),
        };
        // SAFETY: all factors and the target have `length` elements; the sums, the factors on the stack, and by `run` all
        // other elements of 16 bits, lie at even addresses.
        unsafe {
            elementwise::products(pointers, self.operands == 4, record, target, is_wide, zero, length);
            if has_function {
                lookup::interpolated(sums.as_ptr(), self.function.as_ptr(), output, self.is_wide, length);
            }
        }
    }
}

/// `y = f(saturate16(R(t[g0] * v0) + R(t[g1] * v1)))`, 31 instructions for eight elements. An index of a fine table is
/// one of them: `1024 + (x >> 5)`, as `(2 * 1024 * x + (1024 << 16)) >> 16`.
///
/// # Safety
/// There are `count` elements of each operand and of the output, at least one, at even addresses; an operand may lie where
/// the output does. The tables have 2048 entries, the function 513 whose steps fit 16 bits.
#[unsafe(naked)]
unsafe extern "C" fn two_gates(gates: *const Gates) {
    // The rest is computed without a mask, which would cut 32-bit elements in half; only reading and writing is masked.
    macro_rules! eight {
        ($first_gate:literal, $first_value:literal, $second_gate:literal, $second_value:literal, $store:literal) => {
            concat!(
                $first_gate,
                "
                vqdmlash.s16 q0, q7, r11
                vldrh.u16 q1, [r7, q0, uxtw #1]
                ",
                $first_value,
                "
                vmullb.s16 q2, q0, q1
                vmullt.s16 q3, q0, q1
                vrmulh.s32 q2, q2, q4
                vrmulh.s32 q3, q3, q4
                ",
                $second_gate,
                "
                vqdmlash.s16 q0, q7, r11
                vldrh.u16 q1, [r8, q0, uxtw #1]
                ",
                $second_value,
                "
                vmullb.s16 q6, q0, q1
                vmullt.s16 q0, q0, q1
                vrmulh.s32 q6, q6, q5
                vrmulh.s32 q0, q0, q5
                vadd.i32 q2, q2, q6
                vadd.i32 q3, q3, q0
                vqmovnb.s32 q2, q2
                vqmovnt.s32 q2, q3
                vadd.i16 q2, q2, r12
                vshr.u16 q0, q2, #7
                vldrh.u16 q1, [r9, q0, uxtw #1]
                vldrh.u16 q3, [r10, q0, uxtw #1]
                vsub.i16 q3, q3, q1
                vshl.i16 q2, q2, #9
                vshr.u16 q2, q2, #1
                vqrdmulh.s16 q3, q3, q2
                vadd.i16 q1, q1, q3
                ",
                $store,
            )
        };
    }
    helium_asm!(
        "push {{r4-r12, lr}}",
        "vpush {{d8-d15}}",
        "ldrd r1, r2, [r0, #{gates}]",
        "ldrd r3, r4, [r0, #{values}]",
        "ldrd r7, r8, [r0, #{tables}]",
        "ldrd r9, r5, [r0, #{function}]",
        "ldrd r6, r10, [r0, #{multipliers}]",
        "vdup.32 q4, r6",
        "vdup.32 q5, r10",
        "ldr r6, [r0, #{count}]",
        "add.w r10, r9, #2",
        "mov.w r12, #32768",
        "mov.w r11, #1024",
        "vdup.16 q7, r11",
        "lsrs r0, r6, #3",
        "wls lr, r0, 3f",
        "2:",
        eight!(
            "vldrh.u16 q0, [r1], #16",
            "vldrh.u16 q0, [r3], #16",
            "vldrh.u16 q0, [r2], #16",
            "vldrh.u16 q0, [r4], #16",
            "vstrh.16 q1, [r5], #16"
        ),
        "le lr, 2b",
        "3:",
        "ands r6, r6, #7",
        "beq 4f",
        "vctp.16 r6",
        eight!(
            "vpst\nvldrht.u16 q0, [r1]",
            "vpst\nvldrht.u16 q0, [r3]",
            "vpst\nvldrht.u16 q0, [r2]",
            "vpst\nvldrht.u16 q0, [r4]",
            "vpst\nvstrht.16 q1, [r5]"
        ),
        "4:",
        "vpop {{d8-d15}}",
        "pop {{r4-r12, pc}}",
        gates = const offset_of!(Gates, gates),
        values = const offset_of!(Gates, values),
        tables = const offset_of!(Gates, tables),
        function = const offset_of!(Gates, function),
        multipliers = const offset_of!(Gates, multipliers),
        count = const offset_of!(Gates, count),
    )
}
