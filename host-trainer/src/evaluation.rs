//! Accuracy of a network by time step.

use crate::data::batches::evaluation_batches;
use crate::data::{Batch, SharedDataset};
use crate::decoders::DecoderTally;
use crate::error::{Result, TrainerError};
use crate::executor::{Ablation, Executor, RunOptions};
use crate::parameters::to_f32;
use crate::workers::{Workers, share};
use convrnn_graph::{Presentation, Shape, StepGraph, UnrollPlan, Wanted};
use convrnn_models::Preprocessing;
use convrnn_models::checkpoint::Description;
use serde::Serialize;
use tch::{Kind, TchError, Tensor};

/// Images in a batch when gradients are not wanted.
pub const EVALUATION_BATCH: usize = 250;

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of images.
    pub images: u64,
    /// Images answered right, by time step from step 1.
    pub correct: Vec<u64>,
    /// Mean cross-entropy, by time step, in nats.
    pub loss: Vec<f64>,
}

impl Evaluation {
    /// Share of images answered right, by time step.
    pub fn accuracy(&self) -> Vec<f64> {
        self.correct.iter().map(|&correct| correct as f64 / self.images as f64).collect()
    }

    /// Share of images answered right at the last time step.
    pub fn last_accuracy(&self) -> f64 {
        self.accuracy().last().copied().unwrap_or(0.0)
    }
}

/// Frames of a batch as the network sees them, `[batch, channels, height, width]`.
pub fn frames(batch: &Batch, preprocessing: &Preprocessing, executor: &Executor) -> Result<Tensor, TchError> {
    let values = batch.normalized(preprocessing);
    let Shape { channels, height, width } = preprocessing.shape();
    let size = [batch.len(), channels, height, width].map(|extent| extent as i64);
    Tensor::f_from_slice(&values)?.f_view(size)?.f_to_device(executor.device())?.f_to_kind(executor.kind())
}

/// Runs a whole data set, `EVALUATION_BATCH` images a worker at a time.
pub fn evaluate(
    workers: &mut Workers,
    parameters: &[Tensor],
    images: &SharedDataset,
    preprocessing: &Preprocessing,
    presentation: &Presentation,
    ablation: Ablation,
) -> Result<Evaluation> {
    evaluate_with_decoders(workers, parameters, images, preprocessing, presentation, ablation, None)
}

/// The same, with decoders over time that count every image in the same pass.
pub fn evaluate_with_decoders(
    workers: &mut Workers,
    parameters: &[Tensor],
    images: &SharedDataset,
    preprocessing: &Preprocessing,
    presentation: &Presentation,
    ablation: Ablation,
    mut decoders: Option<&mut DecoderTally>,
) -> Result<Evaluation> {
    let steps = presentation.steps;
    let mut evaluation = Evaluation { images: 0, correct: vec![0; steps], loss: vec![0.0; steps] };
    let options = RunOptions { ablation, ..RunOptions::new(Wanted::EveryLogits) };
    for batch in evaluation_batches(images, EVALUATION_BATCH * workers.count())? {
        let batch = batch?;
        let device = workers.executor().device();
        let frames = frames(&batch, preprocessing, workers.executor())?;
        let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(device)?;
        let parts = workers
            .ranges(batch.len() as i64)
            .into_iter()
            .map(|(start, end)| {
                let rows = |tensor: &Tensor| tensor.f_narrow(0, start, end - start);
                Ok((share(parameters), rows(&frames)?, rows(&labels)?))
            })
            .collect::<Result<Vec<_>, TchError>>()?;
        let parts = workers.map(parts, |executor, (parameters, frames, labels)| {
            tch::no_grad(|| {
                let run = executor.run(&parameters, &frames, presentation, options)?;
                let logits = run.every_logits(frames.size()[0])?;
                Ok((score(&logits, &labels)?, logits))
            })
        })?;
        let mut labels = batch.labels.iter();
        for (scores, logits) in parts {
            for (step, (correct, loss)) in scores.into_iter().enumerate() {
                evaluation.correct[step] += correct;
                evaluation.loss[step] += loss;
            }
            if let Some(tally) = decoders.as_deref_mut() {
                let classes = logits.size()[2] as usize;
                for (image, &label) in to_f32(&logits)?.chunks_exact(steps * classes).zip(labels.by_ref()) {
                    tally.add(image, classes, label as usize);
                }
            }
        }
        evaluation.images += batch.len() as u64;
    }
    for loss in &mut evaluation.loss {
        *loss /= evaluation.images as f64;
    }
    Ok(evaluation)
}

/// The first step (from 1) whose logits can differ between images.
///
/// # Errors
/// [`TrainerError::Invalid`] where the run ends before it.
pub fn first_image_step(graph: &StepGraph, presentation: &Presentation) -> Result<usize> {
    let plan = UnrollPlan::new(graph, presentation, Wanted::EveryLogits);
    plan.first_image_driven(graph.logits).ok_or_else(|| TrainerError::Invalid {
        what: "--steps",
        expected: format!("enough steps for the image to reach the logits of {}", graph.name),
        found: presentation.steps.to_string(),
        hint: "give more --steps; `convrnn-train info` says how many are needed".into(),
    })
}

/// Right answers and the sum of the loss, by time step, of logits `[batch, steps, classes]`.
fn score(logits: &Tensor, labels: &Tensor) -> Result<Vec<(u64, f64)>, TchError> {
    let step = |step| {
        let logits = logits.f_select(1, step)?;
        let right = logits.f_argmax(-1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        let loss = logits.f_cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Sum, -100, 0.0)?;
        Ok((right as u64, loss.f_double_value(&[])?))
    };
    (0..logits.size()[1]).map(step).collect()
}

/// Verifies that images have the shape of a network's frame.
pub fn check_frame(graph: &StepGraph, images: &SharedDataset) -> Result<()> {
    let shape = images.shape();
    let found = Shape::new(shape.channels, shape.height, shape.width);
    if found != graph.frame {
        return Err(TrainerError::Invalid {
            what: "images of the data set",
            expected: format!("{} (channels x height x width, the input of {})", graph.frame, graph.name),
            found: found.to_string(),
            hint: format!(
                "scale images with `,size={}` after folder:PATH or rendered, or choose an architecture for this size",
                graph.frame.height
            ),
        });
    }
    Ok(())
}

/// Verifies that a data set fits a network.
pub fn check_fit(graph: &StepGraph, images: &SharedDataset) -> Result<()> {
    check_frame(graph, images)?;
    let classes = images.class_names().len();
    if classes != graph.classes() {
        return Err(TrainerError::Invalid {
            what: "classes of the data set",
            expected: format!("{} (the logits of {})", graph.classes(), graph.name),
            found: classes.to_string(),
            hint: "change the channels of the architecture's last layer to the number of classes".into(),
        });
    }
    Ok(())
}

/// Verifies that a data set fits a trained network, class names included.
pub fn check_classes(graph: &StepGraph, description: &Description, images: &SharedDataset) -> Result<()> {
    check_fit(graph, images)?;
    if images.class_names() != description.class_names {
        return Err(TrainerError::Invalid {
            what: "class names of the data set",
            expected: description.class_names.join(", "),
            found: images.class_names().join(", "),
            hint: "the network was trained with other classes or in another order".into(),
        });
    }
    Ok(())
}
