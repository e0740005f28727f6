//! States from which a program starts, and the steps at which its layers begin.

use super::step::{Step, bytes_of};
use convrnn_format::Element;
use convrnn_graph::passes::Precomputed;
use convrnn_graph::quantize::IntegerTensor;
use convrnn_graph::{Shape, Tensor};

/// Starts an f32 program from the values of the f64 reference, rounded.
pub(super) fn real(step: &mut Step, start: Precomputed<Tensor>) {
    step.first_steps = start.first_step;
    for (state, value) in step.states.iter_mut().zip(start.states) {
        let values: Vec<f32> = interleaved(value.shape, &value.values).map(|value| value as f32).collect();
        state.initial = values.iter().any(|&value| value != 0.0).then(|| bytes_of(&values, f32::to_le_bytes));
    }
}

/// Starts an int8 program from the values of the integer interpreter.
pub(super) fn integer(step: &mut Step, start: Precomputed<IntegerTensor>) {
    step.first_steps = start.first_step;
    for (state, value) in step.states.iter_mut().zip(start.states) {
        let is_zero = value.values.iter().all(|&value| value == state.value.zero_point);
        let values: Vec<i32> = interleaved(value.shape, &value.values).collect();
        state.initial = (!is_zero).then(|| match state.value.element {
            Element::I8 => bytes_of(&values, |value| (value as i8).to_le_bytes()),
            Element::I16 => bytes_of(&values, |value| (value as i16).to_le_bytes()),
            Element::I32 => bytes_of(&values, i32::to_le_bytes),
            Element::F32 => bytes_of(&values, |value| (value as f32).to_le_bytes()),
        });
    }
}

/// `[channels, height, width]` as the arena has it, `[height, width, channels]`.
fn interleaved<T: Copy>(shape: Shape, planes: &[T]) -> impl Iterator<Item = T> {
    let positions = shape.positions();
    (0..positions).flat_map(move |position| planes.iter().skip(position).step_by(positions).copied())
}
