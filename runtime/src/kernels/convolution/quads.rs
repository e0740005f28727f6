//! f32 convolution, four positions by four output channels at a time: weights `[tile][row][column][input][4]`, one group.
//!
//! All sixteen sums stay in registers of the floating-point unit along one run of values. Products are rounded and then
//! added, in the order of rows, columns and channels, as the portable kernel does it: the same results.

mod run;

use super::{Finish, Geometry, Input};
use crate::kernels::window::Span;
use run::{LANES, Sums, TILE, accumulate};

/// Tiles of output channels that one run serves.
const TILES: usize = 8;

/// Values of the padding, for so many channels at a time.
static ZEROS: [f32; 64] = [0.0; 64];

/// Neighbouring output positions of a row; the last ones may lie behind its end and do not count.
pub(super) fn convolve(geometry: &Geometry, inputs: &[Input<'_, f32>], finish: Finish<'_, f32>) {
    for row in 0..geometry.height {
        let down = geometry.rows.span(row);
        for column in (0..geometry.width).step_by(LANES) {
            let count = geometry.width.wrapping_sub(column).min(LANES);
            for first in (0..geometry.outputs).step_by(TILES * TILE) {
                let mut sums: [Sums; TILES] = [[[0.0; TILE]; LANES]; TILES];
                let used = geometry.outputs.wrapping_sub(first).min(TILES * TILE);
                let sums = sums.get_mut(..used.div_ceil(TILE)).unwrap_or(&mut []);
                for input in inputs {
                    add(geometry, input, down, column, first / TILE, sums);
                }
                let position = row.wrapping_mul(geometry.width).wrapping_add(column);
                for (tile, sums) in sums.iter().enumerate() {
                    let own = tile.wrapping_mul(TILE);
                    let used = used.wrapping_sub(own).min(TILE);
                    for (lane, sums) in sums.iter().enumerate().take(count) {
                        let sums = sums.get(..used).unwrap_or(&[]);
                        finish(position.wrapping_add(lane), first.wrapping_add(own), sums);
                    }
                }
            }
        }
    }
}

/// What one operand adds to the sums of tiles. Where all windows lie inside the map from left to right, a row of the
/// kernel is one run; else each of its columns is, and windows that have it in the padding read zeros.
fn add(geometry: &Geometry, input: &Input<'_, f32>, down: Span, column: usize, tile: usize, sums: &mut [Sums]) {
    let (columns, channels) = (&geometry.columns, input.channels);
    let kernel = columns.kernel.wrapping_mul(channels).wrapping_mul(TILE);
    let distance = geometry.rows.kernel.wrapping_mul(kernel);
    let tile = tile.wrapping_mul(distance);
    let mut add_run = |lanes: [&[f32]; LANES], start: usize| {
        let mut start = start;
        for sums in sums.iter_mut() {
            accumulate(lanes, input.weights.get(start..).unwrap_or(&[]), sums);
            start = start.wrapping_add(distance);
        }
    };
    let corner = column.wrapping_mul(columns.stride);
    let end = (LANES - 1).wrapping_mul(columns.stride).wrapping_add(corner).wrapping_add(columns.kernel);
    let is_inside = corner >= columns.before && end <= columns.size.wrapping_add(columns.before);
    for u in 0..down.length {
        let line = down.source.wrapping_add(u).wrapping_mul(columns.size);
        let weights = down.start.wrapping_add(u).wrapping_mul(kernel).wrapping_add(tile);
        if is_inside {
            let left = line.wrapping_add(corner).wrapping_sub(columns.before).wrapping_mul(channels);
            let step = columns.stride.wrapping_mul(channels);
            let length = columns.kernel.wrapping_mul(channels);
            let lanes = core::array::from_fn(|lane| {
                let start = lane.wrapping_mul(step).wrapping_add(left);
                input.values.get(start..start.wrapping_add(length)).unwrap_or(&[])
            });
            add_run(lanes, weights);
            continue;
        }
        for v in 0..columns.kernel {
            for block in (0..channels).step_by(ZEROS.len()) {
                let length = channels.wrapping_sub(block).min(ZEROS.len());
                let lanes = core::array::from_fn(|lane| {
                    let place = lane.wrapping_mul(columns.stride).wrapping_add(corner).wrapping_add(v);
                    let inside = place.checked_sub(columns.before).filter(|&place| place < columns.size);
                    let start = inside.map(|place| line.wrapping_add(place).wrapping_mul(channels).wrapping_add(block));
                    let values = start.and_then(|start| input.values.get(start..start.wrapping_add(length)));
                    values.unwrap_or(ZEROS.get(..length).unwrap_or(&[]))
                });
                let tap = v.wrapping_mul(channels).wrapping_add(block).wrapping_mul(TILE);
                add_run(lanes, weights.wrapping_add(tap));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::convolution::{Real, interleaved};
    use crate::kernels::window::Axis;
    use convrnn_format::Packing;
    use proptest::prelude::*;

    proptest! {
        /// The sums are those of the portable kernel, to the bit.
        #[test]
        fn sums_are_those_of_the_portable_kernel(
            (height, width) in (1_usize..6, 1_usize..10),
            outputs in prop::sample::select(&[1_usize, 4, 6, 37]),
            channels in prop::sample::select(&[1_usize, 3, 4, 65]),
            (kernel, stride, before, after) in (1_usize..5, 1_usize..3, 0_usize..4, 0_usize..4),
            seed in any::<u32>(),
        ) {
            let extent = |size: usize| (size + before + after).checked_sub(kernel).map(|room| room / stride + 1);
            let (Some(down), Some(along)) = (extent(height), extent(width)) else { return Ok(()) };
            let axis = |size| Axis { size, kernel, stride, before };
            let (rows, columns) = (axis(height), axis(width));
            let packing = Packing::interleaved(4, 4);
            let geometry = Geometry { rows, columns, height: down, width: along, outputs, groups: 1, packing };
            let number = |index: usize| {
                let mixed = (index as u32).wrapping_add(seed).wrapping_mul(2_654_435_761);
                (mixed >> 8) as f32 / 1e6 - 8.0
            };
            let values: [f32; 6 * 10 * 65] = core::array::from_fn(number);
            let weights: [f32; 10 * 4 * 4 * 65 * 4] = core::array::from_fn(|index| number(index + 7777));
            let input = Input {
                values: &values[..height * width * channels],
                weights: &weights[..outputs.div_ceil(4) * kernel * kernel * channels * 4],
                channels,
                zero_point: 0,
            };
            let (mut expected, mut found) = ([0_f32; 11 * 15 * 37], [0_f32; 11 * 15 * 37]);
            let write = |target: &mut [f32], position: usize, first: usize, sums: &[f32]| {
                let start = position * outputs + first;
                target[start..start + sums.len()].copy_from_slice(sums);
            };
            interleaved::convolve::<Real, 4>(&geometry, &[input], &mut |position, first, sums: &[f32]| {
                write(&mut expected, position, first, sums);
            });
            convolve(&geometry, &[input], &mut |position, first, sums: &[f32]| write(&mut found, position, first, sums));
            prop_assert_eq!(found.map(f32::to_bits), expected.map(f32::to_bits));
        }
    }
}
