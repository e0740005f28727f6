//! Sums and products of two tensors, and changes of scale.

use super::floats::Floats;
use super::integers::{Element, Factor, Integers};
use super::machine::Machine;
use super::tensors::{Binary, Map, Unary, Zip};
use crate::kernels::integer::with_integer;
use crate::task::{Task, elements, elements_mut};
use convrnn_format::Numerics;

/// Zero points of operands and output.
#[derive(Clone, Copy)]
struct Zeros {
    left: i32,
    right: i32,
    output: i32,
}

/// [`crate::kernels::elementwise::add`]
pub(crate) fn add(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let record = task.record;
    let left = Factor::new(record.first, record.first_shift);
    let right = Factor::new(record.second, record.second_shift);
    combine(task, machine, Sum { left, right })
}

/// [`crate::kernels::elementwise::multiply`]
pub(crate) fn multiply(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let factor = Factor::new(task.record.first, task.record.first_shift);
    combine(task, machine, Product { factor })
}

/// [`crate::kernels::rescale::run`]
pub(crate) fn rescale(task: &mut Task<'_>, machine: impl Machine) -> bool {
    let Some(input) = task.operand(0) else { return false };
    let factor = Factor::new(task.record.first, task.record.first_shift);
    let zeros = Zeros { left: input.buffer.zero_point, right: 0, output: task.target.zero_point };
    let mut done = false;
    with_integer!(input.buffer.element, X => with_integer!(task.target.element, Y => {
        let (input, output) = (elements::<X>(input.bytes), elements_mut::<Y>(task.output));
        done = machine.dispatch(Map { input, output, function: Rescale { zeros, factor } });
    }));
    done
}

fn combine(task: &mut Task<'_>, machine: impl Machine, combine: impl Combine) -> bool {
    let (Some(left), Some(right)) = (task.operand(0), task.operand(1)) else { return false };
    let (left_zero, right_zero) = (left.buffer.zero_point, right.buffer.zero_point);
    let zeros = Zeros { left: left_zero, right: right_zero, output: task.target.zero_point };
    let mut done = false;
    match task.numerics() {
        Numerics::Real => {
            let (left, right) = (elements::<f32>(left.bytes), elements::<f32>(right.bytes));
            done = machine.dispatch(Zip { left, right, output: elements_mut(task.output), function: Real(combine) });
        }
        Numerics::Integer => with_integer!(left.buffer.element, A => with_integer!(right.buffer.element, B => {
            with_integer!(task.target.element, Y => {
                let (left, right) = (elements::<A>(left.bytes), elements::<B>(right.bytes));
                let output = elements_mut::<Y>(task.output);
                done = machine.dispatch(Zip { left, right, output, function: Whole { zeros, combine } });
            })
        })),
    }
    done
}

/// What is done with two operands.
#[allow(unsafe_code)]
trait Combine: Copy {
    /// # Safety
    /// The processor has the instructions.
    unsafe fn real<F: Floats>(&self, left: F, right: F) -> F;

    /// Zero points are off.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn integer<I: Integers>(&self, left: I, right: I) -> I;
}

#[derive(Clone, Copy)]
struct Sum {
    left: Factor,
    right: Factor,
}

#[allow(unsafe_code)]
impl Combine for Sum {
    #[inline(always)]
    unsafe fn real<F: Floats>(&self, left: F, right: F) -> F {
        // SAFETY: the caller's promise.
        unsafe { left.add(right) }
    }

    #[inline(always)]
    unsafe fn integer<I: Integers>(&self, left: I, right: I) -> I {
        // SAFETY: the caller's promise.
        unsafe { left.rescale(self.left).add(right.rescale(self.right)) }
    }
}

#[derive(Clone, Copy)]
struct Product {
    factor: Factor,
}

#[allow(unsafe_code)]
impl Combine for Product {
    #[inline(always)]
    unsafe fn real<F: Floats>(&self, left: F, right: F) -> F {
        // SAFETY: the caller's promise.
        unsafe { left.multiply(right) }
    }

    #[inline(always)]
    unsafe fn integer<I: Integers>(&self, left: I, right: I) -> I {
        // SAFETY: the caller's promise.
        unsafe { left.multiply(right).rescale(self.factor) }
    }
}

/// Of f32.
struct Real<C>(C);

#[allow(unsafe_code)]
impl<C: Combine> Binary<f32, f32, f32> for Real<C> {
    #[inline(always)]
    fn lanes<I: Integers, F: Floats>() -> usize {
        F::LANES
    }

    #[inline(always)]
    unsafe fn vector<I: Integers, F: Floats>(&self, left: *const f32, right: *const f32, output: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.0.real(F::load(left), F::load(right)).store(output) }
    }
}

/// Of integers.
struct Whole<C> {
    zeros: Zeros,
    combine: C,
}

#[allow(unsafe_code)]
impl<A: Element, B: Element, Y: Element, C: Combine> Binary<A, B, Y> for Whole<C> {
    #[inline(always)]
    fn lanes<I: Integers, F: Floats>() -> usize {
        I::LANES
    }

    #[inline(always)]
    unsafe fn vector<I: Integers, F: Floats>(&self, left: *const A, right: *const B, output: *mut Y) {
        // SAFETY: the caller's promise.
        unsafe {
            let left = A::load::<I>(left).subtract(I::splat(self.zeros.left));
            let right = B::load::<I>(right).subtract(I::splat(self.zeros.right));
            Y::store(output, I::splat(self.zeros.output).add(self.combine.integer(left, right)));
        }
    }
}

/// `saturate(z_out + factor(x - z))`
struct Rescale {
    zeros: Zeros,
    factor: Factor,
}

#[allow(unsafe_code)]
impl<X: Element, Y: Element> Unary<X, Y> for Rescale {
    #[inline(always)]
    fn lanes<I: Integers, F: Floats>() -> usize {
        I::LANES
    }

    #[inline(always)]
    unsafe fn vector<I: Integers, F: Floats>(&self, input: *const X, output: *mut Y) {
        // SAFETY: the caller's promise.
        unsafe {
            let value = X::load::<I>(input).subtract(I::splat(self.zeros.left));
            Y::store(output, I::splat(self.zeros.output).add(value.rescale(self.factor)));
        }
    }
}
