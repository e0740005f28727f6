//! One epoch: batches, update, measurement.

use super::accumulation::Accumulation;
use super::{Event, Flow, Trainer};
use crate::data::{Batch, BatchPlan, Batches, SharedDataset};
use crate::error::{Result, TrainerError};
use crate::evaluation::{evaluate_sequence, frames};
use crate::executor::{Ablation, Frames, Normalization};
use crate::gradient::{Gradients, Objective, first_not_finite, gradients, update_statistics};
use crate::measurement::Measurement;
use crate::metrics::EpochMetrics;
use crate::run_folder::LAST;
use crate::selection::{MeasuredSplit, SelectionImages};
use crate::sequence::Scenes;
use crate::settings::{LastBatch, parse_device};
use crate::workers::Workers;
use convrnn_models::checkpoint::Description;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::Kind;

/// A mean loss above this, for each unit of weight, is an explosion: chance is `ln(classes)`, below 10
/// for any data set.
const LARGEST_LOSS: f64 = 1e3;

impl Trainer {
    /// Goes on to the end of the epoch under way, or until an observer stops it.
    ///
    /// The state moves on by whole training steps only: where several batches make one, a run that stops
    /// between them does the step again from its first batch.
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
            drop_last: settings.last_batch == LastBatch::Drop,
            ..BatchPlan::train(settings.batch, settings.seed, self.state.epoch as u64)
        };
        let batches = Batches::new(Arc::clone(&self.train), plan)?;
        let total = batches.total();
        let save_every = Duration::from_secs_f64(settings.save_every);
        let rate_of = |trainer: &Self, step: u64| settings.rate(&trainer.state, step, total);
        // That of the last update: a run stopped after it has no other left in this epoch.
        let mut rate = rate_of(self, self.state.step.saturating_sub(1));
        let mut saved = Instant::now();
        let mut accumulation = Accumulation::default();
        for batch in batches {
            let started = Instant::now();
            let batch = batch?;
            let gradients = self.gradients(&mut workers, &batch)?;
            accumulation.add(gradients, batch.len())?;
            accumulation.spend(started.elapsed().as_secs_f64());
            let done = self.state.batch + accumulation.batches();
            let sums = self.state.sums.plus(accumulation.sums());
            if accumulation.batches() == settings.accumulate || done == total {
                // Here and not after the update: these weights have just given a sensible loss.
                if saved.elapsed() >= save_every {
                    self.save(LAST)?;
                    saved = Instant::now();
                }
                let started = Instant::now();
                rate = rate_of(self, self.state.step);
                self.update(std::mem::take(&mut accumulation), rate)?;
                self.state.batch = done;
                self.state.step += 1;
                self.state.sums = sums;
                self.state.sums.seconds += started.elapsed().as_secs_f64();
            }
            let event = Event::Batch {
                epoch: self.state.epoch + 1,
                batch: done,
                batches: total,
                loss: sums.loss / sums.images as f64,
                accuracy: sums.correct as f64 / sums.images as f64,
            };
            if observer(&event) == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        self.finish_epoch(&mut workers, rate, observer)
    }

    /// Loss and gradients of one batch; an error where they are no sensible numbers.
    fn gradients(&self, workers: &mut Workers, batch: &Batch) -> Result<Gradients> {
        let Description { preprocessing, presentation, .. } = &self.training.description;
        let settings = &self.training.settings;
        let sequence = &settings.sequence;
        let names = (settings.seed, self.state.epoch as u64);
        let scenes = Scenes::new(batch, preprocessing, workers.executor(), sequence, names)?;
        let (trimming, precision, loss) = (settings.trimming, settings.precision, &settings.loss);
        let objective = Objective { presentation, sequence, loss, trimming, precision };
        workers.quantize(self.integers(&self.parameters)?.as_ref());
        let result = gradients(workers, &self.parameters, &scenes, &objective)?;
        let reason = if !result.loss.is_finite() || result.loss > LARGEST_LOSS * settings.loss.total_weight() {
            Some(format!("the loss is {}", result.loss))
        } else {
            let name = first_not_finite(&self.graph, &result.gradients)?;
            name.map(|name| format!("the loss is {}, but the gradient of {name} is not finite", result.loss))
        };
        let Some(reason) = reason else { return Ok(result) };
        let frames = scenes.frames(sequence, presentation)?;
        let (executor, loss) = (workers.executor(), result.loss);
        Err(self.explain_explosion(executor, &self.parameters, &frames, Normalization::Batch, reason, loss)?)
    }

    /// One training step.
    fn update(&mut self, mut accumulation: Accumulation, rate: f64) -> Result<()> {
        self.optimizer.step(&mut self.parameters, &accumulation.gradients()?, rate)?;
        for statistics in accumulation.statistics() {
            update_statistics(&self.graph, &mut self.parameters, statistics)?;
        }
        if let Some(average) = &mut self.average {
            average.update(&self.parameters, self.state.step + 1)?;
        }
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
        let sequence = &self.training.settings.sequence;
        workers.quantize(self.integers(self.parameters())?.as_ref());
        let measured = match &self.selection {
            Some(SelectionImages { split, images }) => {
                let (parameters, none) = (self.parameters(), Ablation::None);
                let evaluation =
                    evaluate_sequence(workers, parameters, images, preprocessing, presentation, sequence, none)?;
                let loss = evaluation.loss[presentation.steps - 1];
                if !loss.is_finite() || loss > LARGEST_LOSS {
                    return Err(self.explain_evaluation(workers, *split, images, loss)?);
                }
                let (accuracy, accuracy_by_step) = (evaluation.last_accuracy(), evaluation.accuracy());
                Some(Measurement { split: *split, loss, accuracy, accuracy_by_step })
            }
            None => None,
        };
        let sums = std::mem::take(&mut self.state.sums);
        self.state.seconds += sums.seconds + started.elapsed().as_secs_f64();
        self.state.epoch += 1;
        self.state.batch = 0;
        // Where no images choose, the latest weights are the best.
        let is_best = match &measured {
            Some(Measurement { accuracy, loss, .. }) => {
                self.training.settings.schedule.observe(&mut self.state.schedule, 1.0 - accuracy);
                self.state.observe(*accuracy, *loss)
            }
            None => true,
        };
        let shown = self.selection.as_ref().map_or(&self.train, |selection| &selection.images);
        let state_norms = match crate::state_norms::batch(shown)? {
            Some(batch) => crate::state_norms::measure(workers.executor(), self.parameters(), description, &batch)?,
            None => Vec::new(),
        };
        let images = sums.images.max(1) as f64;
        self.metrics.push(EpochMetrics {
            epoch: self.state.epoch,
            step: self.state.step,
            learning_rate: rate,
            train_loss: sums.loss / images,
            train_accuracy: sums.correct as f64 / images,
            measured,
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

    /// Where the images that choose explode, shown one by one and still.
    fn explain_evaluation(
        &self,
        workers: &Workers,
        split: MeasuredSplit,
        images: &SharedDataset,
        loss: f64,
    ) -> Result<TrainerError> {
        let Description { preprocessing, presentation, .. } = &self.training.description;
        let (executor, parameters) = (workers.executor(), self.parameters());
        let reason = format!("the loss of the {} images is {loss}", split.name());
        let explain = |frames: &Frames| {
            self.explain_explosion(executor, parameters, frames, Normalization::Running, reason.clone(), loss)
        };
        let mut found = None;
        for batch in crate::data::batches::evaluation_batches(images, 64)? {
            let images = frames(&batch?, preprocessing, executor)?;
            let mut error = explain(&Frames::presented(&images, presentation))?;
            let mut is_exploded = false;
            if let TrainerError::Exploded(explosion) = &mut error {
                // The step before gave these weights.
                explosion.step = self.state.step;
                is_exploded = explosion.is_exploded;
            }
            if is_exploded || found.is_none() {
                found = Some(error);
            }
            if is_exploded {
                break;
            }
        }
        Ok(found.expect("a data set has an image"))
    }
}
