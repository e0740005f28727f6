//! Functions of one real tensor.
//!
//! The exponential is `2^n * e^r` with `n = round(x / ln 2)`, and `e^r - 1` on `|r| <= ln 2 / 2` is the
//! Taylor polynomial of degree 7, whose remainder is below `6e-9`. `e^x - 1` is then
//! `2^n * (e^r - 1) + (2^n - 1)`, without cancellation near zero. Arguments are limited to where the
//! results are normal numbers.

use super::floats::Floats;
use super::integers::Integers;
use super::machine::Machine;
use super::tensors::{Map, Unary};
use crate::task::{Task, elements, elements_mut};
use convrnn_format::{Function, Numerics};

/// [`crate::kernels::activation::affine`]
pub(crate) fn affine(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let (scale, offset) = (f32::from_bits(task.record.first), f32::from_bits(task.record.second));
    map(task, machine, Affine { scale, offset })
}

/// [`crate::kernels::activation::run`]
pub(crate) fn run(task: &mut Task<'_>, machine: impl Machine) -> bool {
    match Function::from_byte(task.record.variant) {
        Some(Function::Relu) => map(task, machine, Relu),
        Some(Function::Elu) => map(task, machine, Elu),
        Some(Function::Sigmoid) => map(task, machine, Sigmoid),
        Some(Function::Tanh) => map(task, machine, Tanh),
        None => false,
    }
}

fn map(task: &mut Task<'_>, machine: impl Machine, function: impl OfLanes) -> bool {
    let (Numerics::Real, Some(input)) = (task.numerics(), task.operand(0)) else { return false };
    let (input, output) = (elements(input.bytes), elements_mut(task.output));
    machine.dispatch(Map { input, output, function: OfFloats(function) })
}

struct OfFloats<M>(M);

#[allow(unsafe_code)]
impl<M: OfLanes> Unary<f32, f32> for OfFloats<M> {
    #[inline(always)]
    fn lanes<I: Integers, F: Floats>() -> usize {
        F::LANES
    }

    #[inline(always)]
    unsafe fn vector<I: Integers, F: Floats>(&self, input: *const f32, output: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.0.of(F::load(input)).store(output) }
    }
}

/// A function of every lane.
#[allow(unsafe_code)]
trait OfLanes {
    /// # Safety
    /// The processor has the instructions.
    unsafe fn of<F: Floats>(&self, x: F) -> F;
}

struct Affine {
    scale: f32,
    offset: f32,
}

#[allow(unsafe_code)]
impl OfLanes for Affine {
    #[inline(always)]
    unsafe fn of<F: Floats>(&self, x: F) -> F {
        // SAFETY: the caller's promise.
        unsafe { x.multiply_add(F::splat(self.scale), F::splat(self.offset)) }
    }
}

struct Relu;

#[allow(unsafe_code)]
impl OfLanes for Relu {
    #[inline(always)]
    unsafe fn of<F: Floats>(&self, x: F) -> F {
        // SAFETY: the caller's promise.
        unsafe { x.maximum(F::splat(0.0)) }
    }
}

struct Elu;

#[allow(unsafe_code)]
impl OfLanes for Elu {
    #[inline(always)]
    unsafe fn of<F: Floats>(&self, x: F) -> F {
        // SAFETY: the caller's promise.
        unsafe {
            let (less_one, _) = exponential(x.minimum(F::splat(0.0)));
            x.if_positive_else(less_one)
        }
    }
}

struct Sigmoid;

#[allow(unsafe_code)]
impl OfLanes for Sigmoid {
    #[inline(always)]
    unsafe fn of<F: Floats>(&self, x: F) -> F {
        // SAFETY: the caller's promise.
        unsafe {
            // Below -87 the result would be smaller than every normal number, and x86 takes some hundred cycles
            // for each such vector, here and wherever it is read. At -50 no product with it is that small either.
            let x = x.maximum(F::splat(-50.0));
            let (_, power) = exponential(F::splat(0.0).subtract(x));
            F::splat(1.0).divide(F::splat(1.0).add(power))
        }
    }
}

struct Tanh;

#[allow(unsafe_code)]
impl OfLanes for Tanh {
    #[inline(always)]
    unsafe fn of<F: Floats>(&self, x: F) -> F {
        // SAFETY: the caller's promise.
        unsafe {
            // Beyond 10 it is 1 in f32.
            let x = x.maximum(F::splat(-10.0)).minimum(F::splat(10.0));
            let (less_one, _) = exponential(x.add(x));
            less_one.divide(less_one.add(F::splat(2.0)))
        }
    }
}

/// `e^x - 1` and `e^x`, the argument limited to -87 to 88.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn exponential<F: Floats>(x: F) -> (F, F) {
    // ln 2 in two parts, the first with zeros at its end, so that its products with whole numbers are exact.
    const HIGH: f32 = 355.0 / 512.0;
    const LOW: f32 = -2.121_944_4e-4;
    const COEFFICIENTS: [f32; 5] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    // SAFETY: the caller's promise.
    unsafe {
        let x = x.maximum(F::splat(-87.0)).minimum(F::splat(88.0));
        let (whole, power) = x.multiply(F::splat(core::f32::consts::LOG2_E)).round_to_power();
        let rest = whole.multiply_add(F::splat(-HIGH), x);
        let rest = whole.multiply_add(F::splat(-LOW), rest);
        let mut sum = F::splat(1.0 / 5040.0);
        for coefficient in COEFFICIENTS {
            sum = sum.multiply_add(rest, F::splat(coefficient));
        }
        let less_one = sum.multiply(rest).multiply_add(rest, rest);
        (power.multiply_add(less_one, power.subtract(F::splat(1.0))), power.multiply_add(less_one, power))
    }
}
