//! The exponential moving average of the weights.

use tch::{TchError, Tensor};

/// After training step t (from 1), for every parameter, running statistics of normalisations included:
///
/// ```text
/// average <- d * average + (1 - d) * weight,   d = min(decay, (1 + t) / (10 + t))
/// ```
///
/// The smaller decay of the first steps makes the initial weights fade at once, so that short runs are
/// not judged by them.
#[derive(Debug)]
pub struct Average {
    decay: f64,
    tensors: Vec<Tensor>,
}

impl Average {
    /// Goes on from these values.
    pub fn new(decay: f64, tensors: Vec<Tensor>) -> Self {
        Self { decay, tensors: tensors.into_iter().map(|tensor| tensor.set_requires_grad(false)).collect() }
    }

    /// The averaged weights, in the graph's order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Takes the weights after training step `step` (from 1) into the average.
    pub fn update(&mut self, weights: &[Tensor], step: u64) -> Result<(), TchError> {
        let step = step as f64;
        let decay = self.decay.min((1.0 + step) / (10.0 + step));
        tch::no_grad(|| {
            for (average, weight) in self.tensors.iter_mut().zip(weights) {
                let _ = average.f_lerp_(weight, 1.0 - decay)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_formula_and_tends_to_constant_weights() {
        let value = |tensor: &Tensor| tensor.double_value(&[0]);
        let mut average = Average::new(0.5, vec![Tensor::from_slice(&[1.0f64])]);
        average.update(&[Tensor::from_slice(&[3.0f64])], 1).unwrap();
        // d = 2 / 11
        let expected = 2.0 / 11.0 + 3.0 * 9.0 / 11.0;
        assert!((value(&average.tensors()[0]) - expected).abs() < 1e-12);
        average.update(&[Tensor::from_slice(&[-1.0f64])], 1000).unwrap();
        assert!((value(&average.tensors()[0]) - (0.5 * expected - 0.5)).abs() < 1e-12);
        for step in 1000..1060 {
            average.update(&[Tensor::from_slice(&[7.0f64])], step).unwrap();
        }
        assert!((value(&average.tensors()[0]) - 7.0).abs() < 1e-12);
    }
}
