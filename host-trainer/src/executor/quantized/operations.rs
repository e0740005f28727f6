//! The integer operations as libtorch calls, on values with their zero points taken off.

use super::arithmetic::{is_recorded, limits, rounded, rounded_by, saturated, straight_through};
use super::tables::Table;
use super::{Source, fits_f32};
use crate::executor::interpolation::Interpolation;
use crate::executor::operations::{convolve_plainly, max_pool};
use convrnn_graph::quantize::{
    Element, GatedSum, QuantizedConvolution, QuantizedGraph, QuantizedNode, QuantizedOperation, QuantizedType, Rescale,
};
use convrnn_graph::{Padding, Pool};
use tch::{Device, Kind, TchError, Tensor};

/// A node made ready for one run.
pub struct Prepared {
    operation: PreparedOperation,
    output: QuantizedType,
}

enum PreparedOperation {
    Convolution(PreparedConvolution),
    Add { left: Rescale, right: Rescale },
    Multiply(Rescale),
    Lookup(Table),
    Rescale(Rescale),
    MaxPool(Pool),
    GlobalAverage(Rescale),
    Resize(Interpolation),
    GatedSum { tables: Vec<Option<Table>>, rescale: Vec<Rescale>, function: Option<Table> },
}

impl Prepared {
    /// `source` are the trained tensors of a convolution.
    pub fn new(
        graph: &QuantizedGraph,
        node: &QuantizedNode,
        source: Option<&Source>,
        device: Device,
    ) -> Result<Self, TchError> {
        let kinds: Vec<QuantizedType> = node.inputs.iter().map(|&read| graph.read_type(read)).collect();
        let output = node.output;
        let operation = match &node.operation {
            QuantizedOperation::Convolution(spec) => {
                PreparedOperation::Convolution(PreparedConvolution::new(spec, &kinds, &output, source, device)?)
            }
            QuantizedOperation::Add { left, right } => PreparedOperation::Add { left: *left, right: *right },
            QuantizedOperation::Multiply { rescale } => PreparedOperation::Multiply(*rescale),
            QuantizedOperation::Lookup(lookup) => {
                PreparedOperation::Lookup(Table::new(lookup, (kinds[0].zero_point, output.zero_point), device)?)
            }
            QuantizedOperation::Rescale(rescale) => PreparedOperation::Rescale(*rescale),
            QuantizedOperation::MaxPool(pool) => PreparedOperation::MaxPool(*pool),
            QuantizedOperation::GlobalAverage { rescale } => PreparedOperation::GlobalAverage(*rescale),
            QuantizedOperation::Resize(resize) => {
                PreparedOperation::Resize(Interpolation::in_integers(resize, kinds[0].shape, device)?)
            }
            QuantizedOperation::GatedSum(spec) => gated_sum(spec, &kinds, &output, device)?,
        };
        Ok(Self { operation, output })
    }

    /// The node's value from those of its operands, `[batch or 1, channels, height, width]`.
    pub fn evaluate(&self, operands: &[&Tensor]) -> Result<Tensor, TchError> {
        let (first, output) = (operands[0], &self.output);
        let recorded = is_recorded(operands);
        let wide = |tensor: &Tensor| tensor.detach().f_to_kind(Kind::Double);
        let (low, high) = limits(output);
        match &self.operation {
            PreparedOperation::Convolution(convolution) => convolution.evaluate(operands, output),
            PreparedOperation::Add { left, right } => {
                let second = operands[1];
                let sum = rounded_by(&wide(first)?, *left)?.f_add(&rounded_by(&wide(second)?, *right)?)?;
                let smooth = || {
                    let scaled = |tensor: &Tensor, rescale: &Rescale| tensor.f_mul_scalar(rescale.factor());
                    scaled(first, left)?.f_add(&scaled(second, right)?)?.f_clamp(low, high)
                };
                straight_through(saturated(&sum, output)?, smooth, recorded)
            }
            PreparedOperation::Multiply(rescale) => {
                let second = operands[1];
                let product = rounded_by(&wide(first)?.f_mul(&wide(second)?)?, *rescale)?;
                let smooth = || first.f_mul(second)?.f_mul_scalar(rescale.factor())?.f_clamp(low, high);
                straight_through(saturated(&product, output)?, smooth, recorded)
            }
            PreparedOperation::Lookup(table) => table.apply(first),
            PreparedOperation::Rescale(rescale) => {
                let exact = saturated(&rounded_by(&wide(first)?, *rescale)?, output)?;
                straight_through(exact, || first.f_mul_scalar(rescale.factor())?.f_clamp(low, high), recorded)
            }
            PreparedOperation::MaxPool(pool) => max_pool(pool, first),
            PreparedOperation::GlobalAverage(rescale) => {
                let sum = |tensor: &Tensor| tensor.f_sum_dim_intlist(&[2i64, 3][..], true, None);
                let exact = saturated(&rounded_by(&sum(&wide(first)?)?, *rescale)?, output)?;
                straight_through(exact, || sum(first)?.f_mul_scalar(rescale.factor())?.f_clamp(low, high), recorded)
            }
            PreparedOperation::Resize(interpolation) => {
                // Weights are whole numbers whose sum is 2^14, so that the zero point drops out.
                let sum = interpolation.apply(&first.f_to_kind(Kind::Double)?)?;
                let exact = sum.detach().f_add_scalar(8192.0)?.f_div_scalar(16384.0)?.f_floor()?;
                let smooth = || sum.f_div_scalar(16384.0)?.f_to_kind(Kind::Float);
                straight_through(exact.f_to_kind(Kind::Float)?, smooth, recorded)
            }
            PreparedOperation::GatedSum { tables, rescale, function } => {
                let factors = operands
                    .iter()
                    .zip(tables)
                    .map(|(operand, table)| match table {
                        Some(table) => table.apply(operand),
                        None => Ok(operand.shallow_clone()),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let add = |sum: Option<Tensor>, more: Tensor| match sum {
                    Some(sum) => sum.f_add(&more).map(Some),
                    None => Ok(Some(more)),
                };
                let products = || factors.chunks_exact(2).zip(rescale);
                let exact = products().try_fold(None, |sum, (pair, rescale)| {
                    add(sum, rounded_by(&wide(&pair[0])?.f_mul(&wide(&pair[1])?)?, *rescale)?)
                })?;
                let smooth = || -> Result<Tensor, TchError> {
                    let sum = products().try_fold(None, |sum, (pair, rescale)| {
                        add(sum, pair[0].f_mul(&pair[1])?.f_mul_scalar(rescale.factor())?)
                    })?;
                    Ok(sum.expect("a gated sum has a product"))
                };
                let exact = exact.expect("a gated sum has a product");
                let factors: Vec<&Tensor> = factors.iter().collect();
                match function {
                    Some(function) => {
                        let (low, high) = Element::I16.range();
                        let (low, high) = (f64::from(low), f64::from(high));
                        let exact = exact.f_clamp(low, high)?.f_to_kind(Kind::Float)?;
                        let smooth = || smooth()?.f_clamp(low, high);
                        function.apply(&straight_through(exact, smooth, is_recorded(&factors))?)
                    }
                    None => straight_through(
                        saturated(&exact, output)?,
                        || smooth()?.f_clamp(low, high),
                        is_recorded(&factors),
                    ),
                }
            }
        }
    }
}

fn gated_sum(
    spec: &GatedSum,
    kinds: &[QuantizedType],
    output: &QuantizedType,
    device: Device,
) -> Result<PreparedOperation, TchError> {
    let tables = spec
        .tables
        .iter()
        .zip(kinds)
        .map(|(table, kind)| table.as_ref().map(|table| Table::new(table, (kind.zero_point, 0), device)).transpose())
        .collect::<Result<_, _>>()?;
    let function = spec.function.as_ref().map(|table| Table::new(table, (0, output.zero_point), device)).transpose()?;
    Ok(PreparedOperation::GatedSum { tables, rescale: spec.rescale.clone(), function })
}

struct PreparedConvolution {
    /// The graph's integers, with the gradient of the trained weights.
    weight: Tensor,
    /// The same of the biases, `[1, output channels, 1, 1]`.
    smooth_bias: Tensor,
    /// f64.
    bias: Tensor,
    /// By output channel, f64.
    factor: Tensor,
    /// What the sums are computed in without rounding.
    kind: Kind,
    stride: [usize; 2],
    padding: Padding,
    groups: usize,
}

impl PreparedConvolution {
    fn new(
        spec: &QuantizedConvolution,
        inputs: &[QuantizedType],
        output: &QuantizedType,
        source: Option<&Source>,
        device: Device,
    ) -> Result<Self, TchError> {
        let channels = spec.bias.len();
        let [height, width] = spec.kernel;
        let terms = spec.weight.len() / channels.max(1);
        let group_inputs = terms / (height * width);
        let scales: Vec<f64> =
            inputs.iter().flat_map(|kind| std::iter::repeat_n(kind.scale, kind.shape.channels)).collect();
        let size = [channels, group_inputs, height, width].map(|extent| extent as i64);
        let column = [1, channels as i64, 1, 1];
        let weight: Vec<f32> = spec.weight.iter().map(|&w| f32::from(w)).collect();
        let bias: Vec<f64> = spec.bias.iter().map(|&b| f64::from(b)).collect();
        let factor: Vec<f64> = spec.rescale.iter().map(|rescale| rescale.factor()).collect();
        let kind = if fits_f32(spec) { Kind::Float } else { Kind::Double };
        let place = |values: &[f64]| Tensor::f_from_slice(values)?.f_to_device(device);
        let mut weight = Tensor::f_from_slice(&weight)?.f_to_device(device)?.f_view(size)?;
        let (bias, factor) = (place(&bias)?.f_view(column)?, place(&factor)?.f_view(column)?);
        let mut smooth_bias = bias.f_to_kind(Kind::Float)?;
        if let Some(source) = source {
            // What a real weight is multiplied by to count in integers: its input's scale by the accumulator's step.
            let step = |channel: usize| spec.rescale[channel].factor() * output.scale;
            let per_step = |channel: usize| if step(channel) > 0.0 { 1.0 / step(channel) } else { 0.0 };
            let group_outputs = channels / spec.groups.max(1);
            let units: Vec<f32> = (0..channels)
                .flat_map(|channel| {
                    let first = channel / group_outputs.max(1) * group_inputs;
                    let unit = move |input: usize| first + input;
                    let scales = &scales;
                    (0..group_inputs).map(move |input| (scales[unit(input)] * per_step(channel)) as f32)
                })
                .collect();
            let units = Tensor::f_from_slice(&units)?.f_to_device(device)?.f_view([size[0], size[1], 1, 1])?;
            let smooth = || source.weight.f_mul(&units);
            weight = straight_through(weight, smooth, is_recorded(&[source.weight]))?;
            if let Some(trained) = source.bias {
                let steps: Vec<f32> = (0..channels).map(|channel| per_step(channel) as f32).collect();
                let steps = Tensor::f_from_slice(&steps)?.f_to_device(device)?;
                let smooth = || trained.f_mul(&steps)?.f_view(column);
                smooth_bias = straight_through(smooth_bias, smooth, is_recorded(&[trained]))?;
            }
        }
        let (stride, padding, groups) = (spec.stride, spec.padding, spec.groups);
        Ok(Self { weight: weight.f_to_kind(kind)?, smooth_bias, bias, factor, kind, stride, padding, groups })
    }

    fn evaluate(&self, operands: &[&Tensor], output: &QuantizedType) -> Result<Tensor, TchError> {
        let batch = operands.iter().map(|operand| operand.size()[0]).max().unwrap_or(1);
        let whole = operands.iter().map(|operand| crate::executor::whole_batch(operand, batch));
        let whole = whole.collect::<Result<Vec<_>, _>>()?;
        let input = match whole.as_slice() {
            [one] => one.shallow_clone(),
            several => Tensor::f_cat(several, 1)?,
        };
        let input = input.f_to_kind(self.kind)?;
        let sum = convolve_plainly(self.stride, self.padding, self.groups, &input, &self.weight, None)?;
        let exact = rounded(&sum.detach().f_to_kind(Kind::Double)?.f_add(&self.bias)?, &self.factor)?;
        let (low, high) = limits(output);
        let smooth = || {
            let sum = sum.f_to_kind(Kind::Float)?.f_add(&self.smooth_bias)?;
            sum.f_mul(&self.factor.f_to_kind(Kind::Float)?)?.f_clamp(low, high)
        };
        straight_through(saturated(&exact, output)?, smooth, is_recorded(&[&sum, &self.smooth_bias]))
    }
}
