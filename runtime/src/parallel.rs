//! The layers of a step at once.
//!
//! In a program of the plan [`Plan::Parallel`] a layer reads the frame and states, which nobody
//! writes during the step, and writes memory that no other layer touches. So the arena can be cut
//! into what all share and one region a layer, without a lock and without `unsafe`, and each
//! [`LayerTask`] may run on a thread or a core of its own. The states are committed when all have ended.

use crate::backend::Backend;
use crate::execution::{Memory, run, run_layer};
use crate::session::Session;
use convrnn_format::{BufferRecord, LayerRecord, Plan, Program, Role, Skipping};

/// A layer of a step that has begun, with the memory that it alone writes.
#[derive(Debug)]
pub struct LayerTask<'a> {
    pub(crate) program: &'a Program<'a>,
    pub(crate) layer: LayerRecord,
    pub(crate) memory: Memory<'a>,
}

impl LayerTask<'_> {
    /// What the layer costs, so that the dearest can be given out first.
    pub fn multiply_accumulates(&self) -> u64 {
        self.layer.multiply_accumulates
    }

    /// Computes the layer with a backend that was prepared for this program: that of the session, a clone of it, or
    /// another one of the same type.
    pub fn run<B: Backend>(&mut self, backend: &mut B) {
        run_layer::<B>(self.program, &mut self.memory, &self.layer, |task| run(backend, task));
    }
}

/// The layers of a step that has begun, one after the other in the order of the program. All must
/// be run before the step is ended; what is not run keeps nothing but its own memory from being
/// what it should.
#[derive(Debug)]
pub struct LayerTasks<'a> {
    program: &'a Program<'a>,
    /// States and frame.
    shared: &'a [u8],
    /// Flags of the layers that run in this step; empty if all do that have begun.
    flags: &'a [u8],
    /// Number of the step: layers that begin later are left.
    step: u32,
    /// What has not been given out.
    rest: &'a mut [u8],
    rest_start: usize,
    next: usize,
}

impl<'a> Iterator for LayerTasks<'a> {
    type Item = LayerTask<'a>;

    fn next(&mut self) -> Option<LayerTask<'a>> {
        loop {
            let layer = self.program.layer(self.next)?;
            self.next = self.next.wrapping_add(1);
            let (start, end) = region(self.program, &layer).unwrap_or((self.rest_start, self.rest_start));
            let rest = core::mem::take(&mut self.rest);
            let (_, rest) = rest.split_at_mut_checked(start.wrapping_sub(self.rest_start))?;
            let (region, rest) = rest.split_at_mut_checked(end.wrapping_sub(start))?;
            (self.rest, self.rest_start) = (rest, end);
            let has_begun = u32::from(layer.first_step) <= self.step;
            if has_begun && self.flags.get(usize::from(layer.layer)).is_none_or(|&runs| runs != 0) {
                return Some(LayerTask {
                    program: self.program,
                    layer,
                    memory: Memory { shared: self.shared, region, start },
                });
            }
        }
    }
}

/// First byte and end of what a layer's operations write; none for a layer without operations.
fn region(program: &Program<'_>, layer: &LayerRecord) -> Option<(usize, usize)> {
    let first = layer.first_operation as usize;
    let operations = first..first.wrapping_add(layer.operation_count as usize);
    let outputs = operations.filter_map(|index| program.operation(index));
    let ranges = outputs.filter_map(|operation| program.buffer(operation.output)).map(|buffer| buffer.range());
    ranges.fold(None, |bounds: Option<(usize, usize)>, range| {
        let (start, end) = bounds.unwrap_or((range.start, range.end));
        Some((start.min(range.start), end.max(range.end)))
    })
}

/// Where the memory that all layers read ends, if every layer's region lies above it and above the
/// regions of the layers before.
fn shared_end(program: &Program<'_>) -> Option<usize> {
    if program.plan() != Plan::Parallel {
        return None;
    }
    let buffers = (0..program.buffer_count() as u16).filter_map(|index| program.buffer(index));
    let is_shared = |buffer: &BufferRecord| Role::from_byte(buffer.role) != Some(Role::Transient);
    let end = buffers.filter(is_shared).map(|buffer| buffer.range().end).max().unwrap_or(0);
    let mut top = end;
    for (start, stop) in program.layers().filter_map(|layer| region(program, &layer)) {
        if start < top {
            return None;
        }
        top = stop;
    }
    (top <= arena_end(program)).then_some(end)
}

/// Where buffers end and flags begin.
fn arena_end(program: &Program<'_>) -> usize {
    let prelude = program.prelude();
    let end = if prelude.cache_offset == 0 { prelude.arena_length } else { prelude.cache_offset };
    end as usize
}

impl<B: Backend> Session<'_, '_, B> {
    /// Begins a step whose layers may be computed in any order and at once: run every task, then
    /// call [`Self::end_step`]. Ends a step that [`Self::step_layer`] began. None for a program of
    /// the plan [`Plan::Sequential`], or whose layers' memory lies intertwined: use
    /// [`Self::step`] there.
    pub fn begin_step(&mut self) -> Option<LayerTasks<'_>> {
        while self.is_within_step() {
            self.step_layer();
        }
        let shared_end = shared_end(&self.program)?;
        self.begin_numbering();
        for index in 0..self.program.layer_count() {
            if let Some(layer) = self.program.layer(index) {
                self.leaves(&layer);
            }
        }
        let states = self.program.prelude().state_count as usize;
        let has_flags = self.skipping() != Skipping::None;
        let (buffers, flags) = self.arena.split_at_mut_checked(arena_end(&self.program))?;
        let flags = if has_flags { flags.get(states..).unwrap_or(&[]) } else { &[] };
        let (shared, rest) = buffers.split_at_mut_checked(shared_end)?;
        let step = self.step_number;
        Some(LayerTasks { program: &self.program, shared, flags, step, rest, rest_start: shared_end, next: 0 })
    }

    /// Ends a step that [`Self::begin_step`] began: commits the states.
    pub fn end_step(&mut self) {
        self.commit();
        self.steps = self.steps.saturating_add(1);
    }
}
