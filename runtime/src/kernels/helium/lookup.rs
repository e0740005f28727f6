//! Functions by table, eight elements at a time: the processor gathers the entries.
#![allow(unsafe_code)]

use crate::task::{Task, elements};
use convrnn_format::{Element, NONE, Numerics, OperationKind, OperationRecord, Program, TableKind};

type Loop = unsafe extern "C" fn(*const u8, *const i16, *mut u8, usize);

/// `saturate(table(x))`, or says that it is for the portable kernel. `steps_fit` says that all interpolated tables of the
/// program pass [`steps_fit`].
pub fn run(task: &mut Task<'_>, steps_fit: bool) -> bool {
    let (Some(kind), Some(input)) = (TableKind::from_byte(task.record.variant), task.operand(0)) else { return false };
    let table: &[i16] = task.constant(task.record.table, kind.entries());
    if task.numerics() != Numerics::Integer || table.len() != kind.entries() {
        return false;
    }
    if kind == TableKind::Interpolated && !steps_fit {
        return false;
    }
    let (is_wide, size) = match Element::from_byte(task.target.element) {
        Some(Element::I8) => (false, 1),
        Some(Element::I16) => (true, 2),
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let [narrow, wide]: [Loop; 2] = match kind {
        TableKind::Direct => [direct_narrow, direct_wide],
        TableKind::Interpolated => [interpolated_narrow, interpolated_wide],
        TableKind::Fine => [fine_narrow, fine_wide],
    };
    let held = match kind.element() {
        Element::I16 => elements::<i16>(input.bytes).len(),
        Element::I8 | Element::I32 | Element::F32 => input.bytes.len(),
    };
    let count = held.min(task.output.len() / size);
    if count > 0 && (!is_wide || task.output.as_ptr().addr().is_multiple_of(2)) {
        let chosen = if is_wide { wide } else { narrow };
        let (values, output) = (input.bytes.as_ptr(), task.output.as_mut_ptr());
        // SAFETY: see the loops: so many elements are there, of the widths that the loop is for, and those of two bytes are
        // aligned; the table has all the entries of its kind.
        unsafe { chosen(values, table.as_ptr(), output, count) }
    }
    true
}

/// The entries for elements of 16 bits.
///
/// # Safety
/// There are `count` values, room for as many entries, and all entries of a table of the kind; an interpolated one passes
/// [`steps_fit`]. All lie at even addresses.
pub(super) unsafe fn entries(kind: TableKind, values: *const i16, table: *const i16, output: *mut i16, count: usize) {
    if count == 0 {
        return;
    }
    // SAFETY: the caller's promises are those that the loops ask for.
    unsafe {
        match kind {
            TableKind::Fine => fine_wide(values.cast(), table, output.cast(), count),
            TableKind::Interpolated => interpolated_wide(values.cast(), table, output.cast(), count),
            TableKind::Direct => {}
        }
    }
}

/// An interpolated table of values, saturated to the output.
///
/// # Safety
/// As for [`entries`], with an output of elements of 16 bits or of 8.
pub(super) unsafe fn interpolated(values: *const i16, table: *const i16, output: *mut u8, is_wide: bool, count: usize) {
    let chosen: Loop = if is_wide { interpolated_wide } else { interpolated_narrow };
    if count > 0 {
        // SAFETY: the caller's promises are those that the loops ask for.
        unsafe { chosen(values.cast(), table, output, count) }
    }
}

/// Whether all interpolated tables of a program pass [`steps_fit`].
pub(crate) fn all_steps_fit(program: &Program<'_>) -> bool {
    let table = |offset: u32| {
        let bytes = program.constant(offset, 2 * TableKind::Interpolated.entries()).unwrap_or(&[]);
        elements::<i16>(bytes).first_chunk().is_some_and(steps_fit)
    };
    let operand_fits = |operation: &OperationRecord, slot: usize| {
        let Some(operand) = program.operand(operation, slot) else { return true };
        let Some(buffer) = program.buffer(operand.buffer) else { return true };
        let is_fine = operation.variant & 1_u8.wrapping_shl(slot as u32) != 0;
        let is_wide = buffer.element == Element::I16.to_byte();
        !is_wide || is_fine || operand.weights == NONE || table(operand.weights)
    };
    (0..program.operation_count()).filter_map(|index| program.operation(index)).all(|operation| {
        match OperationKind::from_byte(operation.kind) {
            Some(OperationKind::Lookup) => {
                operation.variant != TableKind::Interpolated.to_byte() || table(operation.table)
            }
            Some(OperationKind::GatedSum) => {
                (operation.table == NONE || table(operation.table)) && (0..4).all(|slot| operand_fits(&operation, slot))
            }
            Some(
                OperationKind::Convolution
                | OperationKind::Add
                | OperationKind::Multiply
                | OperationKind::Affine
                | OperationKind::Activation
                | OperationKind::Rescale
                | OperationKind::MaxPool
                | OperationKind::GlobalAverage
                | OperationKind::Resize,
            )
            | None => true,
        }
    })
}

/// Whether no entry of an interpolated table differs from the next by more than 16 bits can say.
fn steps_fit(table: &[i16; 513]) -> bool {
    // SAFETY: the table has 513 entries.
    unsafe { widest_step(table.as_ptr()) == 0 }
}

/// Zero if the differences of neighbours among 513 entries fit 16 bits: if saturating makes no difference to them.
///
/// # Safety
/// 513 entries can be read.
#[unsafe(naked)]
unsafe extern "C" fn widest_step(table: *const i16) -> u32 {
    helium_asm!(
        "push {{r4, lr}}",
        "adds r1, r0, #2",
        "movs r2, #64",
        "movs r3, #0",
        "vdup.32 q3, r3",
        "dls lr, r2",
        "2:",
        "vldrh.u16 q0, [r0], #16",
        "vldrh.u16 q1, [r1], #16",
        "vsub.i16 q2, q1, q0",
        "vqsub.s16 q1, q1, q0",
        "veor q2, q2, q1",
        "vorr q3, q3, q2",
        "le lr, 2b",
        "vmaxv.u16 r3, q3",
        "mov r0, r3",
        "pop {{r4, pc}}",
    )
}

/// Reads the elements into q0, gives their table's entries in q2, stores them. r12 is what the index begins at.
macro_rules! table_loop {
    ($name:ident, $begin:literal, $load:literal, $body:literal, $store:literal) => {
        /// # Safety
        /// So many elements can be read and written, of the widths that the name says, those of two bytes at even addresses;
        /// at least one. The table has all the entries of its kind; an interpolated one fits its steps in 16 bits.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(values: *const u8, table: *const i16, output: *mut u8, count: usize) {
            helium_asm!(
                "push {{r4, lr}}",
                "adds r4, r1, #2",
                concat!("mov r12, #", $begin),
                "dlstp.16 lr, r3",
                "2:",
                $load,
                "vadd.i16 q0, q0, r12",
                $body,
                $store,
                "letp lr, 2b",
                "pop {{r4, pc}}",
            )
        }
    };
}

macro_rules! table_loops {
    ($narrow:ident, $wide:ident, $begin:literal, $load:literal, $body:literal) => {
        table_loop!($narrow, $begin, $load, $body, "vqmovnb.s16 q2, q2\nvstrb.16 q2, [r2], #8");
        table_loop!($wide, $begin, $load, $body, "vstrh.16 q2, [r2], #16");
    };
}

table_loops!(direct_narrow, direct_wide, "128", "vldrb.s16 q0, [r0], #8", "vldrh.u16 q2, [r1, q0, uxtw #1]");

table_loops!(
    fine_narrow,
    fine_wide,
    "32768",
    "vldrh.u16 q0, [r0], #16",
    "vshr.u16 q0, q0, #5
    vldrh.u16 q2, [r1, q0, uxtw #1]"
);

// The fraction times 512, halved, is what the doubling product wants: `(2 * d * 256 * f + 2^15) >> 16`.
table_loops!(
    interpolated_narrow,
    interpolated_wide,
    "32768",
    "vldrh.u16 q0, [r0], #16",
    "vshr.u16 q1, q0, #7
    vldrh.u16 q2, [r1, q1, uxtw #1]
    vldrh.u16 q3, [r4, q1, uxtw #1]
    vsub.i16 q3, q3, q2
    vshl.i16 q0, q0, #9
    vshr.u16 q0, q0, #1
    vqrdmulh.s16 q3, q3, q0
    vadd.i16 q2, q2, q3"
);
