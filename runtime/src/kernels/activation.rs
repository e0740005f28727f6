//! Functions of one real tensor.

use crate::task::{Task, elements, elements_mut};
use convrnn_format::{Function, Numerics};

/// `first * x + second`
#[inline(never)]
pub fn affine(task: &mut Task<'_>) {
    let (scale, offset) = (f32::from_bits(task.record.first), f32::from_bits(task.record.second));
    map(task, |x| scale * x + offset);
}

/// The operation's [`Function`].
#[inline(never)]
pub fn run(task: &mut Task<'_>) {
    match Function::from_byte(task.record.variant) {
        Some(Function::Relu) => map(task, |x| x.max(0.0)),
        Some(Function::Elu) => map(task, real::elu),
        Some(Function::Sigmoid) => map(task, real::sigmoid),
        Some(Function::Tanh) => map(task, real::tanh),
        None => {}
    }
}

#[inline(always)]
fn map(task: &mut Task<'_>, function: impl Fn(f32) -> f32) {
    if task.numerics() != Numerics::Real {
        return;
    }
    let Some(input) = task.operand(0) else { return };
    for (y, &x) in elements_mut::<f32>(task.output).iter_mut().zip(elements::<f32>(input.bytes)) {
        *y = function(x);
    }
}

#[cfg(feature = "real")]
mod real {
    pub fn elu(x: f32) -> f32 {
        if x > 0.0 { x } else { libm::expm1f(x) }
    }

    pub fn sigmoid(x: f32) -> f32 {
        1.0 / (1.0 + libm::expf(-x))
    }

    pub fn tanh(x: f32) -> f32 {
        libm::tanhf(x)
    }
}

/// Without the feature `real` no program reaches these: [`super::supports`] refuses it.
#[cfg(not(feature = "real"))]
mod real {
    pub use core::convert::{identity as elu, identity as sigmoid, identity as tanh};
}
