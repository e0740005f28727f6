//! The layers of a step on the threads of a rayon pool.

use crate::backend::Backend;
use crate::execution::{run, run_layer};
use crate::parallel::LayerTask;
use crate::session::Session;
use crate::task::{Part, Task};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Least multiply-accumulates of a part of an operation that is worth a thread of its own.
const LEAST_WORK: u64 = 100_000;

/// How long a thread without work looks out for more before it sleeps: it would take as long to wake as a layer of a small
/// network takes.
const PATIENCE: Duration = Duration::from_micros(50);

/// Steps that any session has begun within a pool, and threads that look out for the next one.
static STEPS: AtomicUsize = AtomicUsize::new(0);
static LOOKOUTS: AtomicUsize = AtomicUsize::new(0);

impl<B: Backend + Clone + Send + Sync> Session<'_, '_, B> {
    /// Computes one step with the threads of a pool and clones of the backend: each layer on one of them, the dearest
    /// first, and what is left of it when the others are done divided by rows. As [`Self::step`] where the program does
    /// not allow it. The same bits as [`Self::step`].
    ///
    /// Called within [`rayon::ThreadPool::install`], as for many steps in a row, the calling thread computes too, and the
    /// others look out for the next step for 50 microseconds before they sleep.
    pub fn step_on(&mut self, pool: &rayon::ThreadPool) {
        let backend = self.backend().clone();
        let Some(tasks) = self.begin_step() else { return self.step() };
        let mut tasks: std::vec::Vec<LayerTask<'_>> = tasks.collect();
        // The dearest last.
        tasks.sort_by_key(|task| task.multiply_accumulates());
        let all = tasks.iter().fold(0_u64, |sum, task| sum.saturating_add(task.multiply_accumulates()));
        let others = pool.current_num_threads().saturating_sub(1);
        let shares = AtomicBool::new(false);
        let run = |mut task: LayerTask<'_>| {
            let rest = all.saturating_sub(task.multiply_accumulates());
            let alone = rest.checked_div(others as u64).unwrap_or(u64::MAX);
            task.run_on_threads(&mut backend.clone(), alone, &shares);
        };
        // A thread of the pool begins with the dearest layer itself.
        let is_within = pool.current_thread_index().is_some();
        let own = if is_within { tasks.pop() } else { None };
        pool.in_place_scope(|scope| {
            for task in tasks.into_iter().rev() {
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
            look_out_for_next(pool, others);
        }
        self.end_step();
    }
}

impl LayerTask<'_> {
    /// Computes the layer on a thread of a pool. Once it has made so many multiply-accumulates `alone`, the other threads
    /// have come to the end of the other layers and share its operations, by rows.
    fn run_on_threads<B: Backend + Clone + Send + Sync>(&mut self, backend: &mut B, alone: u64, shares: &AtomicBool) {
        let mut made = 0_u64;
        run_layer::<B>(self.program, &mut self.memory, &self.layer, |task| {
            let is_shared = made >= alone;
            let siblings = task.siblings.iter().map(|sibling| sibling.record.multiply_accumulates);
            let of_siblings = siblings.fold(0, u64::saturating_add);
            made = made.saturating_add(task.record.multiply_accumulates);
            let has_done_siblings = if is_shared {
                shares.store(true, Ordering::Release);
                share(backend, task)
            } else {
                run(backend, task)
            };
            // Those that were not computed with it come one by one.
            made = made.saturating_add(if has_done_siblings { of_siblings } else { 0 });
            has_done_siblings
        });
    }
}

/// Computes an operation on the threads of the pool that this one is of, by rows, if it is large enough; says whether its
/// siblings have been computed too. A thread that is busy takes none.
fn share<B: Backend + Clone + Send + Sync>(backend: &mut B, task: Task<'_>) -> bool {
    let height = task.target.height;
    let most = (task.record.multiply_accumulates / LEAST_WORK).min(rayon::current_num_threads() as u64) as u32;
    if most <= 1 || height <= 1 || !task.kind.has_rows() || !matches!(task.part, Part::Whole) {
        return run(backend, task);
    }
    // Siblings are divided themselves.
    let is_all = task.siblings.is_empty();
    divide(backend, Task { siblings: &mut [], ..task }, 0..height, height.div_ceil(most));
    is_all
}

/// Computes some rows of a whole task, whose output is those of the rows, by halves down to `least` rows.
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
    let Task { program, kind, record, target, around, .. } = task;
    let with = |output| Task {
        program,
        kind,
        record,
        target,
        output,
        around,
        part: Part::Whole,
        siblings: &mut [],
        has_done_siblings: true,
    };
    let (upper, lower) = (with(upper), with(lower));
    rayon::join(
        || divide(backend, upper, rows.start..middle, least),
        || divide(backend, lower, middle..rows.end, least),
    );
}

/// Lets the other threads of a pool look out for the next step, as many as do not yet.
fn look_out_for_next(pool: &rayon::ThreadPool, others: usize) {
    let seen = STEPS.load(Ordering::Acquire);
    while LOOKOUTS.fetch_add(1, Ordering::AcqRel) < others {
        pool.spawn(move || {
            look_out(|| STEPS.load(Ordering::Acquire) != seen);
            LOOKOUTS.fetch_sub(1, Ordering::AcqRel);
        });
    }
    LOOKOUTS.fetch_sub(1, Ordering::AcqRel);
}

/// Waits until something is seen, as long as patience lasts.
fn look_out(sees: impl Fn() -> bool) {
    let start = Instant::now();
    while !sees() && start.elapsed() < PATIENCE {
        core::hint::spin_loop();
    }
}
