//! One operation of the graph as libtorch calls.

use super::interpolation::Interpolation;
use convrnn_graph::{Activation, Convolution, Operation, Padding, Pool};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

/// What convolutions multiply in. Everything else (states, elementwise arithmetic, normalisations,
/// the loss, gradients and the weights themselves) stays in the executor's element kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The executor's own element kind.
    #[default]
    F32,
    /// Operands and weights of convolutions are rounded to bfloat16 (8 bits of mantissa, the exponents of
    /// f32), and so are their results.
    Bf16,
}

/// Computes one node. Operands are `[batch or 1, channels, height, width]`.
pub fn evaluate(
    operation: &Operation,
    operands: &[&Tensor],
    parameters: &[Tensor],
    interpolation: Option<&Interpolation>,
    precision: Precision,
) -> Result<Tensor, TchError> {
    let first = operands[0];
    match operation {
        Operation::Convolution(convolution) => convolve(convolution, operands, parameters, precision),
        Operation::Resize(_) => interpolation.expect("every resize has its matrices").apply(first),
        Operation::BatchNorm(norm) => {
            let [scale, shift, mean, variance] = norm.parameters().map(|id| Some(&parameters[id.0]));
            first.f_batch_norm(scale, shift, mean, variance, false, 0.0, norm.epsilon, false)
        }
        Operation::Scale { factor } => first.f_mul(&parameters[factor.0]),
        Operation::Add => first.f_add(operands[1]),
        Operation::Multiply => first.f_mul(operands[1]),
        Operation::Affine { scale, offset } => {
            if *scale == -1.0 {
                first.f_rsub_scalar(*offset)
            } else {
                first.f_mul_scalar(*scale)?.f_add_scalar(*offset)
            }
        }
        Operation::Activation(activation) => match activation {
            Activation::Relu => first.f_relu(),
            Activation::Elu => first.f_elu(),
            Activation::Sigmoid => first.f_sigmoid(),
            Activation::Tanh => first.f_tanh(),
        },
        Operation::MaxPool(pool) => max_pool(pool, first),
        Operation::GlobalAverage => first.f_mean_dim(&[2i64, 3][..], true, None),
    }
}

/// Convolution over the concatenation of its inputs. Where some inputs have a batch of one and
/// others have not, the weight is split between the two groups and the results are added: the
/// shared part is computed once, and nothing is expanded.
fn convolve(
    spec: &Convolution,
    operands: &[&Tensor],
    parameters: &[Tensor],
    precision: Precision,
) -> Result<Tensor, TchError> {
    let weight = &parameters[spec.weight.0];
    let bias = spec.bias.map(|id| &parameters[id.0]);
    if let [operand] = operands {
        return convolve_one(spec, operand, weight, bias, precision);
    }
    let batch = operands.iter().map(|operand| operand.size()[0]).max().unwrap_or(1);
    let shared: Vec<bool> = operands.iter().map(|operand| operand.size()[0] != batch).collect();
    if shared.contains(&true) {
        let (one, one_weight) = select(operands, &shared, true, weight)?;
        let (many, many_weight) = select(operands, &shared, false, weight)?;
        let constant = convolve_one(spec, &one, &one_weight, None, precision)?;
        return convolve_one(spec, &many, &many_weight, bias, precision)?.f_add(&constant);
    }
    convolve_one(spec, &Tensor::f_cat(operands, 1)?, weight, bias, precision)
}

/// The operands that are shared or not, concatenated, and their part of the weight.
fn select(operands: &[&Tensor], shared: &[bool], wanted: bool, weight: &Tensor) -> Result<(Tensor, Tensor), TchError> {
    let (mut inputs, mut parts, mut channel) = (Vec::new(), Vec::new(), 0);
    for (operand, &is_shared) in operands.iter().zip(shared) {
        let channels = operand.size()[1];
        if is_shared == wanted {
            inputs.push(*operand);
            parts.push(weight.f_narrow(1, channel, channels)?);
        }
        channel += channels;
    }
    Ok((Tensor::f_cat(&inputs, 1)?, Tensor::f_cat(&parts, 1)?))
}

fn convolve_one(
    spec: &Convolution,
    operand: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    precision: Precision,
) -> Result<Tensor, TchError> {
    match precision {
        Precision::F32 => convolve_plainly(spec.stride, spec.padding, spec.groups, operand, weight, bias),
        Precision::Bf16 => {
            // The weight is rounded at every use: each step's gradient then leaves bfloat16 before it is
            // added to those of the other steps.
            let round = |tensor: &Tensor| tensor.f_to_kind(Kind::BFloat16);
            let (operand_rounded, weight) = (round(operand)?, round(weight)?);
            let output = convolve_plainly(spec.stride, spec.padding, spec.groups, &operand_rounded, &weight, None)?;
            let output = output.f_to_kind(operand.kind())?;
            match bias {
                Some(bias) => output.f_add(&bias.f_view([1, -1, 1, 1])?),
                None => Ok(output),
            }
        }
    }
}

pub(super) fn convolve_plainly(
    stride: [usize; 2],
    padding: Padding,
    groups: usize,
    operand: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor, TchError> {
    let stride = stride.map(|stride| stride as i64);
    let groups = groups as i64;
    match symmetric(padding) {
        Some(padding) => operand.f_conv2d(weight, bias, stride, padding, [1, 1], groups),
        None => operand.f_constant_pad_nd(sides(padding))?.f_conv2d(weight, bias, stride, [0, 0], [1, 1], groups),
    }
}

pub(super) fn max_pool(pool: &Pool, operand: &Tensor) -> Result<Tensor, TchError> {
    let (kernel, stride) = (pool.kernel.map(|size| size as i64), pool.stride.map(|size| size as i64));
    match symmetric(pool.padding) {
        // libtorch refuses padding of more than half the window.
        Some(padding) if padding[0] * 2 <= kernel[0] && padding[1] * 2 <= kernel[1] => {
            operand.f_max_pool2d(kernel, stride, padding, [1, 1], false)
        }
        _ => operand.f_pad(sides(pool.padding), "constant", f64::NEG_INFINITY)?.f_max_pool2d(
            kernel,
            stride,
            [0, 0],
            [1, 1],
            false,
        ),
    }
}

/// Rows and columns of padding, where both sides have as many.
fn symmetric(padding: Padding) -> Option<[i64; 2]> {
    (padding.top == padding.bottom && padding.left == padding.right)
        .then_some([padding.top as i64, padding.left as i64])
}

/// Left, right, top, bottom: the order libtorch pads in.
fn sides(padding: Padding) -> [i64; 4] {
    [padding.left, padding.right, padding.top, padding.bottom].map(|side| side as i64)
}
