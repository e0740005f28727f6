//! Trained tensors: how they start, and their way between libtorch and files.

use convrnn_graph::{Initializer, Parameter, Parameters, StepGraph};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tch::{Device, Kind, TchError, Tensor};

/// Values for a graph's parameters, the same on every machine for the same seed. Each tensor draws
/// from a stream of its own, keyed by seed and position, so that its values do not depend on others.
pub fn initialize(graph: &StepGraph, seed: u64) -> Parameters<f32> {
    let draw = |(index, parameter): (usize, &Parameter)| draw(parameter, seed, index as u64);
    Parameters { values: graph.parameters.iter().enumerate().map(draw).collect() }
}

fn draw(parameter: &Parameter, seed: u64, index: u64) -> Vec<f32> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16..24].copy_from_slice(b"weights\0");
    let mut random = ChaCha8Rng::from_seed(key);
    let elements = parameter.elements();
    let area: usize = parameter.shape.iter().skip(2).product();
    let fan_in = (parameter.shape.get(1).copied().unwrap_or(1) * area) as f64;
    let fan_out = (parameter.shape.first().copied().unwrap_or(1) * area) as f64;
    match parameter.initializer {
        Initializer::Zeros => vec![0.0; elements],
        Initializer::Constant { value } => vec![value as f32; elements],
        Initializer::XavierUniform => {
            let limit = (6.0 / (fan_in + fan_out)).sqrt();
            (0..elements).map(|_| ((2.0 * unit(&mut random) - 1.0) * limit) as f32).collect()
        }
        Initializer::VarianceScaling { scale } => {
            // A normal truncated at two standard deviations has 0.8796 of its deviation left.
            let deviation = (scale / fan_in).sqrt() / 0.879_625_661_034_239_8;
            (0..elements).map(|_| (normal(&mut random, 2.0) * deviation) as f32).collect()
        }
        Initializer::HeFanOut => normals(&mut random, elements, (2.0 / fan_out).sqrt()),
        Initializer::Normal { deviation } => normals(&mut random, elements, deviation),
    }
}

fn normals(random: &mut ChaCha8Rng, elements: usize, deviation: f64) -> Vec<f32> {
    (0..elements).map(|_| (normal(random, f64::INFINITY) * deviation) as f32).collect()
}

/// Uniform in [0, 1) with 53 random bits.
fn unit(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Standard normal, redrawn until within `limit` standard deviations: the ratio of uniforms (Kinderman
/// and Monahan 1977). Its values need only division, which is the same everywhere; only the
/// acceptance uses a logarithm.
fn normal(random: &mut ChaCha8Rng, limit: f64) -> f64 {
    let bound = (2.0 / std::f64::consts::E).sqrt();
    loop {
        let divisor = 1.0 - unit(random);
        let value = (2.0 * unit(random) - 1.0) * bound / divisor;
        if value.abs() <= limit && value * value <= -4.0 * divisor.ln() {
            return value;
        }
    }
}

/// Leaf tensors; those that are trained gather gradients.
pub fn to_tensors(graph: &StepGraph, parameters: &Parameters<f32>, device: Device) -> Result<Vec<Tensor>, TchError> {
    graph
        .parameters
        .iter()
        .zip(&parameters.values)
        .map(|(parameter, values)| {
            let shape: Vec<i64> = parameter.shape.iter().map(|&size| size as i64).collect();
            let tensor = Tensor::f_from_slice(values)?.f_view(shape.as_slice())?.f_to_device(device)?;
            Ok(tensor.set_requires_grad(parameter.group.is_trained()))
        })
        .collect()
}

/// Values of the tensors, for files.
pub fn from_tensors(tensors: &[Tensor]) -> Result<Parameters<f32>, TchError> {
    Ok(Parameters { values: tensors.iter().map(to_f32).collect::<Result<_, _>>()? })
}

/// All values of a tensor, row major.
pub fn to_f32(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let flat = tensor.detach().f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
    let mut values = vec![0.0; flat.numel()];
    let count = values.len();
    flat.f_copy_data(&mut values, count)?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use convrnn_graph::ParameterGroup;

    fn parameter(shape: &[usize], initializer: Initializer) -> Parameter {
        Parameter { name: "weight".into(), shape: shape.to_vec(), initializer, group: ParameterGroup::Weight }
    }

    fn moments(values: &[f32]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
        (mean, variance)
    }

    #[test]
    fn variances_are_those_of_the_formulas() {
        let shape = [64, 32, 3, 3];
        let values = draw(&parameter(&shape, Initializer::VarianceScaling { scale: 2.0 }), 1, 0);
        let (mean, variance) = moments(&values);
        let expected = 2.0 / (32.0 * 9.0);
        assert!(mean.abs() < 2e-3 && (variance / expected - 1.0).abs() < 0.03, "{mean} {variance} {expected}");
        let limit = 2.0 * (expected.sqrt() / 0.8796);
        assert!(values.iter().all(|value| f64::from(value.abs()) <= limit * 1.001), "truncated at two deviations");
        let values = draw(&parameter(&shape, Initializer::XavierUniform), 1, 0);
        let (_, variance) = moments(&values);
        let expected = 2.0 / ((32.0 + 64.0) * 9.0);
        assert!((variance / expected - 1.0).abs() < 0.03, "{variance} {expected}");
        let values = draw(&parameter(&shape, Initializer::HeFanOut), 1, 0);
        let (mean, variance) = moments(&values);
        let expected = 2.0 / (64.0 * 9.0);
        assert!(mean.abs() < 2e-3 && (variance / expected - 1.0).abs() < 0.03, "{mean} {variance} {expected}");
        assert!(values.iter().any(|value| f64::from(value.abs()) > 2.5 * expected.sqrt()), "not truncated");
        assert_eq!(draw(&parameter(&[3], Initializer::Constant { value: 1.5 }), 1, 0), [1.5; 3]);
    }

    #[test]
    fn a_tensor_depends_on_seed_and_position_alone() {
        let weight = parameter(&[4, 2, 3, 3], Initializer::XavierUniform);
        assert_eq!(draw(&weight, 3, 5), draw(&weight, 3, 5));
        assert_ne!(draw(&weight, 3, 5), draw(&weight, 4, 5));
        assert_ne!(draw(&weight, 3, 5), draw(&weight, 3, 6));
        assert_eq!(draw(&parameter(&[4], Initializer::Zeros), 3, 5), [0.0; 4]);
    }
}
