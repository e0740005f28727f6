//! Rounding, saturation and their gradients.
//!
//! The rounding rule `(v * m * 2^s + 2^31) >> 32` is `floor(v * factor + 1/2)`, with the factor `m * 2^(s - 32)` exact in
//! f64. Where the result lies within the range of 16 bits the product needs at most 31 + 16 bits beside the shift, so that
//! f64 holds it and the sum exactly; beyond that it saturates whatever its last bits are.

use convrnn_graph::quantize::{QuantizedType, Rescale};
use tch::{Kind, TchError, Tensor};

/// `exact` with the gradient of `smooth`. Where no gradient is recorded, just `exact`.
pub fn straight_through(
    exact: Tensor,
    smooth: impl FnOnce() -> Result<Tensor, TchError>,
    is_recorded: bool,
) -> Result<Tensor, TchError> {
    let exact = exact.detach();
    if !is_recorded {
        return Ok(exact);
    }
    let smooth = smooth()?;
    // A difference of equals is exactly zero, so that the sum is exact.
    exact.f_add(&smooth.f_sub(&smooth.detach())?)
}

/// Whether an operation on these tensors records gradients.
pub fn is_recorded(tensors: &[&Tensor]) -> bool {
    tensors.iter().any(|tensor| tensor.requires_grad())
}

/// `floor(value * factor + 1/2)` in f64; `value` is f64.
pub fn rounded(value: &Tensor, factor: &Tensor) -> Result<Tensor, TchError> {
    value.f_mul(factor)?.f_add_scalar(0.5)?.f_floor()
}

/// The same with one factor for all.
pub fn rounded_by(value: &Tensor, rescale: Rescale) -> Result<Tensor, TchError> {
    value.f_mul_scalar(rescale.factor())?.f_add_scalar(0.5)?.f_floor()
}

/// The range of `x - zero point` of a type.
pub fn limits(kind: &QuantizedType) -> (f64, f64) {
    let (low, high) = kind.element.range();
    (f64::from(low - kind.zero_point), f64::from(high - kind.zero_point))
}

/// `x - zero point` limited to the type's range, as f32.
pub fn saturated(value: &Tensor, kind: &QuantizedType) -> Result<Tensor, TchError> {
    let (low, high) = limits(kind);
    value.f_clamp(low, high)?.f_to_kind(Kind::Float)
}

/// Normalised pixels as `x - zero point`: the nearest integers, ties away from zero, saturated.
pub fn quantize_frame(frame: &Tensor, kind: &QuantizedType) -> Result<Tensor, TchError> {
    tch::no_grad(|| {
        let steps = frame.f_to_kind(Kind::Double)?.f_div_scalar(kind.scale)?;
        let whole = steps.f_trunc()?;
        let tie = steps.f_sub(&whole)?.f_mul_scalar(2.0)?.f_trunc()?;
        saturated(&whole.f_add(&tie)?, kind)
    })
}
