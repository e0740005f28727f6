//! The operations of a layer, one after the other or in bands of rows.

use crate::arena::split;
use crate::backend::{Backend, Progress};
use crate::task::{Part, Task};
use convrnn_format::{LayerRecord, OperationKind, Program};
use core::ops::Range;

/// The memory of a layer: what it may write, and what it shares with layers that run at the same time.
#[derive(Debug)]
pub(crate) struct Memory<'a> {
    /// States and frame, where they do not lie in the region; else empty.
    pub shared: &'a [u8],
    /// The arena, or the part of it that the layer alone uses.
    pub region: &'a mut [u8],
    /// The region's first byte in the arena.
    pub start: usize,
}

/// Computes a layer: makes the tasks in order and gives each to `execute`, which has computed it when it returns.
pub(crate) fn run_layer(
    program: &Program<'_>,
    memory: &mut Memory<'_>,
    layer: &LayerRecord,
    mut execute: impl FnMut(Task<'_>),
) {
    let mut index = layer.first_operation as usize;
    let end = index.wrapping_add(layer.operation_count as usize);
    while index < end {
        let together = program.together(index);
        for band in 0..program.bands(&together) {
            for index in together.clone() {
                if let Some(task) = task(program, memory, index, band) {
                    execute(task);
                }
            }
        }
        index = together.end;
    }
}

/// An operation with its memory, or a band of it; none for a band without rows. Verification proved that everything it
/// needs exists.
fn task<'a>(program: &'a Program<'a>, memory: &'a mut Memory<'_>, index: usize, band: u32) -> Option<Task<'a>> {
    let record = program.operation(index)?;
    let target = program.buffer(record.output)?;
    let kind = OperationKind::from_byte(record.kind)?;
    let (output, around) = split(memory.region, memory.start, &target)?;
    let around = around.beside(memory.shared);
    let task = Task { program, kind, record, target, output, around, part: Part::Whole };
    if !record.is_in_bands() {
        return Some(task);
    }
    let rows = record.rows_of_band(target.height, band);
    if rows.is_empty() {
        return None;
    }
    let first = target.first_resident(rows.end);
    keep_rows(task.output, target.row_bytes(), target.first_resident(rows.start), first..rows.start);
    task.part(&rows, first, band)
}

/// Moves the rows that later windows still need to the start of a buffer that so far began with row `first`.
fn keep_rows(buffer: &mut [u8], row_bytes: usize, first: u32, kept: Range<u32>) {
    let distance = (kept.start.saturating_sub(first) as usize).wrapping_mul(row_bytes);
    let length = (kept.len()).wrapping_mul(row_bytes);
    if distance == 0 || length == 0 {
        return;
    }
    if let Some(moved) = buffer.get_mut(..distance.wrapping_add(length))
        && distance <= moved.len()
    {
        moved.copy_within(distance.., 0);
    }
}

/// Gives an operation to a backend and waits for it.
pub(crate) fn run<B: Backend>(backend: &mut B, mut task: Task<'_>) {
    for slot in 0..usize::from(task.record.operand_count) {
        if task.is_in_place(slot) {
            backend.clean(task.output);
        } else if let Some(operand) = task.operand(slot) {
            backend.clean(operand.bytes);
        }
    }
    let mut progress = backend.submit(&mut task);
    while progress == Progress::Pending {
        progress = backend.poll(&mut task);
    }
    backend.invalidate(task.output);
}

/// Least multiply-accumulates of a part that is worth a thread of its own.
#[cfg(feature = "threads")]
const LEAST_WORK: u64 = 100_000;

/// Computes an operation on the threads of the pool that this one is of: convolutions by rows, as far as they are large
/// enough. A thread that is busy takes none.
#[cfg(feature = "threads")]
pub(crate) fn run_on_threads<B: Backend + Clone + Send + Sync>(backend: &mut B, task: Task<'_>) {
    let height = task.target.height;
    let most = (task.record.multiply_accumulates / LEAST_WORK).min(rayon::current_num_threads() as u64) as u32;
    match task.part {
        Part::Whole if most > 1 && task.kind.has_rows() => divide(backend, task, 0..height, height.div_ceil(most)),
        Part::Whole | Part::Rows { .. } => run(backend, task),
    }
}

/// Computes some rows of a whole task, whose output is those of the rows, by halves down to `least` rows.
#[cfg(feature = "threads")]
fn divide<B: Backend + Clone + Send + Sync>(backend: &B, task: Task<'_>, rows: Range<u32>, least: u32) {
    if rows.len() <= least as usize {
        if let Some(part) = task.part(&rows, rows.start, 0) {
            run(&mut backend.clone(), part);
        }
        return;
    }
    let middle = rows.start.wrapping_add(rows.len().div_ceil(2) as u32);
    let upper_bytes = task.target.row_bytes().wrapping_mul(middle.wrapping_sub(rows.start) as usize);
    let Some((upper, lower)) = task.output.split_at_mut_checked(upper_bytes) else { return };
    let with = |output| Task { output, part: Part::Whole, ..task };
    let (upper, lower) = (with(upper), with(lower));
    rayon::join(
        || divide(backend, upper, rows.start..middle, least),
        || divide(backend, lower, middle..rows.end, least),
    );
}
