//! Functions by table.

use crate::kernels::integer::{Integer, keep_rolled, with_output};
use crate::task::{Task, elements, elements_mut};
use crate::uses::{Use, Uses};
use convrnn_format::{OperationKind, TableKind};

/// `saturate(table(x))`
pub fn run(task: &mut Task<'_>) {
    run_with::<{ Uses::ALL.bits() }>(task);
}

/// [`run`] with the kernels of `USES` alone.
#[inline(never)]
pub(crate) fn run_with<const USES: u64>(task: &mut Task<'_>) {
    let Some(kind) = TableKind::from_byte(task.record.variant) else { return };
    let Some(input) = task.operand(0) else { return };
    let table: &[i16] = task.constant(task.record.table, kind.entries());
    let uses = |kind| Uses::from_bits(USES).has(Use::Lookup(kind));
    with_output!(USES, OperationKind::Lookup, task.target.element, Y => {
        let output = elements_mut::<Y>(task.output);
        match kind {
            TableKind::Direct if uses(TableKind::Direct) => direct(elements(input.bytes), table, output),
            TableKind::Interpolated if uses(TableKind::Interpolated) => {
                interpolated(elements(input.bytes), table, output);
            }
            TableKind::Fine if uses(TableKind::Fine) => fine(elements(input.bytes), table, output),
            TableKind::Direct | TableKind::Interpolated | TableKind::Fine => {}
        }
    });
}

/// `table[x + 128]`
fn direct<Y: Integer>(input: &[i8], table: &[i16], output: &mut [Y]) {
    let Some(table) = table.first_chunk() else { return };
    for (y, &x) in output.iter_mut().zip(input) {
        keep_rolled();
        *y = Y::saturate(direct_entry(table, x));
    }
}

/// [`interpolated_entry`]
fn interpolated<Y: Integer>(input: &[i16], table: &[i16], output: &mut [Y]) {
    let Some(table) = table.first_chunk() else { return };
    #[cfg(feature = "cortex-m4")]
    if let Ok(wide) = bytemuck::try_cast_slice_mut(output)
        && size_of::<Y>() == 2
    {
        return crate::kernels::dsp::gates::interpolate(input, table, wide);
    }
    for (y, &x) in output.iter_mut().zip(input) {
        keep_rolled();
        *y = Y::saturate(interpolated_entry(table, x));
    }
}

/// `table[(x + 32768) >> 5]`
fn fine<Y: Integer>(input: &[i16], table: &[i16], output: &mut [Y]) {
    let Some(table) = table.first_chunk() else { return };
    for (y, &x) in output.iter_mut().zip(input) {
        keep_rolled();
        *y = Y::saturate(fine_entry(table, x));
    }
}

/// `table[x + 128]`
#[inline(always)]
pub(crate) fn direct_entry(table: &[i16; 256], x: i8) -> i32 {
    table[usize::from(x as u8 ^ 0x80)].into()
}

/// `u = x + 32768, i = u >> 7, f = u & 127`, `table[i] + (((table[i + 1] - table[i]) * f + 64) >> 7)`
#[inline(always)]
pub(crate) fn interpolated_entry(table: &[i16; 513], x: i16) -> i32 {
    let position = i32::from(x).wrapping_add(32768);
    let (index, fraction) = ((position >> 7) as usize & 511, position & 127);
    let (low, high) = (i32::from(table[index]), i32::from(table[index + 1]));
    low + (((high - low) * fraction + 64) >> 7)
}

/// `table[(x + 32768) >> 5]`
#[inline(always)]
pub(crate) fn fine_entry(table: &[i16; 2048], x: i16) -> i32 {
    table[usize::from((x as u16 ^ 0x8000) >> 5)].into()
}
