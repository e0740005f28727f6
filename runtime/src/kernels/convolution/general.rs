//! Any packing, through its descriptor.

use super::{Arithmetic, Finish, Geometry, Input};
use crate::kernels::integer::keep_rolled;
use crate::kernels::window::Span;
use bytemuck::Zeroable;
use convrnn_format::packing::WeightPosition;

/// One output element after the other.
#[inline(never)]
pub(super) fn convolve<A: Arithmetic>(geometry: &Geometry, inputs: &[Input<'_, A::Value>], finish: Finish<'_, A::Sum>) {
    let group_outputs = geometry.group_outputs();
    for row in 0..geometry.height {
        let down = geometry.rows.span(row);
        for column in 0..geometry.width {
            let along = geometry.columns.span(column);
            let position = row.wrapping_mul(geometry.width).wrapping_add(column);
            for output in 0..geometry.outputs {
                let group = output.checked_div(group_outputs).unwrap_or(0);
                let local = output.checked_rem(group_outputs).unwrap_or(0);
                let at = WeightPosition { group, output: local, input: 0, row: 0, column: 0 };
                let mut sum = A::Sum::zeroed();
                for input in inputs {
                    sum = one::<A>(geometry, input, down, along, at, sum);
                }
                finish(position, output, &[sum]);
            }
        }
    }
}

/// What one operand adds to one output element.
#[inline(never)]
fn one<A: Arithmetic>(
    geometry: &Geometry,
    input: &Input<'_, A::Value>,
    down: Span,
    along: Span,
    at: WeightPosition,
    mut sum: A::Sum,
) -> A::Sum {
    let shape = geometry.weight_shape(input.channels);
    let is_plain = geometry.packing.output_tile == 1 && geometry.packing.channel_tile == 1;
    for u in 0..down.length {
        for v in 0..along.length {
            let pixel = down.source.wrapping_add(u).wrapping_mul(geometry.columns.size);
            let pixel = pixel.wrapping_add(along.source).wrapping_add(v);
            let first = pixel.wrapping_mul(input.channels).wrapping_add(at.group.wrapping_mul(shape.inputs));
            let values = input.values.get(first..first.wrapping_add(shape.inputs)).unwrap_or(&[]);
            let at = WeightPosition { row: down.start.wrapping_add(u), column: along.start.wrapping_add(v), ..at };
            if is_plain {
                // The input channels of one tap follow one another.
                let start = geometry.packing.index(shape, at);
                let weights = input.weights.get(start..).unwrap_or(&[]);
                for (&value, &weight) in values.iter().zip(weights) {
                    keep_rolled();
                    sum = A::multiply_add(sum, value, input.zero_point, weight);
                }
                continue;
            }
            for (channel, &value) in values.iter().enumerate() {
                keep_rolled();
                let index = geometry.packing.index(shape, WeightPosition { input: channel, ..at });
                if let Some(&weight) = input.weights.get(index) {
                    sum = A::multiply_add(sum, value, input.zero_point, weight);
                }
            }
        }
    }
    sum
}
