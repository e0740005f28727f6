//! Accuracy of a network by time step.

use crate::data::{Batch, BatchPlan, Batches, SharedDataset};
use crate::decoders::DecoderTally;
use crate::error::{Result, TrainerError};
use crate::executor::{Ablation, Executor, RunOptions};
use crate::parameters::to_f32;
use crate::sequence::{Scenes, Sequence};
use crate::workers::{Workers, share};
use convrnn_graph::{Presentation, Shape, StepGraph, UnrollPlan, Wanted};
use convrnn_models::Preprocessing;
use convrnn_models::checkpoint::Description;
use serde::Serialize;
use std::sync::Arc;
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
    evaluate_sequence(workers, parameters, images, preprocessing, presentation, &Sequence::Still, ablation)
}

/// The same with images that move or follow each other. Steps count from the moment an image appears.
/// Images of a stream are in random order, the same at every call.
pub fn evaluate_sequence(
    workers: &mut Workers,
    parameters: &[Tensor],
    images: &SharedDataset,
    preprocessing: &Preprocessing,
    presentation: &Presentation,
    sequence: &Sequence,
    ablation: Ablation,
) -> Result<Evaluation> {
    evaluate_decoded(workers, parameters, images, preprocessing, presentation, sequence, ablation, None)
}

/// The same with decoders over time, which count every image in the same pass.
#[allow(clippy::too_many_arguments)]
pub fn evaluate_decoded(
    workers: &mut Workers,
    parameters: &[Tensor],
    images: &SharedDataset,
    preprocessing: &Preprocessing,
    presentation: &Presentation,
    sequence: &Sequence,
    ablation: Ablation,
    mut decoders: Option<&mut DecoderTally>,
) -> Result<Evaluation> {
    let steps = presentation.steps;
    let mut evaluation = Evaluation { images: 0, correct: vec![0; steps], loss: vec![0.0; steps] };
    let options = RunOptions { ablation, ..RunOptions::new(Wanted::EveryLogits) };
    let per_run = sequence.images_per_run();
    let batch_size = (EVALUATION_BATCH * workers.count() / per_run).max(1) * per_run;
    // Sets are often sorted by class, which would make streams of one class.
    let plan = BatchPlan { shuffle: per_run > 1, ..BatchPlan::evaluate(batch_size) };
    for batch in Batches::new(Arc::clone(images), plan)? {
        let batch = batch?;
        let scenes = Scenes::new(&batch, preprocessing, workers.executor(), sequence, (0, 0))?;
        let (runs, rest) = (scenes.len() / per_run as i64, scenes.len() % per_run as i64);
        let ranges = workers.ranges(runs).into_iter().filter(|(start, end)| end > start);
        let whole = ranges.map(|(start, end)| (start * per_run as i64, end * per_run as i64, *sequence)).collect();
        // The last images of the set may be too few for a stream.
        let rest = match rest {
            0 => Vec::new(),
            rest => vec![(scenes.len() - rest, scenes.len(), sequence.with_images(rest as usize))],
        };
        let mut parts = Vec::new();
        for ranges in [whole, rest] {
            let inputs = ranges
                .into_iter()
                .map(|(start, end, sequence)| Ok((share(parameters), scenes.rows(start, end)?, sequence)))
                .collect::<Result<Vec<_>, TchError>>()?;
            parts.extend(workers.map(inputs, |executor, (parameters, scenes, sequence)| {
                tch::no_grad(|| {
                    let frames = scenes.frames(&sequence, presentation)?;
                    let run = executor.run_frames(&parameters, &frames, options)?;
                    let logits = run.every_logits(frames.batch())?;
                    let labels = scenes.labels_by_run(&sequence)?;
                    Ok((score(&logits, &labels, steps)?, logits, labels))
                })
            })?);
        }
        for (scores, logits, labels) in parts {
            for (step, (correct, loss)) in scores.into_iter().enumerate() {
                evaluation.correct[step] += correct;
                evaluation.loss[step] += loss;
            }
            if let Some(tally) = decoders.as_deref_mut() {
                let classes = logits.size()[2] as usize;
                let labels = Vec::<i64>::try_from(labels.f_flatten(0, -1)?)?;
                for (image, label) in to_f32(&logits)?.chunks_exact(steps * classes).zip(labels) {
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

/// Right answers and the sum of the loss, by time step since an image appeared, of logits
/// `[runs, images * steps, classes]` and labels `[runs, images]`.
fn score(logits: &Tensor, labels: &Tensor, steps: usize) -> Result<Vec<(u64, f64)>, TchError> {
    let mut scores = vec![(0, 0.0); steps];
    for image in 0..labels.size()[1] {
        let labels = labels.f_select(1, image)?;
        for (step, (correct, loss)) in scores.iter_mut().enumerate() {
            let logits = logits.f_select(1, image * steps as i64 + step as i64)?;
            let right = logits.f_argmax(-1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
            let entropy = logits.f_cross_entropy_loss::<Tensor>(&labels, None, tch::Reduction::Sum, -100, 0.0)?;
            *correct += right as u64;
            *loss += entropy.f_double_value(&[])?;
        }
    }
    Ok(scores)
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
            hint: if found.channels != graph.frame.channels {
                format!(
                    "read images with `,channels={}` after folder:PATH, or choose an architecture for {}",
                    graph.frame.channels,
                    if found.channels == 1 { "gray images" } else { "colour images" }
                )
            } else {
                format!(
                    "scale images with `,size={}` after folder:PATH or rendered, or choose an architecture for this size",
                    graph.frame.height
                )
            },
        });
    }
    Ok(())
}

/// Verifies that a data set fits a network that is not trained yet.
pub fn check_fit(graph: &StepGraph, images: &SharedDataset) -> Result<()> {
    check_frame(graph, images)?;
    let classes = images.class_names().len();
    check_number(graph, images, || format!("give --classes {classes}, or data with as many classes as the network has"))
}

fn check_number(graph: &StepGraph, images: &SharedDataset, hint: impl Fn() -> String) -> Result<()> {
    let classes = images.class_names().len();
    if classes != graph.classes() {
        return Err(TrainerError::Invalid {
            what: "classes of the data set",
            expected: format!("{} (the logits of {})", graph.classes(), graph.name),
            found: classes.to_string(),
            hint: hint(),
        });
    }
    Ok(())
}

/// Verifies that a data set fits a trained network, class names included.
pub fn check_classes(graph: &StepGraph, description: &Description, images: &SharedDataset) -> Result<()> {
    check_frame(graph, images)?;
    let classes = images.class_names().len();
    check_number(graph, images, || {
        format!(
            "show it images of the classes that it was trained on, or train a network for these with `convrnn-train train \
             --classes {classes}`"
        )
    })?;
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
