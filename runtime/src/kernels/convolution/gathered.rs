//! Integer convolution over gathered windows: weights `[tile][row][column][input][2]`, one group.
//!
//! The windows of neighbouring outputs are copied once to the stack, widened to 16 bits with the
//! zero points taken off and real zeros for the padding, and then serve every output channel. So
//! all windows are alike, the inner loop is one run over all operands' rows, and a pair of values
//! fills one 32-bit word, as the 16-bit multipliers of small processors want it.

use super::block::{BLOCK, BlockSums, LARGE, SMALL, TILE, WINDOWS, Words, accumulate};
use super::widen::{Rows, shift, widen};
use super::{Finish, Geometry, Input};
use crate::kernels::window::Span;

/// Whether a window fits the stack buffer; larger ones go the direct way.
pub(super) fn fits(geometry: &Geometry, inputs: &[Input<'_, i8>]) -> bool {
    geometry.groups == 1 && words(geometry, inputs) <= LARGE
}

/// Words of a window.
fn words(geometry: &Geometry, inputs: &[Input<'_, i8>]) -> usize {
    let area = geometry.rows.kernel.saturating_mul(geometry.columns.kernel);
    inputs.iter().fold(0, |sum: usize, input| sum.saturating_add(area.saturating_mul(input.channels).div_ceil(2)))
}

/// Several windows at a time; where the positions end, the last ones repeat what is there.
///
/// There are two sizes of the buffer, since clearing it takes time.
pub(super) fn convolve(geometry: &Geometry, inputs: &[Input<'_, i8>], finish: Finish<'_, i32>) {
    if words(geometry, inputs) <= SMALL {
        convolve_within::<SMALL>(geometry, inputs, finish);
    } else {
        convolve_within::<LARGE>(geometry, inputs, finish);
    }
}

#[inline(never)]
fn convolve_within<const WORDS: usize>(geometry: &Geometry, inputs: &[Input<'_, i8>], finish: Finish<'_, i32>) {
    let positions = geometry.height.wrapping_mul(geometry.width);
    let mut windows: [Words; WORDS] = [[0; WINDOWS]; WORDS];
    let mut sums: BlockSums = [[0; BLOCK]; WINDOWS];
    let (mut row, mut column) = (0, 0);
    let mut down = geometry.rows.span(row);
    // Neighbouring windows share all columns but one, and each column is a number of whole words.
    let overlaps = geometry.columns.stride == 1
        && geometry.columns.kernel > 1
        && inputs.iter().all(|input| input.channels % 2 == 0);
    for position in (0..positions).step_by(WINDOWS) {
        for lane in 0..WINDOWS.min(positions.wrapping_sub(position)) {
            let along = geometry.columns.span(column);
            if overlaps && column > 0 {
                follow(geometry, inputs, down, along, &mut windows, lane);
            } else {
                gather(geometry, inputs, down, along, &mut windows, lane);
            }
            column = column.wrapping_add(1);
            if column == geometry.width {
                (row, column) = (row.wrapping_add(1), 0);
                down = geometry.rows.span(row);
            }
        }
        for first in (0..geometry.outputs).step_by(BLOCK) {
            let count = geometry.outputs.wrapping_sub(first).min(BLOCK);
            sum(geometry, inputs, &windows, first, count, &mut sums);
            for (index, sums) in sums.iter().take(positions.wrapping_sub(position)).enumerate() {
                finish(position.wrapping_add(index), first, sums.get(..count).unwrap_or(&[]));
            }
        }
    }
}

/// Copies one window: operand by operand, row by row; an odd operand is filled up with a zero.
#[inline(never)]
fn gather(geometry: &Geometry, inputs: &[Input<'_, i8>], down: Span, along: Span, windows: &mut [Words], lane: usize) {
    let is_whole = (down.length, along.length) == (geometry.rows.kernel, geometry.columns.kernel);
    let mut rest = windows;
    for input in inputs {
        let line = geometry.columns.kernel.wrapping_mul(input.channels);
        let whole = line.wrapping_mul(geometry.rows.kernel);
        let Some((own, after)) = rest.split_at_mut_checked(whole.div_ceil(2)) else { return };
        rest = after;
        if !is_whole {
            for word in own.iter_mut().filter_map(|words| words.get_mut(lane)) {
                *word = 0;
            }
        } else if let Some(word) = own.last_mut().and_then(|words| words.get_mut(lane)) {
            // The half that an odd length leaves over.
            *word = 0;
        }
        let value_step = geometry.columns.size.wrapping_mul(input.channels);
        let start = down.source.wrapping_mul(value_step).wrapping_add(along.source.wrapping_mul(input.channels));
        let target_start = down.start.wrapping_mul(line).wrapping_add(along.start.wrapping_mul(input.channels));
        let length = along.length.wrapping_mul(input.channels);
        let is_one_run = line == value_step && length == line;
        let rows = if is_one_run {
            let all = down.length.wrapping_mul(length);
            Rows { count: 1, length: all, target_step: all, value_step: all }
        } else {
            Rows { count: down.length, length, target_step: line, value_step }
        };
        let values = input.values.get(start..).unwrap_or(&[]);
        widen(own, lane, target_start, values, rows, input.zero_point as i16);
    }
}

/// One window after that of the column before, which is in the lane before: all columns move on by one, with the zeros of
/// the padding, and the last one is new.
#[inline(never)]
fn follow(geometry: &Geometry, inputs: &[Input<'_, i8>], down: Span, along: Span, windows: &mut [Words], lane: usize) {
    let (height, kernel) = (geometry.rows.kernel, geometry.columns.kernel);
    // A window that lies in the padding as a whole has no last column in the map.
    let is_inside = along.length > 0 && along.start.wrapping_add(along.length) == kernel;
    let is_whole = is_inside && down.length == height;
    let column = along.source.wrapping_add(along.length).wrapping_sub(1);
    let mut rest = windows;
    for input in inputs {
        let channels = input.channels;
        let (words, line) = (channels / 2, channels.wrapping_mul(kernel));
        let Some((own, after)) = rest.split_at_mut_checked((line / 2).wrapping_mul(height)) else { return };
        rest = after;
        shift(own, lane, words);
        if !is_whole {
            for row in own.chunks_exact_mut((line / 2).max(1)) {
                let last = row.iter_mut().rev().take(words);
                last.filter_map(|words| words.get_mut(lane)).for_each(|word| *word = 0);
            }
        }
        if is_inside {
            let value_step = geometry.columns.size.wrapping_mul(channels);
            let start = down.source.wrapping_mul(value_step).wrapping_add(column.wrapping_mul(channels));
            let values = input.values.get(start..).unwrap_or(&[]);
            let target_start = down.start.wrapping_add(1).wrapping_mul(line).wrapping_sub(channels);
            let rows = Rows { count: down.length, length: channels, target_step: line, value_step };
            widen(own, lane, target_start, values, rows, input.zero_point as i16);
        }
    }
}

/// Sums of `count` output channels from `first` on.
#[inline(always)]
fn sum(
    geometry: &Geometry,
    inputs: &[Input<'_, i8>],
    windows: &[Words],
    first: usize,
    count: usize,
    sums: &mut BlockSums,
) {
    let area = geometry.rows.kernel.wrapping_mul(geometry.columns.kernel);
    let mut word = 0_usize;
    for sums in sums.iter_mut() {
        sums.iter_mut().take(count.next_multiple_of(TILE)).for_each(|sum| *sum = 0);
    }
    for input in inputs {
        let length = area.wrapping_mul(input.channels);
        // `first` is a multiple of the tile, so its weights start at a tile.
        let weights = input.weights.get(first.wrapping_mul(length)..).unwrap_or(&[]);
        let tiles = weights.chunks_exact(length.wrapping_mul(TILE).max(1));
        let windows = windows.get(word..).unwrap_or(&[]);
        let tiles = tiles.take(count.div_ceil(TILE));
        for (channel, weights) in (0..BLOCK).step_by(TILE).zip(tiles) {
            accumulate(sums, channel, windows, weights);
        }
        word = word.wrapping_add(length.div_ceil(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::window::Axis;
    use convrnn_format::Packing;

    /// Every window of a row, taken over from the one before, against the same window gathered by itself; also where the
    /// padding is as large as the kernel, and where the kernel is larger than the map.
    #[test]
    fn a_window_that_follows_is_the_one_that_is_gathered() {
        let values: [i8; 4 * 5 * 6] = core::array::from_fn(|index| (index as i8).wrapping_mul(37).wrapping_add(11));
        for (kernel, before, after) in [(3, 1, 1), (3, 0, 0), (2, 1, 0), (7, 3, 3), (2, 2, 3), (3, 4, 4), (5, 0, 2)] {
            let axis = |size| Axis { size, kernel, stride: 1, before };
            let extent = |size: usize| size + before + after + 1 - kernel;
            if 4 + before + after < kernel {
                continue;
            }
            let geometry = Geometry {
                rows: axis(4),
                columns: axis(5),
                height: extent(4),
                width: extent(5),
                outputs: 2,
                groups: 1,
                packing: Packing::default(),
            };
            let input = |channels: usize, zero_point| Input {
                values: &values[..4 * 5 * channels],
                weights: &[],
                channels,
                zero_point,
            };
            let inputs = [input(6, -7), input(2, 90)];
            let mut following = [[0x5555_5555; WINDOWS]; LARGE];
            for row in 0..geometry.height {
                let down = geometry.rows.span(row);
                for column in 0..geometry.width {
                    let (along, lane) = (geometry.columns.span(column), column % WINDOWS);
                    let mut alone = [[0; WINDOWS]; LARGE];
                    gather(&geometry, &inputs, down, along, &mut alone, lane);
                    match column {
                        0 => gather(&geometry, &inputs, down, along, &mut following, lane),
                        _ => follow(&geometry, &inputs, down, along, &mut following, lane),
                    }
                    for word in 0..words(&geometry, &inputs) {
                        let (found, expected) = (following[word][lane], alone[word][lane]);
                        assert_eq!(found, expected, "kernel {kernel}, padding {before}, row {row}, column {column}");
                    }
                }
            }
        }
    }
}
