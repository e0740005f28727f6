//! The convolution of the reference. Calibration runs hundreds of images through it, so outputs are computed in blocks,
//! whose sums stay in registers; each sum adds the same terms in the same order as the formula.

use crate::operation::Convolution;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::ops::Range;

/// Output channels that are computed together.
const BLOCK: usize = 8;

/// `y[o, r, c] = bias[o] + sum over i, u, v of w[o, i, u, v] * x[i, r * stride + u - top, c * stride + v - left]`, where `i`
/// counts the channels of all inputs, one input after the other, within the group of `o`. Terms outside the map are left
/// out. `shape` is the output's; weights are `[out channels, in channels / groups, kernel height, kernel width]`.
pub(super) fn convolve(
    spec: &Convolution,
    inputs: &[&Tensor],
    shape: Shape,
    weight: &[f64],
    bias: Option<&[f64]>,
) -> Tensor {
    let planes: Vec<&[f64]> = inputs.iter().flat_map(|input| input.values.chunks(input.shape.positions())).collect();
    let group_inputs = planes.len() / spec.groups;
    let group_outputs = shape.channels / spec.groups;
    let terms = group_inputs * spec.kernel[0] * spec.kernel[1];
    let source = inputs[0].shape;
    let mut output = Tensor::zeros(shape);
    let maps = output.values.chunks_mut(group_outputs * shape.positions());
    for ((group, planes), maps) in planes.chunks(group_inputs).enumerate().zip(maps) {
        let mut first = group * group_outputs;
        let mut maps = maps;
        while !maps.is_empty() {
            let count = if maps.len() >= BLOCK * shape.positions() { BLOCK } else { 1 };
            let (block, rest) = maps.split_at_mut(count * shape.positions());
            let weight = &weight[first * terms..(first + count) * terms];
            let bias = bias.map(|bias| &bias[first..first + count]);
            match count {
                BLOCK => convolve_block::<BLOCK>(spec, source, planes, shape, weight, bias, block),
                _ => convolve_block::<1>(spec, source, planes, shape, weight, bias, block),
            }
            (first, maps) = (first + count, rest);
        }
    }
    output
}

/// `OUTPUTS` channels of a group; `planes` are the group's input channels, `source` gives their height and width.
fn convolve_block<const OUTPUTS: usize>(
    spec: &Convolution,
    source: Shape,
    planes: &[&[f64]],
    shape: Shape,
    weight: &[f64],
    bias: Option<&[f64]>,
    maps: &mut [f64],
) {
    let [kernel_height, kernel_width] = spec.kernel;
    let terms = weight.len() / OUTPUTS;
    // `[in channels, kernel height, kernel width, outputs]`.
    let turned: Vec<[f64; OUTPUTS]> =
        (0..terms).map(|term| std::array::from_fn(|output| weight[output * terms + term])).collect();
    let start: [f64; OUTPUTS] = std::array::from_fn(|output| bias.map_or(0.0, |bias| bias[output]));
    for row in 0..shape.height {
        let rows = taps(row * spec.stride[0], spec.padding.top, kernel_height, source.height);
        for column in 0..shape.width {
            let columns = taps(column * spec.stride[1], spec.padding.left, kernel_width, source.width);
            let left = (column * spec.stride[1] + columns.start).saturating_sub(spec.padding.left);
            let rows = if columns.is_empty() { 0..0 } else { rows.clone() };
            let mut sums = start;
            for (plane, kernel) in planes.iter().zip(turned.chunks(kernel_height * kernel_width)) {
                for u in rows.clone() {
                    let line = (row * spec.stride[0] + u - spec.padding.top) * source.width + left;
                    let values = &plane[line..][..columns.len()];
                    for (x, weights) in values.iter().zip(&kernel[u * kernel_width..][columns.clone()]) {
                        for (sum, weight) in sums.iter_mut().zip(weights) {
                            *sum += weight * x;
                        }
                    }
                }
            }
            for (output, sum) in sums.into_iter().enumerate() {
                maps[(output * shape.height + row) * shape.width + column] = sum;
            }
        }
    }
}

/// The places of a kernel that begins at `start - before` which lie within a map of so many rows or columns.
fn taps(start: usize, before: usize, kernel: usize, size: usize) -> Range<usize> {
    let end = (size + before).saturating_sub(start).min(kernel);
    before.saturating_sub(start).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::ParameterId;
    use crate::operation::Padding;
    use proptest::prelude::*;

    /// The formula as it stands, element by element.
    fn by_formula(
        spec: &Convolution,
        inputs: &[&Tensor],
        shape: Shape,
        weight: &[f64],
        bias: Option<&[f64]>,
    ) -> Vec<f64> {
        let [height, width] = spec.kernel;
        let channels: Vec<(&Tensor, usize)> =
            inputs.iter().flat_map(|&input| (0..input.shape.channels).map(move |local| (input, local))).collect();
        let (inputs, outputs) = (channels.len() / spec.groups, shape.channels / spec.groups);
        let mut values = Vec::new();
        for o in 0..shape.channels {
            for r in 0..shape.height {
                for c in 0..shape.width {
                    let mut sum = bias.map_or(0.0, |bias| bias[o]);
                    for i in 0..inputs {
                        let (input, local) = channels[o / outputs * inputs + i];
                        for u in 0..height {
                            for v in 0..width {
                                let y = (r * spec.stride[0] + u).checked_sub(spec.padding.top);
                                let x = (c * spec.stride[1] + v).checked_sub(spec.padding.left);
                                if let (Some(y), Some(x)) = (y, x)
                                    && y < input.shape.height
                                    && x < input.shape.width
                                {
                                    let weight = weight[((o * inputs + i) * height + u) * width + v];
                                    sum += weight * input.at(local, y, x);
                                }
                            }
                        }
                    }
                    values.push(sum);
                }
            }
        }
        values
    }

    fn numbers(count: usize, seed: u64) -> Vec<f64> {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
    }

    proptest! {
        #[test]
        fn equals_the_formula_to_the_bit(
            groups in 1usize..4, group_inputs in 1usize..4, group_outputs in 1usize..19, second in 0usize..3,
            kernel in [1usize..6, 1usize..6], stride in [1usize..4, 1usize..4], size in [1usize..8, 1usize..8],
            padding in [0usize..6, 0usize..6, 0usize..6, 0usize..6], biased: bool, seed: u64,
        ) {
            let [top, bottom, left, right] = padding;
            prop_assume!(size[0] + top + bottom >= kernel[0] && size[1] + left + right >= kernel[1]);
            // A second input, where there is one group.
            let second = if groups == 1 { second } else { 0 };
            let shapes = [groups * group_inputs, second].map(|channels| Shape::new(channels, size[0], size[1]));
            let tensors = shapes.map(|shape| Tensor::new(shape, numbers(shape.elements(), seed)));
            let inputs: Vec<&Tensor> = tensors.iter().filter(|tensor| tensor.shape.channels > 0).collect();
            let shape = Shape::new(
                groups * group_outputs,
                (size[0] + top + bottom - kernel[0]) / stride[0] + 1,
                (size[1] + left + right - kernel[1]) / stride[1] + 1,
            );
            let spec = Convolution {
                weight: ParameterId(0),
                bias: None,
                kernel,
                stride,
                padding: Padding { top, bottom, left, right },
                groups,
            };
            let weight = numbers(shape.channels * (group_inputs + second) * kernel[0] * kernel[1], !seed);
            let bias = biased.then(|| numbers(shape.channels, seed / 2));
            let found = convolve(&spec, &inputs, shape, &weight, bias.as_deref());
            prop_assert_eq!(found.values, by_formula(&spec, &inputs, shape, &weight, bias.as_deref()));
        }
    }
}
