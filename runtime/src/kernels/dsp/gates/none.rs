//! No turns: the plain loops do it all.

use super::Sums;

pub(super) fn fine_products(_: &[i16], _: &[i16], _: &[i16; 2048], _: i32, _: Sums, _: &mut [i32]) -> usize {
    0
}

pub(super) fn products(_: &[i16], _: &[i16], _: i32, _: Sums, _: &mut [i32]) -> usize {
    0
}

pub(super) fn function_of_sums(_: &[i32], _: &[i16; 513], _: &mut [i16]) -> usize {
    0
}

pub(super) fn interpolate(_: &[i16], _: &[i16; 513], _: &mut [i16]) -> usize {
    0
}
