//! One epoch: batches, update, measurement.

use super::{Event, Flow, Trainer};
use crate::data::{Batch, BatchPlan, Batches};
use crate::error::Result;
use crate::evaluation::{evaluate, frames};
use crate::executor::Ablation;
use crate::gradient::{gradients, update_statistics};
use crate::metrics::{EpochMetrics, EpochSums};
use crate::run_folder::LAST;
use crate::settings::parse_device;
use crate::workers::Workers;
use convrnn_models::checkpoint::Description;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::{Kind, Tensor};

/// A mean loss above this is an explosion: chance is `ln(classes)`, below 10 for any data set.
const LARGEST_LOSS: f64 = 1e3;
/// Time between checkpoints within an epoch.
const SAVE_INTERVAL: Duration = Duration::from_secs(300);

impl Trainer {
    /// Goes on to the end of the epoch under way, or until an observer stops it.
    pub(super) fn epoch(&mut self, observer: &mut dyn FnMut(&Event) -> Flow) -> Result<Flow> {
        // The executor borrows the graph while the weights change.
        let graph = self.graph.clone();
        let settings = self.training.settings.clone();
        let device = parse_device(&settings.device)?;
        let mut workers = Workers::new(&graph, Kind::Float, device, settings.threads)?;
        let plan = BatchPlan {
            start: self.state.batch,
            augmentation: self.augmentation.clone(),
            prefetch: 3,
            ..BatchPlan::train(settings.batch, settings.seed, self.state.epoch as u64)
        };
        let batches = Batches::new(Arc::clone(&self.train), plan)?;
        let total = batches.total();
        let all_steps = (total * settings.epochs).max(1);
        let mut rate = 0.0;
        let mut saved = Instant::now();
        for batch in batches {
            let started = Instant::now();
            let progress = self.state.step as f64 / all_steps as f64;
            let factor = settings.schedule.factor(&self.state.schedule, self.state.epoch, progress);
            rate = settings.learning_rate_at(factor, self.state.step, total);
            let batch = batch?;
            self.train_on(&mut workers, &batch, rate)?;
            self.state.batch += 1;
            self.state.step += 1;
            self.state.sums.seconds += started.elapsed().as_secs_f64();
            let sums = self.state.sums;
            let event = Event::Batch {
                epoch: self.state.epoch + 1,
                batch: self.state.batch,
                batches: total,
                loss: sums.loss / sums.images as f64,
                accuracy: sums.correct as f64 / sums.images as f64,
            };
            if observer(&event) == Flow::Stop {
                return Ok(Flow::Stop);
            }
            if saved.elapsed() > SAVE_INTERVAL {
                self.save(LAST)?;
                saved = Instant::now();
            }
        }
        self.finish_epoch(&mut workers, rate, observer)
    }

    /// One update. The loss is the cross-entropy of the last time step's logits.
    fn train_on(&mut self, workers: &mut Workers, batch: &Batch, rate: f64) -> Result<()> {
        let Description { preprocessing, presentation, .. } = &self.training.description;
        let frames = frames(batch, preprocessing, workers.executor())?;
        let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(workers.executor().device())?;
        let trimming = self.training.settings.trimming;
        let result = gradients(workers, &self.parameters, &frames, &labels, presentation, trimming)?;
        if !result.loss.is_finite() || result.loss > LARGEST_LOSS {
            return Err(self.explain_explosion(workers.executor(), &frames, result.loss)?);
        }
        self.optimizer.step(&mut self.parameters, &result.gradients, rate)?;
        update_statistics(&self.graph, &mut self.parameters, &result.statistics)?;
        let EpochSums { loss, correct, images, .. } = &mut self.state.sums;
        *loss += result.loss * batch.len() as f64;
        *correct += result.correct;
        *images += batch.len() as u64;
        Ok(())
    }

    fn finish_epoch(
        &mut self,
        workers: &mut Workers,
        rate: f64,
        observer: &mut dyn FnMut(&Event) -> Flow,
    ) -> Result<Flow> {
        let started = Instant::now();
        let description = &self.training.description;
        let (preprocessing, presentation) = (&description.preprocessing, &description.presentation);
        let evaluation = evaluate(workers, &self.parameters, &self.test, preprocessing, presentation, Ablation::None)?;
        let sums = std::mem::take(&mut self.state.sums);
        let last = presentation.steps - 1;
        if !evaluation.loss[last].is_finite() {
            let batch = crate::data::batches::evaluation_batches(&self.test, 1)?.next().transpose()?;
            if let Some(batch) = batch {
                let frames = frames(&batch, preprocessing, workers.executor())?;
                return Err(self.explain_explosion(workers.executor(), &frames, evaluation.loss[last])?);
            }
        }
        self.state.seconds += sums.seconds + started.elapsed().as_secs_f64();
        self.state.epoch += 1;
        self.state.batch = 0;
        let accuracy = evaluation.last_accuracy();
        self.training.settings.schedule.observe(&mut self.state.schedule, 1.0 - accuracy);
        let is_best = self.state.best_accuracy.is_none_or(|best| accuracy > best);
        if is_best {
            self.state.best_accuracy = Some(accuracy);
        }
        let state_norms = match crate::state_norms::batch(&self.test)? {
            Some(batch) => crate::state_norms::measure(workers.executor(), &self.parameters, description, &batch)?,
            None => Vec::new(),
        };
        let images = sums.images.max(1) as f64;
        self.metrics.push(EpochMetrics {
            epoch: self.state.epoch,
            step: self.state.step,
            learning_rate: rate,
            train_loss: sums.loss / images,
            train_accuracy: sums.correct as f64 / images,
            test_loss: evaluation.loss[last],
            test_accuracy: accuracy,
            test_accuracy_by_step: evaluation.accuracy(),
            state_norms,
            images_per_second: images / sums.seconds.max(1e-9),
            seconds: self.state.seconds,
        });
        self.save_epoch(is_best)?;
        match self.metrics.last() {
            Some(metrics) => Ok(observer(&Event::Epoch(metrics))),
            None => Ok(Flow::Continue),
        }
    }
}
