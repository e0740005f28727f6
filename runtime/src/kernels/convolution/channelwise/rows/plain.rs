//! The loops in plain Rust.

use super::{Column, Job};
use crate::kernels::integer::{Integer, rescale};

/// Shifts the words of `count` columns, `pairs` each, by one; the last ones become the values of two rows.
pub(in super::super) fn advance(words: &mut [u32], pairs: usize, values: &[i8], count: usize, column: Column) {
    let half = |index: usize, zero: u32| {
        let value = i16::from(values.get(index).copied().unwrap_or(0));
        u32::from(value.wrapping_sub(zero as i16) as u16)
    };
    for (index, words) in words.chunks_exact_mut(pairs.max(1)).take(count).enumerate() {
        words.rotate_left(1);
        let first = index.wrapping_mul(column.step);
        let second = first.wrapping_add(column.row_distance);
        if let Some(last) = words.last_mut() {
            *last = (half(first, column.zeros) | half(second, column.zeros) << 16) & column.mask;
        }
    }
}

/// Outputs of `width` columns in two rows: `saturate(zero + R(bias + sum of words * weights))`. The second row is written
/// before the first.
pub(in super::super) fn two_rows(
    words: &[u32],
    pairs: usize,
    weights: &[u32],
    targets: &mut [i8],
    width: usize,
    job: Job,
) {
    let products = |word: u32, weight: u32| {
        let low = i32::from(word as i16).wrapping_mul((weight as i16).into());
        low.wrapping_add(i32::from((word >> 16) as i16).wrapping_mul(((weight >> 16) as i16).into()))
    };
    let side = 2 * pairs - 1;
    for column in 0..width {
        let [mut first, mut second] = job.bias;
        let window = words.get(column.wrapping_mul(pairs)..).unwrap_or(&[]);
        for (words, weights) in window.chunks_exact(pairs).zip(weights.chunks_exact(side - 1)).take(side) {
            let (even, odd) = weights.split_at(pairs - 1);
            for (index, &word) in words.iter().enumerate() {
                // The first row starts with the lower half of the first word and ends with that of the last one.
                let even = even.get(index).copied().unwrap_or(odd.last().map_or(0, |weight| weight >> 16));
                let odd = match index.checked_sub(1) {
                    Some(index) => odd.get(index).copied().unwrap_or(0),
                    None => weights.first().map_or(0, |weight| weight << 16),
                };
                first = first.wrapping_add(products(word, even));
                second = second.wrapping_add(products(word, odd));
            }
        }
        let place = column.wrapping_mul(job.step);
        for (place, sum) in [(place.wrapping_add(job.row_distance), second), (place, first)] {
            if let Some(target) = targets.get_mut(place) {
                *target = i8::saturate(job.zero.wrapping_add(rescale(sum, job.multiplier, 0)));
            }
        }
    }
}
