//! `TILE` output channels side by side: weights `[group][tile][row][column][input][TILE]`.
//!
//! The inner loop walks one row of the kernel window. Where there is one group, the channels of
//! neighbouring columns follow one another in the map and in the weights, so the whole row is one
//! run. Each value loaded serves `TILE` sums, and each weight two neighbouring windows.

use super::{Arithmetic, Finish, Geometry, Input};
use crate::kernels::integer::keep_rolled;
use crate::kernels::window::Span;
use bytemuck::Zeroable;

/// Two windows at a time where both are clipped alike, else one.
#[inline(never)]
pub(super) fn convolve<A: Arithmetic, const TILE: usize>(
    geometry: &Geometry,
    inputs: &[Input<'_, A::Value>],
    finish: Finish<'_, A::Sum>,
) {
    let group_outputs = geometry.group_outputs();
    let tiles = group_outputs.div_ceil(TILE);
    for row in 0..geometry.height {
        let down = geometry.rows.span(row);
        let line = row.wrapping_mul(geometry.width);
        let mut column = 0;
        while column < geometry.width {
            let along = geometry.columns.span(column);
            let next = geometry.columns.span(column.wrapping_add(1));
            let alike = (next.start, next.length) == (along.start, along.length);
            let pair = alike && column.wrapping_add(1) < geometry.width;
            let position = line.wrapping_add(column);
            for group in 0..geometry.groups {
                for tile in 0..tiles {
                    let place = Place { group, tile: group.wrapping_mul(tiles).wrapping_add(tile), down, along };
                    let local = tile.wrapping_mul(TILE);
                    let first = group.wrapping_mul(group_outputs).wrapping_add(local);
                    let used = group_outputs.wrapping_sub(local).min(TILE);
                    if pair {
                        let sums = sum_pair::<A, TILE>(geometry, inputs, &place);
                        finish(position, first, sums[0].get(..used).unwrap_or(&[]));
                        finish(position.wrapping_add(1), first, sums[1].get(..used).unwrap_or(&[]));
                    } else {
                        let sums = sum_one::<A, TILE>(geometry, inputs, &place);
                        finish(position, first, sums.get(..used).unwrap_or(&[]));
                    }
                }
            }
            column = column.wrapping_add(if pair { 2 } else { 1 });
        }
    }
}

/// Which tile, and which part of the window.
struct Place {
    group: usize,
    /// Counted over all groups.
    tile: usize,
    down: Span,
    along: Span,
}

/// The contiguous runs of values and weights that one operand contributes: `each(offset of the
/// values, offset of the weights, length)`.
#[inline(always)]
fn runs<V, const TILE: usize>(
    geometry: &Geometry,
    input: &Input<'_, V>,
    place: &Place,
    mut each: impl FnMut(usize, usize, usize),
) {
    let group_inputs = if geometry.groups == 1 { input.channels } else { geometry.weight_shape(input.channels).inputs };
    let kernel_width = geometry.columns.kernel;
    let (down, along) = (place.down, place.along);
    let tile_taps = place.tile.wrapping_mul(geometry.rows.kernel).wrapping_mul(kernel_width);
    let (repeats, columns) = if geometry.groups == 1 { (1, along.length) } else { (along.length, 1) };
    for u in 0..down.length {
        let line = down.source.wrapping_add(u).wrapping_mul(geometry.columns.size).wrapping_add(along.source);
        let taps = down.start.wrapping_add(u).wrapping_mul(kernel_width).wrapping_add(along.start);
        let taps = taps.wrapping_add(tile_taps);
        for v in 0..repeats {
            let values = line.wrapping_add(v).wrapping_mul(input.channels);
            let values = values.wrapping_add(place.group.wrapping_mul(group_inputs));
            let weights = taps.wrapping_add(v).wrapping_mul(group_inputs).wrapping_mul(TILE);
            each(values, weights, columns.wrapping_mul(group_inputs));
        }
    }
}

#[inline(never)]
fn sum_one<A: Arithmetic, const TILE: usize>(
    geometry: &Geometry,
    inputs: &[Input<'_, A::Value>],
    place: &Place,
) -> [A::Sum; TILE] {
    let mut sums = [A::Sum::zeroed(); TILE];
    for input in inputs {
        let zero = input.zero_point;
        runs::<_, TILE>(geometry, input, place, |values, weights, length| {
            let values = input.values.get(values..values.wrapping_add(length)).unwrap_or(&[]);
            let (weights, _) = input.weights.get(weights..).unwrap_or(&[]).as_chunks::<TILE>();
            for (&value, weights) in values.iter().zip(weights) {
                keep_rolled();
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = A::multiply_add(*sum, value, zero, weight);
                }
            }
        });
    }
    sums
}

#[inline(never)]
fn sum_pair<A: Arithmetic, const TILE: usize>(
    geometry: &Geometry,
    inputs: &[Input<'_, A::Value>],
    place: &Place,
) -> [[A::Sum; TILE]; 2] {
    let mut sums = [[A::Sum::zeroed(); TILE]; 2];
    for input in inputs {
        let zero = input.zero_point;
        let step = geometry.columns.stride.wrapping_mul(input.channels);
        runs::<_, TILE>(geometry, input, place, |values, weights, length| {
            let left = input.values.get(values..values.wrapping_add(length)).unwrap_or(&[]);
            let start = values.wrapping_add(step);
            let right = input.values.get(start..start.wrapping_add(length)).unwrap_or(&[]);
            let (weights, _) = input.weights.get(weights..).unwrap_or(&[]).as_chunks::<TILE>();
            for ((&left, &right), weights) in left.iter().zip(right).zip(weights) {
                keep_rolled();
                for (index, &weight) in weights.iter().enumerate() {
                    sums[0][index] = A::multiply_add(sums[0][index], left, zero, weight);
                    sums[1][index] = A::multiply_add(sums[1][index], right, zero, weight);
                }
            }
        });
    }
    sums
}
