//! The sums in plain Rust.

use super::{Begin, Outputs, TILE, TileSums, Weights, Words};
use crate::kernels::integer::{Integer, rescale};
use crate::task::elements_mut;

/// Everything was found to reach.
pub(super) fn run(
    windows: &[Words],
    weights: Weights<'_>,
    begin: Begin<'_>,
    sums: &mut [TileSums],
    mut outputs: Option<Outputs<'_>>,
) {
    for tile in 0..weights.tiles {
        let first = tile.wrapping_mul(TILE);
        let start = tile.wrapping_mul(weights.distance).wrapping_add(weights.start).wrapping_mul(TILE);
        let own = weights.bytes.get(start..).unwrap_or(&[]);
        let own = own.get(..weights.values.wrapping_mul(TILE)).unwrap_or(&[]);
        let before = match &begin {
            Begin::Bias(bias) => {
                let value = |index: usize| bias.get(first.wrapping_add(index)).copied().unwrap_or(0);
                core::array::from_fn(|index| value(index % TILE))
            }
            Begin::Sums => sums.get(tile).copied().unwrap_or_default(),
        };
        let found = products(windows, own, before);
        match &mut outputs {
            Some(outputs) => finish(outputs, first, &found),
            None => {
                if let Some(sums) = sums.get_mut(tile) {
                    *sums = found;
                }
            }
        }
    }
}

fn products(windows: &[Words], weights: &[i8], mut sums: TileSums) -> TileSums {
    for (words, weights) in windows.iter().zip(weights.chunks(2 * TILE)) {
        let (weights, _) = weights.as_chunks::<TILE>();
        let (tiles, _) = sums.as_chunks_mut::<TILE>();
        for ([left, right], &word) in tiles.iter_mut().zip(words) {
            let values = [word as i16, (word >> 16) as i16];
            for (&value, &[left_weight, right_weight]) in values.iter().zip(weights) {
                *left = left.wrapping_add(i32::from(value).wrapping_mul(i32::from(left_weight)));
                *right = right.wrapping_add(i32::from(value).wrapping_mul(i32::from(right_weight)));
            }
        }
    }
    sums
}

fn finish(outputs: &mut Outputs<'_>, first: usize, sums: &TileSums) {
    for (index, &sum) in sums.iter().enumerate() {
        let channel = first.wrapping_add(index % TILE);
        let Some(&multiplier) = outputs.multipliers.get(channel) else { return };
        let value = outputs.zero.wrapping_add(rescale(sum, multiplier, outputs.shift));
        let start = (index / TILE).wrapping_mul(outputs.distance);
        let bytes = outputs.bytes.get_mut(start..).unwrap_or(&mut []);
        if outputs.is_wide {
            if let Some(y) = elements_mut::<i16>(bytes).get_mut(channel) {
                *y = i16::saturate(value);
            }
        } else if let Some(y) = elements_mut::<i8>(bytes).get_mut(channel) {
            *y = i8::saturate(value);
        }
    }
}
