//! Integer convolution over gathered windows: weights `[tile][row][column][input][2]`, one group.
//!
//! The windows of two neighbouring outputs are copied once to the stack, widened to 16 bits with the
//! zero points taken off and real zeros for the padding, and then serve every output channel. So
//! all windows are alike, the inner loop is one run over all operands' rows, and a pair of values
//! fills one 32-bit word, as the 16-bit multipliers of small processors want it.

use super::pair::{TILE, accumulate};
use super::widen::widen;
use super::{Finish, Geometry, Input};

/// Most values of one window; larger ones go the direct way. Two windows take 4 bytes a value of stack.
const LIMIT: usize = 1024;

/// Whether a window fits the stack buffer.
pub(super) fn fits(geometry: &Geometry, inputs: &[Input<'_, i8>]) -> bool {
    let area = geometry.rows.kernel.saturating_mul(geometry.columns.kernel);
    let length = |input: &Input<'_, i8>| area.saturating_mul(input.channels).saturating_add(1);
    let whole = inputs.iter().fold(0_usize, |sum, input| sum.saturating_add(length(input)));
    geometry.groups == 1 && whole <= LIMIT
}

/// Output channels whose sums are kept before they are finished together.
const BLOCK: usize = 64;

/// Two windows at a time; an odd last one is computed beside the one before it.
pub(super) fn convolve(geometry: &Geometry, inputs: &[Input<'_, i8>], mut finish: impl Finish<i32>) {
    let positions = geometry.height.wrapping_mul(geometry.width);
    let mut windows = [[0_u32; LIMIT / 2]; 2];
    let mut sums = [[0_i32; BLOCK]; 2];
    let (mut row, mut column) = (0, 0);
    for position in (0..positions).step_by(2) {
        for (index, window) in windows.iter_mut().enumerate() {
            if position.wrapping_add(index) < positions {
                gather(geometry, inputs, row, column, bytemuck::cast_slice_mut(window));
            }
            column = column.wrapping_add(1);
            if column == geometry.width {
                (row, column) = (row.wrapping_add(1), 0);
            }
        }
        let has_second = position.wrapping_add(1) < positions;
        for first in (0..geometry.outputs).step_by(BLOCK) {
            let used = geometry.outputs.wrapping_sub(first).min(BLOCK);
            sum(geometry, inputs, &windows, first, used, &mut sums);
            finish(position, first, sums[0].get(..used).unwrap_or(&[]));
            if has_second {
                finish(position.wrapping_add(1), first, sums[1].get(..used).unwrap_or(&[]));
            }
        }
    }
}

/// Copies one window: operand by operand, row by row; an odd operand is filled up with a zero.
#[inline(never)]
fn gather(geometry: &Geometry, inputs: &[Input<'_, i8>], row: usize, column: usize, window: &mut [i16]) {
    let (down, along) = (geometry.rows.span(row), geometry.columns.span(column));
    let is_whole = (down.length, along.length) == (geometry.rows.kernel, geometry.columns.kernel);
    let mut rest = window;
    for input in inputs {
        let line = geometry.columns.kernel.wrapping_mul(input.channels);
        let whole = line.wrapping_mul(geometry.rows.kernel);
        let Some((own, after)) = rest.split_at_mut_checked(whole.wrapping_add(whole & 1)) else { return };
        rest = after;
        if !is_whole {
            own.fill(0);
        } else if let (1, Some(last)) = (whole & 1, own.last_mut()) {
            *last = 0;
        }
        let zero = input.zero_point as i16;
        let length = along.length.wrapping_mul(input.channels);
        let step = geometry.columns.size.wrapping_mul(input.channels);
        let mut start = down.source.wrapping_mul(step).wrapping_add(along.source.wrapping_mul(input.channels));
        let mut target_start = down.start.wrapping_mul(line).wrapping_add(along.start.wrapping_mul(input.channels));
        for _ in 0..down.length {
            let values = input.values.get(start..start.wrapping_add(length)).unwrap_or(&[]);
            let targets = own.get_mut(target_start..).unwrap_or(&mut []);
            widen(targets, values, zero);
            start = start.wrapping_add(step);
            target_start = target_start.wrapping_add(line);
        }
    }
}

/// Sums of `count` output channels from `first` on, at two positions.
#[inline(always)]
fn sum(
    geometry: &Geometry,
    inputs: &[Input<'_, i8>],
    windows: &[[u32; LIMIT / 2]; 2],
    first: usize,
    count: usize,
    sums: &mut [[i32; BLOCK]; 2],
) {
    let area = geometry.rows.kernel.wrapping_mul(geometry.columns.kernel);
    let [left_sums, right_sums] = sums;
    let mut word = 0_usize;
    for (index, input) in inputs.iter().enumerate() {
        let length = area.wrapping_mul(input.channels);
        let words = word..word.wrapping_add(length.div_ceil(2));
        word = words.end;
        let left = windows[0].get(words.clone()).unwrap_or(&[]);
        let right = windows[1].get(words).unwrap_or(&[]);
        // `first` is a multiple of the tile, so its weights start at a tile.
        let weights = input.weights.get(first.wrapping_mul(length)..).unwrap_or(&[]);
        let tiles = weights.chunks_exact(length.wrapping_mul(TILE).max(1));
        let ((left_tiles, _), (right_tiles, _)) = (left_sums.as_chunks_mut::<TILE>(), right_sums.as_chunks_mut::<TILE>());
        let targets = left_tiles.iter_mut().zip(right_tiles).take(count.div_ceil(TILE));
        for ((left_tile, right_tile), weights) in targets.zip(tiles) {
            let before = if index == 0 { [[0; TILE]; 2] } else { [*left_tile, *right_tile] };
            [*left_tile, *right_tile] = accumulate(before, left, right, weights);
        }
    }
}
