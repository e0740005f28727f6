//! Loss and gradients of one batch.

use crate::executor::RunOptions;
use crate::workers::{Workers, share};
use convrnn_graph::{Presentation, Wanted};
use tch::{Kind, TchError, Tensor};

/// What one batch gives.
pub struct Gradients {
    /// Mean cross-entropy of the last time step's logits, in nats.
    pub loss: f64,
    /// Images answered right at the last time step.
    pub correct: u64,
    /// One tensor a parameter, in the graph's order; none where it cannot reach the last logits.
    pub gradients: Vec<Option<Tensor>>,
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
    let options = RunOptions { trimming, ..RunOptions::new(Wanted::LastLogits) };
    let parts = workers.map(parts, |executor, (parameters, frames, labels)| {
        let leaves: Vec<Tensor> = parameters.into_iter().map(|tensor| tensor.set_requires_grad(true)).collect();
        let count = frames.size()[0];
        let logits = executor.run(&leaves, &frames, presentation, options)?.last_logits(count)?;
        let loss = logits.f_cross_entropy_loss::<Tensor>(&labels, None, tch::Reduction::Sum, -100, 0.0)?;
        let loss = loss.f_div_scalar(total as f64)?;
        loss.f_backward()?;
        let correct = logits.f_argmax(-1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        let gradients = leaves.iter().map(|leaf| Some(leaf.grad()).filter(Tensor::defined)).collect();
        Ok(Gradients { loss: loss.f_double_value(&[])?, correct: correct as u64, gradients })
    })?;
    let mut sum = Gradients { loss: 0.0, correct: 0, gradients: parameters.iter().map(|_| None).collect() };
    for part in parts {
        sum.loss += part.loss;
        sum.correct += part.correct;
        for (sum, part) in sum.gradients.iter_mut().zip(part.gradients) {
            *sum = match (sum.take(), part) {
                (Some(sum), Some(part)) => Some(sum.f_add(&part)?),
                (sum, part) => sum.or(part),
            };
        }
    }
    Ok(sum)
}
