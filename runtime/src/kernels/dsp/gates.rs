//! The loops of a gated sum over one block: products into sums, and the function of the sums.

#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
#[path = "gates/none.rs"]
mod turns;
#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
mod turns;

use crate::kernels::integer::{Integer, keep_rolled, rescale};
use crate::kernels::lookup::{fine_entry, interpolated_entry};

/// A rescale without a shift.
#[inline(always)]
fn scaled(value: i32, multiplier: i32) -> i32 {
    rescale(value, multiplier, 0)
}

/// Where the sums of products go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    /// They are the first ones.
    Begun,
    /// They are added to those that are there.
    Continued,
}

/// `sums[i] = R(table[(gates[i] + 32768) >> 5] * values[i])`, and what was there where they are continued
pub(super) fn fine_products(
    gates: &[i16],
    values: &[i16],
    table: &[i16; 2048],
    multiplier: i32,
    begin: Sums,
    sums: &mut [i32],
) {
    let done = turns::fine_products(gates, values, table, multiplier, begin, sums);
    for ((sum, &gate), &value) in sums.iter_mut().zip(gates).zip(values).skip(done) {
        keep_rolled();
        let product = scaled(fine_entry(table, gate).wrapping_mul(value.into()), multiplier);
        *sum = if begin == Sums::Begun { product } else { sum.wrapping_add(product) };
    }
}

/// `sums[i] = R(left[i] * right[i])`, and what was there where they are continued
pub(super) fn products(left: &[i16], right: &[i16], multiplier: i32, begin: Sums, sums: &mut [i32]) {
    let done = turns::products(left, right, multiplier, begin, sums);
    for ((sum, &left), &right) in sums.iter_mut().zip(left).zip(right).skip(done) {
        keep_rolled();
        let product = scaled(i32::from(left).wrapping_mul(right.into()), multiplier);
        *sum = if begin == Sums::Begun { product } else { sum.wrapping_add(product) };
    }
}

/// `targets[i] = table(saturate16(sums[i]))`, with lines between the entries
pub(super) fn function_of_sums(sums: &[i32], table: &[i16; 513], targets: &mut [i16]) {
    let done = turns::function_of_sums(sums, table, targets);
    for (target, &sum) in targets.iter_mut().zip(sums).skip(done) {
        keep_rolled();
        // Between two entries of 16 bits every value has 16 bits.
        *target = interpolated_entry(table, i16::saturate(sum)) as i16;
    }
}

/// `targets[i] = table(values[i])`, with lines between the entries
pub(crate) fn interpolate(values: &[i16], table: &[i16; 513], targets: &mut [i16]) {
    let done = turns::interpolate(values, table, targets);
    for (target, &value) in targets.iter_mut().zip(values).skip(done) {
        keep_rolled();
        *target = interpolated_entry(table, value) as i16;
    }
}
