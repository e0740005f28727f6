//! Integer depthwise convolution by pairs of rows, for processors that multiply two pairs of 16-bit values at once.
//!
//! Channel after channel, two output rows at a time. A word holds the values of one column in two neighbouring rows, widened
//! to 16 bits with the zero point taken off and real zeros for the padding. The words of a column cover all rows that two
//! output rows read, and the next two output rows need one word more: every value is widened once. Kernels are filled up
//! with zeros to squares of odd side.

mod rows;

use super::rows::Extent;
use super::{Geometry, Input, Scaling};
use crate::kernels::integer::keep_rolled;
use crate::kernels::window::Axis;
use rows::{Column, Job};

/// Words of all columns of one channel.
const WORDS: usize = 1024;

/// The largest side of a kernel.
const SIDE: usize = 7;

/// Words of weights of one channel: for each column of the kernel the pairs of rows (0, 1), (2, 3) and so on, then (1, 2),
/// (3, 4) and so on.
const WEIGHT_WORDS: usize = SIDE * (SIDE - 1);

/// The largest shift that leaves a shifted weight in 16 bits.
const SHIFT: u8 = 8;

/// Pairs of rows of a column, for a kernel up to 7x7 filled up with zeros; 0 for a larger one.
const fn pairs(rows: &Axis, columns: &Axis) -> usize {
    match if rows.kernel > columns.kernel { rows.kernel } else { columns.kernel } {
        0..=3 => 2,
        4 | 5 => 3,
        6 | 7 => 4,
        8.. => 0,
    }
}

/// Columns that the output columns of a row read, for kernels filled up with zeros.
const fn columns(width: usize, pairs: usize) -> usize {
    width.saturating_add(pairs.saturating_mul(2)).saturating_sub(2)
}

/// Whether this is for a convolution with i8 output: kernels up to 7x7, a stride of 1, columns that fit the stack.
pub(super) const fn takes(extent: &Extent, shift: u8) -> bool {
    let pairs = pairs(&extent.rows, &extent.columns);
    let words = columns(extent.width, pairs).saturating_mul(pairs);
    extent.operands == 1
        && extent.rows.stride == 1
        && extent.columns.stride == 1
        && shift <= SHIFT
        && pairs > 0
        && words <= WORDS
}

/// Convolves what it [`takes`]; nothing where values, weights or outputs do not reach.
///
/// The shift of the rescale is applied to weights and bias; the sum, which wraps at 32 bits, is then shifted too.
#[inline(never)]
pub(super) fn convolve(geometry: &Geometry, inputs: &[Input<'_, i8>], scaling: &Scaling<'_>, output: &mut [i8]) {
    let [input] = inputs else { return };
    let channels = input.channels;
    let pairs @ 2..=4 = pairs(&geometry.rows, &geometry.columns) else { return };
    let columns = columns(geometry.width, pairs);
    let area = |height: usize, width: usize| height.saturating_mul(width).saturating_mul(channels);
    let fits = area(geometry.rows.size, geometry.columns.size) <= input.values.len()
        && area(geometry.rows.kernel, geometry.columns.kernel) <= input.weights.len()
        && area(geometry.height, geometry.width) <= output.len()
        && channels <= scaling.bias.len().min(scaling.multipliers.len());
    if !fits || geometry.height == 0 || geometry.width == 0 {
        return;
    }
    let mut weights = [0; WEIGHT_WORDS];
    let mut words = [0; WORDS];
    let words = words.get_mut(..columns.wrapping_mul(pairs)).unwrap_or(&mut []);
    let parameters = scaling.bias.iter().zip(scaling.multipliers).take(channels);
    for (channel, (&bias, &multiplier)) in parameters.enumerate() {
        pair_weights(geometry, input, channel, pairs, scaling.shift, &mut weights);
        let bias = bias.wrapping_shl(scaling.shift.into());
        let mut next = 0;
        for row in (0..geometry.height).step_by(2) {
            // Before the first rows all words are to be filled, later the last one.
            let wanted = (row / 2).wrapping_add(pairs);
            while next < wanted {
                feed(geometry, input, channel, next, words, pairs);
                next = next.wrapping_add(1);
            }
            let line = geometry.width.wrapping_mul(channels);
            let has_second = row.wrapping_add(1) < geometry.height;
            let job = Job {
                bias: [bias; 2],
                zero: scaling.zero,
                step: channels,
                multiplier,
                // The first row is written after the second, over it where there is none.
                row_distance: if has_second { line } else { 0 },
            };
            let targets = output.get_mut(row.wrapping_mul(line).wrapping_add(channel)..).unwrap_or(&mut []);
            rows::two_rows(words, pairs, &weights, targets, geometry.width, job);
        }
    }
}

/// Writes the weights of a channel in pairs of rows, shifted, into words that were zero or those of another channel.
#[inline(never)]
fn pair_weights(
    geometry: &Geometry,
    input: &Input<'_, i8>,
    channel: usize,
    pairs: usize,
    shift: u8,
    words: &mut [u32; WEIGHT_WORDS],
) {
    let line = geometry.columns.kernel.wrapping_mul(input.channels).max(1);
    let odd_pairs = pairs.wrapping_sub(1);
    let columns = words.chunks_exact_mut(odd_pairs.wrapping_mul(2).max(1)).take(geometry.columns.kernel);
    let mut start = channel;
    for words in columns {
        let mut row = start;
        let mut next = || {
            // Below the kernel's last row this is past the end.
            let weight = i16::from(input.weights.get(row).copied().unwrap_or(0));
            row = row.wrapping_add(line);
            u32::from(weight.wrapping_shl(shift.into()) as u16)
        };
        let mut first = next();
        let (even, odd) = words.split_at_mut_checked(odd_pairs).unwrap_or_default();
        for (even, odd) in even.iter_mut().zip(odd) {
            keep_rolled();
            let (second, third) = (next(), next());
            *even = first | second << 16;
            *odd = second | third << 16;
            first = third;
        }
        start = start.wrapping_add(input.channels);
    }
}

/// Shifts the words of all columns by one and makes the last ones those of the rows `2 * pair` and `2 * pair + 1`, counted
/// from the first one that the first output row reads.
#[inline(never)]
fn feed(geometry: &Geometry, input: &Input<'_, i8>, channel: usize, pair: usize, words: &mut [u32], pairs: usize) {
    let (height, width, before) = (geometry.rows.size, geometry.columns.size, geometry.rows.before);
    let line = width.wrapping_mul(input.channels);
    let row = |row: usize| row.checked_sub(before).filter(|&row| row < height);
    let (first, distance, mask) = match (row(pair.wrapping_mul(2)), row(pair.wrapping_mul(2).wrapping_add(1))) {
        (Some(first), Some(_)) => (first, line, u32::MAX),
        (Some(first), None) => (first, 0, 0x0000_ffff),
        (None, Some(second)) => (second, 0, 0xffff_0000),
        (None, None) => (0, 0, 0),
    };
    let values = input.values.get(first.wrapping_mul(line).wrapping_add(channel)..).unwrap_or(&[]);
    let zeros = u32::from(input.zero_point as u16).wrapping_mul(0x0001_0001);
    let column = Column { row_distance: distance, step: input.channels, zeros, mask };
    let words = words.get_mut(geometry.columns.before.wrapping_mul(pairs)..).unwrap_or(&mut []);
    let count = width.min(words.len().checked_div(pairs).unwrap_or(0));
    rows::advance(words, pairs, values, count, column);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::convolution::{Whole, depthwise, scale};
    use convrnn_format::Packing;
    use proptest::prelude::*;

    const MAXIMUM: usize = 9 * 9 * 5;

    proptest! {
        /// The outputs are those of the portable kernel, for kernels that are no squares and maps smaller than the kernel
        /// too; a kernel that is too large, a stride or a shift is left to it.
        #[test]
        fn outputs_are_those_of_the_portable_kernel(
            (height, width, channels) in (1_usize..8, 1_usize..8, 1_usize..5),
            (rows, columns) in (1_usize..8, 1_usize..8),
            (before, after) in ((0_usize..7, 0_usize..7), (0_usize..7, 0_usize..7)),
            (values, weights) in (prop::array::uniform32(any::<i8>()), prop::array::uniform32(-127_i8..)),
            (zero_point, zero, shift) in (-128_i32..128, -128_i32..128, 0_u8..10),
            (bias, multiplier) in (-100_000_i32..100_000, 0_i32..),
        ) {
            let extent = |size: usize, before: usize, after: usize, kernel: usize| (size + before + after + 1).checked_sub(kernel).filter(|&extent| extent > 0);
            let (Some(down), Some(along)) = (
                extent(height, before.0, after.0, rows),
                extent(width, before.1, after.1, columns),
            ) else { return Ok(()) };
            let geometry = Geometry {
                rows: Axis { size: height, kernel: rows, stride: 1, before: before.0 },
                columns: Axis { size: width, kernel: columns, stride: 1, before: before.1 },
                height: down.min(9),
                width: along.min(9),
                outputs: channels,
                groups: channels,
                packing: Packing::depthwise(1),
            };
            let values: [i8; MAXIMUM] = core::array::from_fn(|index| values[index % 32].wrapping_add((index / 32) as i8));
            let weights: [i8; MAXIMUM] = core::array::from_fn(|index| weights[index * 7 % 32]);
            let bias: [i32; 5] = core::array::from_fn(|index| bias.wrapping_mul(1 + index as i32));
            let multipliers = [multiplier, 0, i32::MAX, multiplier / 2, multiplier / 1000];
            let input = Input {
                values: &values[..height * width * channels],
                weights: &weights[..rows * columns * channels],
                channels,
                zero_point,
            };
            let (bias, multipliers) = (&bias[..channels], &multipliers[..channels]);
            let scaling = Scaling { bias, multipliers, shift, zero, element: 0 };
            let length = geometry.height * geometry.width * channels;
            let (mut expected, mut found) = ([0_i8; MAXIMUM], [0_i8; MAXIMUM]);
            depthwise::convolve::<Whole>(&geometry, &[input], &mut |position, first, sums: &[i32]| {
                let end = (position + 1) * channels;
                let targets = &mut expected[position * channels + first..end];
                scale(targets, sums, &bias[first..], &multipliers[first..], shift, zero);
            });
            let extent = Extent::new(geometry.rows, geometry.columns, geometry.width).with(channels);
            prop_assert_eq!(takes(&extent, shift), shift <= SHIFT);
            if shift <= SHIFT {
                convolve(&geometry, &[input], &scaling, &mut found[..length]);
                prop_assert_eq!(&found[..length], &expected[..length]);
            }
            let strided = Extent { rows: Axis { stride: 2, ..geometry.rows }, ..extent };
            let large = Extent { rows: Axis { kernel: 8, ..geometry.rows }, ..extent };
            prop_assert!(!takes(&strided, 0) && !takes(&large, 0) && !takes(&extent.with(channels), 0));
        }
    }
}
