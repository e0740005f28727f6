//! Normalisation by the statistics of the batch, and what training measures of them.

use convrnn_graph::BatchNorm;
use tch::{TchError, Tensor};

/// Mean and (unbiased) variance by channel.
#[derive(Debug)]
pub struct Statistics {
    /// `[channels]`.
    pub mean: Tensor,
    /// `[channels]`.
    pub variance: Tensor,
}

impl Statistics {
    pub(super) fn share(&self) -> Self {
        Self { mean: self.mean.shallow_clone(), variance: self.variance.shallow_clone() }
    }

    /// Element by element, `self + other`.
    pub fn plus(self, other: &Self) -> Result<Self, TchError> {
        Ok(Self { mean: self.mean.f_add(&other.mean)?, variance: self.variance.f_add(&other.variance)? })
    }

    /// Every element divided by a number.
    pub fn divide(self, divisor: f64) -> Result<Self, TchError> {
        Ok(Self { mean: self.mean.f_div_scalar(divisor)?, variance: self.variance.f_div_scalar(divisor)? })
    }
}

/// The normalised batch and its statistics; gradients flow through both uses of the batch.
pub(super) fn normalize(
    norm: &BatchNorm,
    operand: &Tensor,
    parameters: &[Tensor],
) -> Result<(Tensor, Statistics), TchError> {
    let size = operand.size();
    let values = size[0] * size[2..].iter().product::<i64>();
    if values < 2 {
        let message = "a normalisation has one value a channel, which is its own mean: train on more images at a time";
        return Err(TchError::Torch(message.into()));
    }
    let none: Option<&Tensor> = None;
    let [scale, shift] = [norm.scale, norm.shift].map(|id| Some(&parameters[id.0]));
    let (output, mean, inverse) = operand.f_native_batch_norm(scale, shift, none, none, true, 0.0, norm.epsilon)?;
    let biased = inverse.detach().f_pow_tensor_scalar(-2)?.f_sub_scalar(norm.epsilon)?;
    let variance = biased.f_mul_scalar(values as f64 / (values - 1) as f64)?;
    Ok((output, Statistics { mean: mean.detach(), variance }))
}

/// Sums of the statistics of one normalisation over the steps of a run.
#[derive(Default)]
pub(super) struct Measured {
    latest: Option<Statistics>,
    sum: Option<Statistics>,
    steps: usize,
}

impl Measured {
    /// Takes note of what a step computed.
    pub fn set(&mut self, statistics: Statistics) {
        self.latest = Some(statistics);
    }

    /// Counts the latest statistics for one step more.
    pub fn count(&mut self) -> Result<(), TchError> {
        let Some(latest) = &self.latest else { return Ok(()) };
        self.steps += 1;
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum.plus(latest)?,
            None => latest.share(),
        });
        Ok(())
    }

    /// Means over the steps counted.
    pub fn mean(self) -> Result<Option<Statistics>, TchError> {
        self.sum.map(|sum| sum.divide(self.steps as f64)).transpose()
    }
}
