//! Convolutions that read the same operands through the same windows: with one weight after the other for each window.

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
    mut first: Part<'_>,
    siblings: &mut [Sibling<'_>],
) {
    if siblings.is_empty() {
        return gathered::convolve(extent, geometry, core::slice::from_mut(&mut first));
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
    let mut parts: [Part<'_>; MAXIMUM_SIBLINGS] = Default::default();
    let count = siblings.len().wrapping_add(1);
    let mut others = parts.iter_mut();
    if let Some(part) = others.next() {
        *part = first;
    }
    for ((part, sibling), inputs) in others.zip(siblings).zip(&inputs) {
        let scaling = Scaling::new(program, &sibling.record, &sibling.target);
        *part = Part::new(geometry, inputs.get(..operands).unwrap_or(&[]), scaling, sibling.output);
    }
    gathered::convolve(extent, geometry, parts.get_mut(..count).unwrap_or(&mut []));
}
