//! Weights, biases and factors of a quantised convolution.

use super::types::{QuantizedConvolution, QuantizedType, Rescale};
use crate::operation::Convolution;

/// The bias of a channel takes at most this many accumulator steps, so that there is room for the
/// sum and for the left shift; a channel whose weights are so small beside its bias gets coarser
/// weights.
const LARGEST_BIAS: f64 = (1 << 22) as f64;

/// Largest magnitude of an input as a factor, with or without its zero point taken off: `|x|` or
/// `|x - z|` of i8.
const INPUT_MAGNITUDE: i64 = 256;

/// One input of a convolution.
pub(super) struct Operand {
    /// Its i8 type.
    pub(super) kind: QuantizedType,
    /// Its mean by channel, for bias correction; zeros where there is none.
    pub(super) means: Vec<f64>,
}

/// Why a convolution cannot be quantised.
pub(super) enum Failure {
    /// The sum of a channel may leave 32 bits.
    Accumulator { channel: usize, terms: usize, bound: i64 },
    /// The output scale is too small; this one would do.
    OutputScale(f64),
}

/// Quantises a convolution. The accumulator of output channel o counts in steps of
/// `max over inputs i of (scale[i] * max |w[o, i]|) / 127`, and the weights of input i in those steps
/// divided by its scale, so that inputs of several scales add up in one accumulator. The mean error that
/// rounding the weights causes, given the means of the inputs, is taken off the bias.
pub(super) fn quantize(
    spec: &Convolution,
    inputs: &[Operand],
    weight: &[f32],
    bias: Option<&[f32]>,
    output: &QuantizedType,
) -> Result<QuantizedConvolution, Failure> {
    let scales: Vec<f64> =
        inputs.iter().flat_map(|input| std::iter::repeat_n(input.kind.scale, input.kind.shape.channels)).collect();
    let means: Vec<f64> = inputs.iter().flat_map(|input| &input.means).copied().collect();
    let out_channels = output.shape.channels;
    let (group_inputs, group_outputs) = (scales.len() / spec.groups, out_channels / spec.groups);
    let area = spec.kernel[0] * spec.kernel[1];
    let terms = group_inputs * area;

    let mut quantized = QuantizedConvolution {
        weight: Vec::with_capacity(weight.len()),
        bias: Vec::with_capacity(out_channels),
        rescale: Vec::new(),
        kernel: spec.kernel,
        stride: spec.stride,
        padding: spec.padding,
        groups: spec.groups,
    };
    let mut factors = Vec::with_capacity(out_channels);
    let mut largest_bound = 0;
    for (channel, filter) in weight.chunks_exact(terms).enumerate() {
        let first = channel / group_outputs * group_inputs;
        let scale_of = |term: usize| scales[first + term / area];
        let real_bias = bias.map_or(0.0, |bias| f64::from(bias[channel]));
        let peak =
            filter.iter().enumerate().fold(0.0f64, |peak, (term, &w)| peak.max(f64::from(w).abs() * scale_of(term)));
        let step = (peak / 127.0).max(real_bias.abs() / LARGEST_BIAS);
        if step == 0.0 {
            quantized.weight.extend(std::iter::repeat_n(0, terms));
            quantized.bias.push(0);
            factors.push(0.0);
            continue;
        }
        let (mut magnitude, mut correction) = (0i64, 0.0);
        for (term, &w) in filter.iter().enumerate() {
            let unit = step / scale_of(term);
            let integer = (f64::from(w) / unit).round().clamp(-127.0, 127.0);
            quantized.weight.push(integer as i8);
            magnitude += integer.abs() as i64;
            correction += (f64::from(w) - integer * unit) * means[first + term / area];
        }
        let integer_bias = ((real_bias + correction) / step).round();
        let bound = INPUT_MAGNITUDE * magnitude + integer_bias.abs() as i64;
        if bound > i64::from(i32::MAX) {
            return Err(Failure::Accumulator { channel, terms, bound });
        }
        quantized.bias.push(integer_bias as i32);
        factors.push(step / output.scale);
        largest_bound = largest_bound.max(bound);
    }

    let largest_factor = factors.iter().fold(0.0, |largest: f64, &factor| largest.max(factor));
    let shift = Rescale::shift_for(largest_factor);
    let rescales = factors.iter().map(|&factor| Rescale::with_shift(factor, shift));
    let rescales: Option<Vec<Rescale>> = rescales.map(|rescale| rescale.filter(|r| r.fits(largest_bound))).collect();
    match rescales {
        Some(rescale) => Ok(QuantizedConvolution { rescale, ..quantized }),
        None => {
            let scale = Rescale::smallest_output_scale(largest_factor * output.scale, largest_bound);
            Err(Failure::OutputScale(scale))
        }
    }
}

impl QuantizedConvolution {
    /// For each output channel an upper bound of the accumulator's magnitude, however the sum is
    /// ordered and whether or not zero points are folded into the bias: `256 * sum |w| + |bias|`.
    pub fn accumulator_bounds(&self) -> impl Iterator<Item = i64> + '_ {
        let terms = self.weight.len() / self.bias.len().max(1);
        self.weight.chunks(terms.max(1)).zip(&self.bias).map(|(filter, &bias)| {
            let magnitude: i64 = filter.iter().map(|&w| i64::from(w).abs()).sum();
            INPUT_MAGNITUDE * magnitude + i64::from(bias).abs()
        })
    }
}
