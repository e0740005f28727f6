//! One channel in, one channel out: weights `[row][column][channel]`.

use super::{Arithmetic, Finish, Geometry, Input};
use crate::kernels::integer::keep_rolled;
use bytemuck::Zeroable;

/// Channels that are summed at once.
const BLOCK: usize = 4;

/// Blocks of channels, so that loads of neighbours serve several sums.
#[inline(never)]
pub(super) fn convolve<A: Arithmetic>(geometry: &Geometry, inputs: &[Input<'_, A::Value>], finish: Finish<'_, A::Sum>) {
    let [input] = inputs else { return };
    let channels = input.channels;
    for row in 0..geometry.height {
        let down = geometry.rows.span(row);
        for column in 0..geometry.width {
            let along = geometry.columns.span(column);
            let position = row.wrapping_mul(geometry.width).wrapping_add(column);
            for first in (0..channels).step_by(BLOCK) {
                let mut sums = [A::Sum::zeroed(); BLOCK];
                for u in 0..down.length {
                    let line =
                        down.source.wrapping_add(u).wrapping_mul(geometry.columns.size).wrapping_add(along.source);
                    let taps =
                        down.start.wrapping_add(u).wrapping_mul(geometry.columns.kernel).wrapping_add(along.start);
                    for v in 0..along.length {
                        keep_rolled();
                        let value = line.wrapping_add(v).wrapping_mul(channels).wrapping_add(first);
                        let weight = taps.wrapping_add(v).wrapping_mul(channels).wrapping_add(first);
                        let values = input.values.get(value..).unwrap_or(&[]);
                        let weights = input.weights.get(weight..).unwrap_or(&[]);
                        // In the last block this reads on into neighbouring elements, whose sums
                        // are dropped.
                        for (sum, (&value, &weight)) in sums.iter_mut().zip(values.iter().zip(weights)) {
                            *sum = A::multiply_add(*sum, value, input.zero_point, weight);
                        }
                    }
                }
                finish(position, first, &sums);
            }
        }
    }
}
