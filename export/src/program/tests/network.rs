//! Random networks, and tensors of their programs as the interpreters have them.

pub use super::super::testing::networks::*;

use convrnn_graph::Shape;
use convrnn_graph::quantize::IntegerTensor;
use convrnn_runtime::{Backend, LoadError, Program, Task, Tensor as View, Uses};

/// `[channels, height, width]` to `[height, width, channels]`.
pub fn interleave<T: Copy>(shape: Shape, planes: &[T]) -> Vec<T> {
    let positions = shape.positions();
    (0..positions)
        .flat_map(|position| (0..shape.channels).map(move |channel| planes[channel * positions + position]))
        .collect()
}

/// Integers of a tensor in the arena, `[channels, height, width]`.
pub fn integers(view: &View<'_>, shape: Shape) -> IntegerTensor {
    let mut values = Vec::with_capacity(shape.elements());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                values.push(view.integer(view.index(channel, row, column)).expect("an integer"));
            }
        }
    }
    IntegerTensor { shape, values }
}

/// Reals of a tensor in the arena, `[channels, height, width]`.
pub fn reals(view: &View<'_>, shape: Shape) -> Vec<f64> {
    let mut values = Vec::with_capacity(shape.elements());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                values.push(f64::from(view.real(view.index(channel, row, column)).expect("a real")));
            }
        }
    }
    values
}

/// Cases of a property: a few hundred, or thousands with `CONVRNN_THOROUGH=1`.
pub fn cases(few: u64) -> std::ops::Range<u64> {
    let is_thorough = std::env::var_os("CONVRNN_THOROUGH").is_some_and(|value| value == "1");
    0..if is_thorough { 20 * few } else { few }
}

/// A backend, and how many convolutions it computed with others.
pub struct Counting<B>(pub B, pub usize);

impl<B: Backend> Backend for Counting<B> {
    const USES: Uses = B::USES;
    const HAS_CACHES: bool = B::HAS_CACHES;

    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        self.0.prepare(program)
    }

    fn run(&mut self, task: &mut Task<'_>) {
        self.0.run(task);
        self.1 += if task.has_done_siblings { task.siblings.len() } else { 0 };
    }
}
