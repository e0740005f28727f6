//! Loss and gradients of one batch.

use crate::executor::{Normalization, Precision, RunOptions, Statistics};
use crate::loss::LossSettings;
use crate::sequence::{Scenes, Sequence};
use crate::workers::{Workers, share};
use convrnn_graph::{Operation, Presentation, StepGraph, Wanted};
use tch::{Kind, TchError, Tensor};

/// How images are shown, what is asked of the network, and how it is computed.
#[derive(Clone, Copy, Debug)]
pub struct Objective<'a> {
    /// How long each image is on show.
    pub presentation: &'a Presentation,
    /// What it does meanwhile.
    pub sequence: &'a Sequence,
    /// Which steps count.
    pub loss: &'a LossSettings,
    /// Whether work is skipped where the result is the same.
    pub trimming: bool,
    /// What convolutions multiply in.
    pub precision: Precision,
}

/// What one batch gives.
#[derive(Debug)]
pub struct Gradients {
    /// Mean loss over the images, in nats.
    pub loss: f64,
    /// Images answered right at the last time step of their presentation.
    pub correct: u64,
    /// One tensor a parameter, in the graph's order; none where it cannot reach the loss.
    pub gradients: Vec<Option<Tensor>>,
    /// By node of the graph: what a normalisation measured.
    pub statistics: Vec<Option<Statistics>>,
}

/// Computes loss and gradients, the batch divided among the workers. The parts are added in order,
/// so that the result depends on the number of workers alone and not on their timing.
///
/// A network with normalisations takes the batch as a whole, so that their statistics are those of the batch; libtorch then
/// spreads each operation over as many threads.
///
/// The last step of each presentation is computed also where it does not count, for the accuracy.
pub fn gradients(
    workers: &mut Workers,
    parameters: &[Tensor],
    scenes: &Scenes,
    objective: &Objective,
) -> Result<Gradients, TchError> {
    let Objective { presentation, sequence, loss, trimming, precision } = *objective;
    let (total, per_run) = (scenes.len(), sequence.images_per_run() as i64);
    let is_norm = |node: &convrnn_graph::Node| matches!(node.operation, Operation::BatchNorm(_));
    let is_whole = workers.executor().graph().nodes.iter().any(is_norm);
    let ranges = if is_whole { vec![(0, total / per_run)] } else { workers.ranges(total / per_run) };
    tch::set_num_threads(if is_whole { workers.count() as i32 } else { 1 });
    let parts = ranges
        .into_iter()
        .map(|(start, end)| Ok((share(parameters), scenes.rows(start * per_run, end * per_run)?)))
        .collect::<Result<Vec<_>, TchError>>()?;
    let terms = loss.terms(presentation.steps);
    let last = presentation.steps;
    let starts = || (0..sequence.images_per_run()).map(|image| image * presentation.steps);
    let wanted: Vec<usize> = starts()
        .flat_map(|start| terms.iter().map(|term| term.step).chain([last]).map(move |step| start + step))
        .collect();
    let options = RunOptions {
        trimming,
        normalization: Normalization::Batch,
        precision,
        ..RunOptions::new(Wanted::LogitsAt(&wanted))
    };
    let count = parts.len() as f64;
    let parts = workers.map(parts, |executor, (parameters, scenes)| {
        let leaves: Vec<Tensor> = parameters
            .into_iter()
            .zip(&executor.graph().parameters)
            .map(|(tensor, parameter)| tensor.set_requires_grad(parameter.group.is_trained()))
            .collect();
        let frames = scenes.frames(sequence, presentation)?;
        let run = executor.run_frames(&leaves, &frames, options)?;
        let labels = scenes.labels_by_run(sequence)?;
        let (mut sum, mut correct) = (Tensor::f_zeros([1], (executor.kind(), executor.device()))?, 0);
        for (image, start) in starts().enumerate() {
            let labels = labels.f_select(1, image as i64)?;
            for term in &terms {
                let logits = run.logits_at(start + term.step, frames.batch())?;
                let entropy = cross_entropy(&logits, &labels, loss.label_smoothing)?;
                sum = sum.f_add(&entropy.f_mul_scalar(term.weight / total as f64)?)?;
            }
            let logits = run.logits_at(start + last, frames.batch())?;
            correct += logits.f_argmax(-1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        }
        sum.f_backward()?;
        let gradients = leaves.iter().map(|leaf| Some(leaf.grad()).filter(Tensor::defined)).collect();
        Ok(Gradients {
            loss: sum.f_double_value(&[0])?,
            correct: correct as u64,
            gradients,
            statistics: run.statistics,
        })
    })?;
    let gradients = parameters.iter().map(|_| None).collect();
    let mut sum = Gradients { loss: 0.0, correct: 0, gradients, statistics: Vec::new() };
    for part in parts {
        sum.statistics = add_statistics(std::mem::take(&mut sum.statistics), part.statistics)?;
        sum.loss += part.loss;
        sum.correct += part.correct;
        add_gradients(&mut sum.gradients, part.gradients)?;
    }
    let mean = |statistics: Option<Statistics>| statistics.map(|sum| sum.divide(count)).transpose();
    sum.statistics = sum.statistics.into_iter().map(mean).collect::<Result<_, _>>()?;
    Ok(sum)
}

/// Sum over a batch of the cross-entropy with smoothed labels, in nats.
fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor, TchError> {
    logits.f_cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Sum, -100, smoothing)
}

/// Adds gradients to sums of gradients.
pub fn add_gradients(sums: &mut [Option<Tensor>], parts: Vec<Option<Tensor>>) -> Result<(), TchError> {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum = match (sum.take(), part) {
            (Some(sum), Some(part)) => Some(sum.f_add(&part)?),
            (sum, part) => sum.or(part),
        };
    }
    Ok(())
}

/// Name of the first parameter whose gradient is not finite.
pub fn first_not_finite<'g>(graph: &'g StepGraph, gradients: &[Option<Tensor>]) -> Result<Option<&'g str>, TchError> {
    let given = gradients
        .iter()
        .zip(&graph.parameters)
        .filter_map(|(gradient, parameter)| Some((gradient.as_ref()?, parameter)));
    let (sums, parameters): (Vec<Tensor>, Vec<_>) = given
        .map(|(gradient, parameter)| Ok((gradient.f_sum(Kind::Double)?, parameter)))
        .collect::<Result<Vec<_>, TchError>>()?
        .into_iter()
        .unzip();
    if sums.is_empty() {
        return Ok(None);
    }
    // One look at the device for all of them. The sum of values with a NaN or an infinity is not finite.
    let sums: Vec<f64> = Vec::try_from(Tensor::f_stack(&sums, 0)?.f_to_device(tch::Device::Cpu)?)?;
    Ok(sums.iter().zip(parameters).find(|(sum, _)| !sum.is_finite()).map(|(_, parameter)| parameter.name.as_str()))
}

fn add_statistics(
    sums: Vec<Option<Statistics>>,
    parts: Vec<Option<Statistics>>,
) -> Result<Vec<Option<Statistics>>, TchError> {
    if sums.is_empty() {
        return Ok(parts);
    }
    let add = |(sum, part): (Option<Statistics>, Option<Statistics>)| match (sum, part) {
        (Some(sum), Some(part)) => sum.plus(&part).map(Some),
        (sum, part) => Ok(sum.or(part)),
    };
    sums.into_iter().zip(parts).map(add).collect()
}

/// Share of a batch's statistics in the running ones, as libtorch's modules have it.
const STATISTICS_MOMENTUM: f64 = 0.1;

/// Takes a batch's statistics into the running ones: `running <- 0.9 * running + 0.1 * batch`.
pub fn update_statistics(
    graph: &StepGraph,
    parameters: &mut [Tensor],
    statistics: &[Option<Statistics>],
) -> Result<(), TchError> {
    tch::no_grad(|| {
        for (node, statistics) in graph.nodes.iter().zip(statistics) {
            let (Operation::BatchNorm(norm), Some(statistics)) = (&node.operation, statistics) else { continue };
            for (running, batch) in [(norm.mean, &statistics.mean), (norm.variance, &statistics.variance)] {
                let _ = parameters[running.0].f_lerp_(batch, STATISTICS_MOMENTUM)?;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use convrnn_models::catalogue;

    #[test]
    fn a_gradient_that_is_not_finite_is_named() {
        let graph = catalogue::find("ff-28").unwrap().lower().unwrap();
        let mut gradients: Vec<Option<Tensor>> =
            graph.parameters.iter().map(|_| Some(Tensor::from_slice(&[1.0f32, -2.0]))).collect();
        gradients[0] = None;
        assert_eq!(first_not_finite(&graph, &gradients).unwrap(), None);
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            gradients[2] = Some(Tensor::from_slice(&[value, 1.0]));
            assert_eq!(first_not_finite(&graph, &gradients).unwrap(), Some(graph.parameters[2].name.as_str()));
        }
        // Large values are finite, though their sum in f32 would not be.
        gradients[2] = Some(Tensor::from_slice(&[f32::MAX, f32::MAX]));
        assert_eq!(first_not_finite(&graph, &gradients).unwrap(), None);
    }
}
