//! The batches of one training step: their gradients are averaged over images.

use crate::executor::Statistics;
use crate::gradient::{Gradients, add_gradients};
use crate::metrics::EpochSums;
use tch::{TchError, Tensor};

/// What the batches of the step under way have given so far. It is never saved: a run that stops within a
/// step goes on from the step's first batch.
#[derive(Debug, Default)]
pub(super) struct Accumulation {
    batches: usize,
    /// Images of the first batch, and of all in units of that one.
    first: usize,
    weight: f64,
    gradients: Vec<Option<Tensor>>,
    statistics: Vec<Vec<Option<Statistics>>>,
    sums: EpochSums,
}

impl Accumulation {
    /// Takes a batch of `images` images.
    pub fn add(&mut self, mut batch: Gradients, images: usize) -> Result<(), TchError> {
        self.batches += 1;
        if self.first == 0 {
            self.first = images;
        }
        // A batch counts by its images; the last one of an epoch may have fewer.
        if images == self.first {
            self.weight += 1.0;
        } else {
            let weight = images as f64 / self.first as f64;
            self.weight += weight;
            for gradient in batch.gradients.iter_mut().flatten() {
                *gradient = gradient.f_mul_scalar(weight)?;
            }
        }
        if self.gradients.is_empty() {
            self.gradients = batch.gradients;
        } else {
            add_gradients(&mut self.gradients, batch.gradients)?;
        }
        self.statistics.push(batch.statistics);
        self.sums.loss += batch.loss * images as f64;
        self.sums.correct += batch.correct;
        self.sums.images += images as u64;
        Ok(())
    }

    /// Number of batches taken.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Loss, right answers and images so far.
    pub fn sums(&self) -> EpochSums {
        self.sums
    }

    /// Counts time spent on these batches.
    pub fn spend(&mut self, seconds: f64) {
        self.sums.seconds += seconds;
    }

    /// What normalisations measured, batch by batch and node by node.
    pub fn statistics(&self) -> &[Vec<Option<Statistics>>] {
        &self.statistics
    }

    /// Mean gradients over the images of all batches.
    pub fn gradients(&mut self) -> Result<Vec<Option<Tensor>>, TchError> {
        let weight = self.weight;
        let mean = |gradient: Option<Tensor>| match gradient {
            Some(gradient) if self.batches > 1 => gradient.f_div_scalar(weight).map(Some),
            gradient => Ok(gradient),
        };
        std::mem::take(&mut self.gradients).into_iter().map(mean).collect()
    }
}
