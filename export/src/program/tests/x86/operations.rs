//! Random operations, one at a time.

use super::super::network::cases;
use super::*;

#[test]
fn random_operations_give_the_portable_bits() {
    for seed in cases(300) {
        assert_same_bits(&OneOperation::operation(seed), seed);
    }
}

#[test]
fn random_operations_in_f32_are_within_the_tolerance() {
    for seed in cases(200) {
        // Every third tensor has magnitudes at which exponentials end.
        let limit = if seed.is_multiple_of(3) { 100.0 } else { 3.0 };
        assert_close(&OneOperation::real_operation(seed), seed, limit);
    }
}

#[test]
fn random_convolutions_give_the_portable_bits() {
    for seed in cases(300) {
        assert_same_bits(&OneOperation::convolution(seed), seed);
    }
}

#[test]
fn large_convolutions_give_the_portable_bits() {
    for (seed, operation) in (0..).zip(OneOperation::large_convolutions()) {
        assert_same_bits(&operation, seed);
    }
}

#[test]
fn random_convolutions_in_f32_are_within_the_tolerance() {
    for seed in cases(200) {
        assert_close(&OneOperation::real_convolution(seed), seed, 2.0);
    }
}

#[test]
fn convolutions_in_f32_in_blocks_of_whole_rows_are_within_the_tolerance() {
    for seed in cases(200) {
        assert_close(&OneOperation::real_convolution_in_rows(seed), seed, 2.0);
    }
}

#[test]
fn large_convolutions_in_f32_are_within_the_tolerance() {
    for (seed, operation) in (0..).zip(OneOperation::large_real_convolutions()) {
        assert_close(&operation, seed, 2.0);
    }
}
