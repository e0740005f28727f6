//! Several threads, each with its own part of a batch.
//!
//! Parallel loops inside libtorch's operations gain little on small maps and wait for each other at
//! every operation, which is ruinous where another program uses a core. So on the CPU every worker
//! computes a part of the batch from end to end on one thread.

use crate::executor::Executor;
use crate::memory::caught;
use convrnn_graph::StepGraph;
use convrnn_graph::quantize::QuantizedGraph;
use std::sync::Arc;
use tch::{Device, Kind, TchError, Tensor};

/// One executor a thread. On CUDA there is one, since the device is parallel by itself.
pub struct Workers<'g> {
    executors: Vec<Executor<'g>>,
}

impl<'g> Workers<'g> {
    /// Prepares a graph for `threads` workers.
    pub fn new(graph: &'g StepGraph, kind: Kind, device: Device, threads: usize) -> Result<Self, TchError> {
        tch::set_num_threads(1);
        let count = if device == Device::Cpu { threads.max(1) } else { 1 };
        let executors = (0..count).map(|_| Executor::new(graph, kind, device)).collect::<Result<_, _>>()?;
        Ok(Self { executors })
    }

    /// Gives every worker a quantised form of the graph, or none: see [`Executor::quantize`].
    pub fn quantize(&mut self, quantized: Option<&Arc<QuantizedGraph>>) {
        for executor in &mut self.executors {
            executor.quantize(quantized.map(Arc::clone));
        }
    }

    /// The first worker's executor.
    pub fn executor(&self) -> &Executor<'g> {
        &self.executors[0]
    }

    /// Number of workers.
    pub fn count(&self) -> usize {
        self.executors.len()
    }

    /// Splits rows `0..count` into one contiguous range a worker, as even as can be; none is empty.
    pub fn ranges(&self, count: i64) -> Vec<(i64, i64)> {
        let workers = (self.executors.len() as i64).min(count).max(1);
        (0..workers).map(|worker| (worker * count / workers, (worker + 1) * count / workers)).collect()
    }

    /// Gives each input to a worker of its own, at most one a worker, and the results in the order of
    /// the inputs.
    pub fn map<I: Send, O: Send>(
        &mut self,
        inputs: Vec<I>,
        work: impl Fn(&Executor<'g>, I) -> Result<O, TchError> + Sync,
    ) -> Result<Vec<O>, TchError> {
        assert!(inputs.len() <= self.executors.len(), "one input a worker");
        // Here, on the worker's own thread: where another worker fails first, nobody looks at what became of it.
        let work = |executor: &Executor<'g>, input| caught(|| work(executor, input));
        if inputs.len() == 1 {
            return inputs.into_iter().map(|input| work(&self.executors[0], input)).collect();
        }
        let work = &work;
        std::thread::scope(|scope| {
            let threads: Vec<_> = inputs
                .into_iter()
                .zip(&mut self.executors)
                .map(|(input, executor)| scope.spawn(move || work(executor, input)))
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<_>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        })
    }
}

/// Tensors of their own for another thread, over the same values.
pub fn share(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(Tensor::detach).collect()
}
