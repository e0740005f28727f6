//! Convolutions that read the same operands through the same windows, which are multiplied with the weights of all.

use super::gathered::{self, Part};
use super::{Extent, Geometry, Input, Scaling};
use crate::task::{Sibling, constant};
use convrnn_format::{MAXIMUM_SIBLING_OPERANDS, MAXIMUM_SIBLINGS, Program};

/// Convolves, if windows and rows fit the stack, and so its siblings.
#[inline(never)]
pub(super) fn convolve<'a>(
    program: &'a Program<'a>,
    extent: &Extent,
    geometry: &Geometry,
    first: Part<'_>,
    siblings: &mut [Sibling<'_>],
) {
    if siblings.is_empty() {
        return gathered::convolve(extent, geometry, first, &mut []);
    }
    let empty = Input { values: &[], weights: &[], channels: 0, zero_point: 0 };
    let mut inputs = [[empty; MAXIMUM_SIBLING_OPERANDS]; MAXIMUM_SIBLINGS - 1];
    for (own, sibling) in inputs.iter_mut().zip(siblings.iter()) {
        for (slot, (input, of_first)) in own.iter_mut().zip(first.inputs).enumerate() {
            let operand = program.operand(&sibling.record, slot);
            let weights = operand.map_or(&[][..], |operand| constant(program, operand.weights, of_first.weights.len()));
            *input = Input { weights, ..*of_first };
        }
    }
    let operands = first.inputs.len();
    let mut others: [Part<'_>; MAXIMUM_SIBLINGS - 1] = Default::default();
    let count = siblings.len();
    for ((part, sibling), inputs) in others.iter_mut().zip(siblings).zip(&inputs) {
        let scaling = Scaling::new(program, &sibling.record, &sibling.target);
        *part = Part::new(geometry, inputs.get(..operands).unwrap_or(&[]), scaling, sibling.output);
    }
    gathered::convolve(extent, geometry, first, others.get_mut(..count).unwrap_or(&mut []));
}
