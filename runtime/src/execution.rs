//! The operations of a layer, one after the other or in bands of rows.

use crate::arena::{Pieces, Surroundings, carve, split};
use crate::backend::{Backend, Progress};
use crate::task::{Part, Sibling, Task};
use crate::uses::Use;
use convrnn_format::{LayerRecord, MAXIMUM_SIBLINGS, OperationKind, OperationRecord, Program};
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

/// Computes a layer: makes the tasks in order and gives each to `execute`, which computes it and says whether it has
/// computed its siblings too. What the backend's [`Backend::USES`] lack is not built.
pub(crate) fn run_layer<B: Backend>(
    program: &Program<'_>,
    memory: &mut Memory<'_>,
    layer: &LayerRecord,
    mut execute: impl FnMut(Task<'_>) -> bool,
) {
    let mut index = layer.first_operation as usize;
    let end = index.wrapping_add(layer.operation_count as usize);
    while index < end {
        let Some(record) = program.operation(index) else { return };
        index = if B::USES.has(Use::Bands) && record.is_in_bands() {
            run_group::<B>(program, memory, index, &mut execute)
        } else {
            run_siblings::<B>(program, memory, index, record, None, &mut execute)
        };
    }
}

/// Computes a group band by band. Gives the operation after it.
fn run_group<B: Backend>(
    program: &Program<'_>,
    memory: &mut Memory<'_>,
    first: usize,
    execute: &mut impl FnMut(Task<'_>) -> bool,
) -> usize {
    let group = program.together(first);
    for band in 0..program.bands(&group) {
        let mut index = group.start;
        while index < group.end {
            let Some(record) = program.operation(index) else { break };
            index = run_siblings::<B>(program, memory, index, record, Some(band), execute);
        }
    }
    group.end
}

/// Computes one operation, or several that may be computed at once; or a band of them. Gives the operation after them.
fn run_siblings<B: Backend>(
    program: &Program<'_>,
    memory: &mut Memory<'_>,
    first: usize,
    record: OperationRecord,
    band: Option<u32>,
    execute: &mut impl FnMut(Task<'_>) -> bool,
) -> usize {
    if !B::USES.has(Use::Siblings) || !record.has_sibling() {
        if let (true, Some(band)) = (B::USES.has(Use::Bands), band) {
            keep_rows(program, memory, &record, band);
        }
        run_one::<B>(program, memory, record, band, execute);
        return first.wrapping_add(1);
    }
    let siblings = program.siblings(first);
    if let (true, Some(band)) = (B::USES.has(Use::Bands), band) {
        for record in siblings.clone().filter_map(|index| program.operation(index)) {
            keep_rows(program, memory, &record, band);
        }
    }
    let mut left = siblings.clone();
    if let Some(is_all) = offer::<B>(program, memory, &siblings, band, execute) {
        left.start = if is_all { left.end } else { left.start.wrapping_add(1) };
    }
    for record in left.filter_map(|index| program.operation(index)) {
        run_one::<B>(program, memory, record, band, execute);
    }
    siblings.end
}

/// Computes one operation or a band of it.
fn run_one<B: Backend>(
    program: &Program<'_>,
    memory: &mut Memory<'_>,
    record: OperationRecord,
    band: Option<u32>,
    execute: &mut impl FnMut(Task<'_>) -> bool,
) {
    if let Some(task) = operation(program, memory, record).and_then(|task| in_band::<B>(task, band)) {
        execute(task);
    }
}

/// An operation with its memory. Verification proved that everything it needs exists.
fn operation<'a>(program: &'a Program<'a>, memory: &'a mut Memory<'_>, record: OperationRecord) -> Option<Task<'a>> {
    let target = program.buffer(record.output)?;
    let (output, around) = split(memory.region, memory.start, &target)?;
    let first = Sibling { record, target, output };
    task(program, first, around.beside(memory.shared), &mut [])
}

/// Gives several convolutions to `execute` as one task; says whether all have been computed.
fn offer<B: Backend>(
    program: &Program<'_>,
    memory: &mut Memory<'_>,
    siblings: &Range<usize>,
    band: Option<u32>,
    execute: &mut impl FnMut(Task<'_>) -> bool,
) -> Option<bool> {
    let mut all: [Sibling<'_>; MAXIMUM_SIBLINGS] = Default::default();
    let all = all.get_mut(..siblings.len())?;
    for (index, sibling) in siblings.clone().zip(all.iter_mut()) {
        sibling.record = program.operation(index)?;
        sibling.target = program.buffer(sibling.record.output)?;
    }
    let mut pieces = Pieces::default();
    carve(memory.region, memory.start, all, &mut pieces)?;
    let (first, others) = all.split_first_mut()?;
    let around = Surroundings::between(pieces.get(..=siblings.len())?).beside(memory.shared);
    let task = task(program, core::mem::take(first), around, others)?;
    in_band::<B>(task, band).map(execute)
}

fn task<'a>(
    program: &'a Program<'a>,
    Sibling { record, target, output }: Sibling<'a>,
    around: Surroundings<'a>,
    siblings: &'a mut [Sibling<'a>],
) -> Option<Task<'a>> {
    let kind = OperationKind::from_byte(record.kind)?;
    let has_done_siblings = siblings.is_empty();
    Some(Task { program, kind, record, target, output, around, part: Part::Whole, siblings, has_done_siblings })
}

/// The rows of an operation that a band adds, all without a band; none where the band has no rows of it.
fn in_band<B: Backend>(task: Task<'_>, band: Option<u32>) -> Option<Task<'_>> {
    let (true, Some(band)) = (B::USES.has(Use::Bands), band) else { return Some(task) };
    let rows = task.record.rows_of_band(task.target.height, band);
    let first = task.target.first_resident(rows.end);
    if rows.is_empty() { None } else { task.part(&rows, first, band) }
}

/// Moves the rows of an operation's buffer that later windows still need to its start, before a band adds others.
fn keep_rows(program: &Program<'_>, memory: &mut Memory<'_>, record: &OperationRecord, band: u32) -> Option<()> {
    let target = program.buffer(record.output).filter(|target| !target.is_whole())?;
    let rows = record.rows_of_band(target.height, band);
    let kept = target.first_resident(rows.end)..rows.start;
    let distance = kept.start.saturating_sub(target.first_resident(rows.start)) as usize;
    let (distance, length) = (distance.wrapping_mul(target.row_bytes()), kept.len().wrapping_mul(target.row_bytes()));
    if distance > 0 && length > 0 {
        let (buffer, _) = split(memory.region, memory.start, &target)?;
        let moved = buffer.get_mut(..distance.wrapping_add(length)).filter(|moved| distance <= moved.len())?;
        moved.copy_within(distance.., 0);
    }
    Some(())
}

/// Gives an operation to a backend and waits for it; says whether its siblings have been computed too.
pub(crate) fn run<B: Backend>(backend: &mut B, mut task: Task<'_>) -> bool {
    let cleaned = if B::HAS_CACHES { task.record.operand_count } else { 0 };
    for slot in 0..usize::from(cleaned) {
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
    if B::HAS_CACHES {
        backend.invalidate(task.output);
    }
    if B::HAS_CACHES && task.has_done_siblings {
        task.siblings.iter_mut().for_each(|sibling| backend.invalidate(sibling.output));
    }
    task.has_done_siblings
}
