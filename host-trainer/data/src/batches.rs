//! Shuffled, augmented batches, assembled ahead of time on a thread.
//!
//! The order of an epoch depends on the seed and the epoch alone, and an image's augmentation on
//! seed, epoch and index, so a run that resumes at batch `b` of epoch `e` sees the very bits that
//! an uninterrupted run would have seen.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::augmentation::Augmentation;
use super::batch::Batch;
use super::dataset::{Dataset, SharedDataset};
use super::error::{DataError, Result};
use super::random::{Purpose, Stream};

/// How an epoch is cut into batches.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchPlan {
    /// Images a batch.
    pub batch_size: usize,
    /// Names the random streams.
    pub seed: u64,
    /// Which epoch; another epoch is another order and other augmentation.
    pub epoch: u64,
    /// Random order; otherwise that of the data set.
    pub shuffle: bool,
    /// Leaves out a last batch that is not full.
    pub drop_last: bool,
    /// First batch to give, for a resume within an epoch.
    pub start: usize,
    /// Changes made to each image.
    pub augmentation: Augmentation,
    /// Batches prepared ahead; at least 1.
    pub prefetch: usize,
}

impl BatchPlan {
    /// Training: shuffled, full batches only, two ahead, without augmentation.
    pub fn train(batch_size: usize, seed: u64, epoch: u64) -> Self {
        BatchPlan {
            batch_size,
            seed,
            epoch,
            shuffle: true,
            drop_last: true,
            start: 0,
            augmentation: Augmentation::default(),
            prefetch: 2,
        }
    }

    /// Evaluation: every image once, in the order of the set.
    pub fn evaluate(batch_size: usize) -> Self {
        BatchPlan { shuffle: false, drop_last: false, ..BatchPlan::train(batch_size, 0, 0) }
    }

    /// Number of batches in a whole epoch of `images` images.
    pub fn batches(&self, images: usize) -> usize {
        if self.drop_last { images / self.batch_size } else { images.div_ceil(self.batch_size) }
    }

    /// The order of the images in this epoch.
    pub fn order(&self, images: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..images).collect();
        if self.shuffle {
            Stream::new(self.seed, Purpose::Order, self.epoch, 0).shuffle(&mut order);
        }
        order
    }

    fn check(&self, dataset: &dyn Dataset) -> Result<()> {
        let invalid =
            |what, expected: String, found: usize| Err(DataError::Invalid { what, expected, found: found.to_string() });
        let most = if self.drop_last { dataset.len() } else { usize::MAX };
        if self.batch_size == 0 || self.batch_size > most {
            return invalid("batch size", format!("1 to {most} (images in the set)"), self.batch_size);
        }
        if self.prefetch == 0 {
            return invalid("batches prepared ahead", "at least 1".into(), 0);
        }
        if self.start > self.batches(dataset.len()) {
            return invalid("first batch", format!("at most {}", self.batches(dataset.len())), self.start);
        }
        self.augmentation.check(dataset.shape())
    }

    /// Assembles the images at `indices`, on all threads.
    fn assemble(&self, dataset: &dyn Dataset, number: usize, indices: Vec<usize>) -> Result<Batch> {
        let shape = dataset.shape();
        let mut images = vec![0; indices.len() * shape.bytes()];
        let read = |(&index, pixels): (&usize, &mut [u8])| {
            self.augmentation.read(dataset, index, self.seed, self.epoch, pixels)
        };
        let shifts = indices.par_iter().zip(images.par_chunks_exact_mut(shape.bytes())).map(read).collect::<Vec<_>>();
        // In order, so that of several errors the first image's is told.
        let shifts = shifts.into_iter().collect::<Result<Vec<[f32; 3]>>>()?;
        let colour_shift = match self.augmentation.colours {
            Some(_) => shifts.iter().flat_map(|shift| &shift[..shape.channels]).copied().collect(),
            None => Vec::new(),
        };
        let labels = indices.iter().map(|&index| dataset.label(index) as i64).collect();
        Ok(Batch { number, indices, shape, images, labels, colour_shift })
    }
}

/// The batches of one epoch. Gives an error once and then ends.
pub struct Batches {
    receiver: Option<Receiver<Result<Batch>>>,
    worker: Option<JoinHandle<()>>,
    next: usize,
    total: usize,
}

impl Batches {
    /// Starts the thread that assembles batches.
    ///
    /// # Errors
    /// [`DataError::Invalid`] where the plan does not fit the data set; [`DataError::WorkerStopped`]
    /// where no thread can be started.
    pub fn new(dataset: SharedDataset, plan: BatchPlan) -> Result<Self> {
        plan.check(&*dataset)?;
        let total = plan.batches(dataset.len());
        let start = plan.start;
        let (sender, receiver) = sync_channel(plan.prefetch - 1);
        let work = move || {
            let order = plan.order(dataset.len());
            for (number, indices) in order.chunks(plan.batch_size).enumerate().take(total).skip(start) {
                let batch = plan.assemble(&*dataset, number, indices.to_vec());
                let failed = batch.is_err();
                // A closed channel means that nobody wants the rest.
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        };
        let worker = std::thread::Builder::new()
            .name("batches".into())
            .spawn(work)
            .map_err(|error| DataError::WorkerStopped { batch: start, reason: format!("cannot start: {error}") })?;
        Ok(Batches { receiver: Some(receiver), worker: Some(worker), next: start, total })
    }

    /// Number of batches in the whole epoch, those before the start included.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Waits for the thread; what it said if it panicked.
    fn join(&mut self) -> Option<String> {
        // Closing the channel first frees a worker that waits to send.
        self.receiver = None;
        let panic = std::panic::catch_unwind(AssertUnwindSafe(|| self.worker.take().map(JoinHandle::join)));
        match panic {
            Ok(Some(Err(cause))) => Some(
                (cause.downcast_ref::<&str>().map(|text| (*text).to_string()))
                    .or_else(|| cause.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "it panicked".into()),
            ),
            Ok(_) => None,
            Err(_) => Some("it could not be waited for".into()),
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let received = self.receiver.as_ref()?.recv();
        match received {
            Ok(Ok(batch)) => {
                self.next = batch.number + 1;
                Some(Ok(batch))
            }
            Ok(Err(error)) => {
                self.join();
                Some(Err(error))
            }
            Err(_) => {
                let panic = self.join();
                if self.next >= self.total && panic.is_none() {
                    return None;
                }
                let reason = panic.unwrap_or_else(|| "it ended early".into());
                Some(Err(DataError::WorkerStopped { batch: self.next, reason }))
            }
        }
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.join();
    }
}

/// The whole of an evaluation set in batches of at most `batch_size`.
///
/// # Errors
/// As [`Batches::new`].
pub fn evaluation_batches(dataset: &SharedDataset, batch_size: usize) -> Result<Batches> {
    Batches::new(Arc::clone(dataset), BatchPlan::evaluate(batch_size))
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
