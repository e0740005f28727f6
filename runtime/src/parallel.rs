//! The layers of a step at once.
//!
//! In a program of the plan [`Plan::Parallel`] a layer reads the frame and states, which nobody
//! writes during the step, and writes memory that no other layer touches. So the arena can be cut
//! into what all share and one region a layer, without a lock and without `unsafe`, and each
//! [`LayerTask`] may run on a thread or a core of its own. The states are committed when all have ended.

use crate::backend::Backend;
#[cfg(feature = "threads")]
use crate::execution::run_on_threads;
use crate::execution::{Memory, run, run_layer};
use crate::session::Session;
use convrnn_format::{BufferRecord, LayerRecord, Plan, Program, Role, Skipping};
#[cfg(feature = "threads")]
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(feature = "threads")]
use std::time::{Duration, Instant};

/// A layer of a step that has begun, with the memory that it alone writes.
#[derive(Debug)]
pub struct LayerTask<'a> {
    program: &'a Program<'a>,
    layer: LayerRecord,
    memory: Memory<'a>,
}

impl LayerTask<'_> {
    /// What the layer costs, so that the dearest can be given out first.
    pub fn multiply_accumulates(&self) -> u64 {
        self.layer.multiply_accumulates
    }

    /// Computes the layer.
    pub fn run<B: Backend>(&mut self, backend: &mut B) {
        run_layer(self.program, &mut self.memory, &self.layer, |task| run(backend, task));
    }

    /// Computes the layer on a thread of a pool. Once it has made so many multiply-accumulates `alone`, the other threads
    /// have come to the end of the other layers and share its convolutions, by rows.
    #[cfg(feature = "threads")]
    fn run_on_threads<B: Backend + Clone + Send + Sync>(&mut self, backend: &mut B, alone: u64, shares: &AtomicBool) {
        let mut made = 0_u64;
        run_layer(self.program, &mut self.memory, &self.layer, |task| {
            let is_shared = made >= alone;
            made = made.saturating_add(task.record.multiply_accumulates);
            if !is_shared {
                return run(backend, task);
            }
            shares.store(true, Ordering::Release);
            run_on_threads(backend, task)
        });
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

#[cfg(feature = "threads")]
impl<B: Backend + Clone + Send + Sync> Session<'_, '_, B> {
    /// Computes one step with the threads of a pool and clones of the backend: each layer on one of them, the dearest
    /// first, and what is left of it when the others are done divided by rows. As [`Self::step`] where the program does not allow
    /// it. The same bits as [`Self::step`].
    ///
    /// Called within [`rayon::ThreadPool::install`], as for many steps in a row, the calling thread computes too, and the
    /// others look out for the next step for 50 microseconds before they sleep.
    pub fn step_on(&mut self, pool: &rayon::ThreadPool) {
        let backend = self.backend().clone();
        let Some(tasks) = self.begin_step() else { return self.step() };
        let mut tasks: std::vec::Vec<LayerTask<'_>> = tasks.collect();
        tasks.sort_by_key(|task| core::cmp::Reverse(task.multiply_accumulates()));
        let all = tasks.iter().fold(0_u64, |sum, task| sum.saturating_add(task.multiply_accumulates()));
        let others = (pool.current_num_threads() as u64).saturating_sub(1);
        let shares = AtomicBool::new(false);
        let run = |mut task: LayerTask<'_>| {
            let rest = all.saturating_sub(task.multiply_accumulates());
            let alone = rest.checked_div(others).unwrap_or(u64::MAX);
            task.run_on_threads(&mut backend.clone(), alone, &shares);
        };
        // A thread of the pool begins with the dearest layer itself.
        let is_within = pool.current_thread_index().is_some();
        let own = if is_within { tasks.drain(..1).next() } else { None };
        pool.in_place_scope(|scope| {
            for task in tasks {
                scope.spawn(move |_| run(task));
            }
            STEPS.fetch_add(1, Ordering::Release);
            if let Some(own) = own {
                for _ in 0..others {
                    scope.spawn(|_| look_out(|| shares.load(Ordering::Acquire)));
                }
                run(own);
                shares.store(true, Ordering::Release);
            }
        });
        if is_within {
            for _ in 0..others {
                let seen = STEPS.load(Ordering::Acquire);
                pool.spawn(move || look_out(|| STEPS.load(Ordering::Acquire) != seen));
            }
        }
        self.end_step();
    }
}

/// Steps that any session has begun on threads.
#[cfg(feature = "threads")]
static STEPS: AtomicUsize = AtomicUsize::new(0);

/// A thread that goes to sleep takes as long to wake as a layer of a small network takes, so it looks out for more to do
/// for a while.
#[cfg(feature = "threads")]
fn look_out(sees: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_micros(50);
    let start = Instant::now();
    while !sees() && start.elapsed() < PATIENCE {
        core::hint::spin_loop();
    }
}
