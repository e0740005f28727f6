//! Whole tensors element by element, a vector at a time; what does not fill the last vector goes
//! through a buffer.
//!
//! What is done is a method of a trait and no closure, since only a function can be told to be
//! inlined, and what is not inlined is not compiled for the instructions.

use super::floats::Floats;
use super::integers::Integers;
use super::machine::{Kernel, MOST_LANES};

/// A function of every element.
#[allow(unsafe_code)]
pub(crate) trait Unary<A, Y> {
    /// Elements of a vector.
    fn lanes<I: Integers, F: Floats>() -> usize;

    /// Computes a vector of outputs.
    ///
    /// # Safety
    /// The processor has the instructions, and both pointers are good for a vector of elements.
    unsafe fn vector<I: Integers, F: Floats>(&self, input: *const A, output: *mut Y);
}

/// A function of every two elements.
#[allow(unsafe_code)]
pub(crate) trait Binary<A, B, Y> {
    /// Elements of a vector.
    fn lanes<I: Integers, F: Floats>() -> usize;

    /// Computes a vector of outputs.
    ///
    /// # Safety
    /// The processor has the instructions, and all pointers are good for a vector of elements.
    unsafe fn vector<I: Integers, F: Floats>(&self, left: *const A, right: *const B, output: *mut Y);
}

/// `output = function(input)`, as far as both reach.
pub(crate) struct Map<'a, A, Y, U> {
    pub input: &'a [A],
    pub output: &'a mut [Y],
    pub function: U,
}

#[allow(unsafe_code)]
impl<A: Copy + Default, Y: Copy + Default, U: Unary<A, Y>> Kernel for Map<'_, A, Y, U> {
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let lanes = U::lanes::<I, F>().clamp(1, MOST_LANES);
        let length = self.input.len().min(self.output.len());
        let whole = length - length % lanes;
        let (input, input_rest) = self.input.split_at(whole);
        let (output, output_rest) = self.output.split_at_mut(whole);
        for (input, output) in input.chunks_exact(lanes).zip(output.chunks_exact_mut(lanes)) {
            // SAFETY: both are as long as a vector; the rest is the caller's promise.
            unsafe { self.function.vector::<I, F>(input.as_ptr(), output.as_mut_ptr()) };
        }
        if whole < length {
            let (mut input, mut output) = ([A::default(); MOST_LANES], [Y::default(); MOST_LANES]);
            copy(&mut input, input_rest);
            // SAFETY: likewise.
            unsafe { self.function.vector::<I, F>(input.as_ptr(), output.as_mut_ptr()) };
            copy(output_rest, output.get(..length - whole).unwrap_or(&[]));
        }
    }
}

/// `output = function(left, right)`, as far as all reach.
pub(crate) struct Zip<'a, A, B, Y, U> {
    pub left: &'a [A],
    pub right: &'a [B],
    pub output: &'a mut [Y],
    pub function: U,
}

#[allow(unsafe_code)]
impl<A, B, Y, U> Kernel for Zip<'_, A, B, Y, U>
where
    A: Copy + Default,
    B: Copy + Default,
    Y: Copy + Default,
    U: Binary<A, B, Y>,
{
    #[inline(always)]
    unsafe fn run<I: Integers, F: Floats>(self) {
        let lanes = U::lanes::<I, F>().clamp(1, MOST_LANES);
        let length = self.left.len().min(self.right.len()).min(self.output.len());
        let whole = length - length % lanes;
        let (left, left_rest) = self.left.split_at(whole);
        let (right, right_rest) = self.right.split_at(whole);
        let (output, output_rest) = self.output.split_at_mut(whole);
        let operands = left.chunks_exact(lanes).zip(right.chunks_exact(lanes));
        for ((left, right), output) in operands.zip(output.chunks_exact_mut(lanes)) {
            // SAFETY: all are as long as a vector; the rest is the caller's promise.
            unsafe { self.function.vector::<I, F>(left.as_ptr(), right.as_ptr(), output.as_mut_ptr()) };
        }
        if whole < length {
            let (mut left, mut right) = ([A::default(); MOST_LANES], [B::default(); MOST_LANES]);
            let mut output = [Y::default(); MOST_LANES];
            copy(&mut left, left_rest);
            copy(&mut right, right_rest);
            // SAFETY: likewise.
            unsafe { self.function.vector::<I, F>(left.as_ptr(), right.as_ptr(), output.as_mut_ptr()) };
            copy(output_rest, output.get(..length - whole).unwrap_or(&[]));
        }
    }
}

#[inline(always)]
fn copy<T: Copy>(target: &mut [T], source: &[T]) {
    for (target, &source) in target.iter_mut().zip(source) {
        *target = source;
    }
}
