//! Loss and gradients of one batch.

use crate::executor::{Normalization, RunOptions, Statistics};
use crate::workers::{Workers, share};
use convrnn_graph::{Operation, Presentation, StepGraph, Wanted};
use tch::{Kind, TchError, Tensor};

/// What one batch gives.
pub struct Gradients {
    /// Mean cross-entropy of the last time step's logits, in nats.
    pub loss: f64,
    /// Images answered right at the last time step.
    pub correct: u64,
    /// One tensor a parameter, in the graph's order; none where it cannot reach the last logits.
    pub gradients: Vec<Option<Tensor>>,
    /// By node of the graph: what a normalisation measured.
    pub statistics: Vec<Option<Statistics>>,
}

/// Computes loss and gradients, the batch divided among the workers. The parts are added in order,
/// so that the result depends on the number of workers alone and not on their timing.
pub fn gradients(
    workers: &mut Workers,
    parameters: &[Tensor],
    frames: &Tensor,
    labels: &Tensor,
    presentation: &Presentation,
    trimming: bool,
) -> Result<Gradients, TchError> {
    let total = frames.size()[0];
    let parts = workers
        .ranges(total)
        .into_iter()
        .map(|(start, end)| {
            let rows = |tensor: &Tensor| tensor.f_narrow(0, start, end - start);
            Ok((share(parameters), rows(frames)?, rows(labels)?))
        })
        .collect::<Result<Vec<_>, TchError>>()?;
    let options = RunOptions { trimming, normalization: Normalization::Batch, ..RunOptions::new(Wanted::LastLogits) };
    let count = parts.len() as f64;
    let parts = workers.map(parts, |executor, (parameters, frames, labels)| {
        let leaves: Vec<Tensor> = parameters
            .into_iter()
            .zip(&executor.graph().parameters)
            .map(|(tensor, parameter)| tensor.set_requires_grad(parameter.group.is_trained()))
            .collect();
        let run = executor.run(&leaves, &frames, presentation, options)?;
        let logits = run.last_logits(frames.size()[0])?;
        let loss = logits.f_cross_entropy_loss::<Tensor>(&labels, None, tch::Reduction::Sum, -100, 0.0)?;
        let loss = loss.f_div_scalar(total as f64)?;
        loss.f_backward()?;
        let correct = logits.f_argmax(-1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        let gradients = leaves.iter().map(|leaf| Some(leaf.grad()).filter(Tensor::defined)).collect();
        Ok(Gradients {
            loss: loss.f_double_value(&[])?,
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
        for (sum, part) in sum.gradients.iter_mut().zip(part.gradients) {
            *sum = match (sum.take(), part) {
                (Some(sum), Some(part)) => Some(sum.f_add(&part)?),
                (sum, part) => sum.or(part),
            };
        }
    }
    let mean = |statistics: Option<Statistics>| statistics.map(|sum| sum.divide(count)).transpose();
    sum.statistics = sum.statistics.into_iter().map(mean).collect::<Result<_, _>>()?;
    Ok(sum)
}

fn add_statistics(
    sums: Vec<Option<Statistics>>,
    parts: Vec<Option<Statistics>>,
) -> Result<Vec<Option<Statistics>>, TchError> {
    if sums.is_empty() {
        return Ok(parts);
    }
    let add = |(sum, part): (Option<Statistics>, Option<Statistics>)| match (sum, part) {
        (Some(sum), Some(part)) => sum.add(&part).map(Some),
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
