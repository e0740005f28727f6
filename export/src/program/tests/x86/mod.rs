//! The backend for x86-64 against the portable one: integers to the bit, f32 within its tolerance.

mod networks;
mod operations;

use super::super::step::Value;
use super::super::testing::OneOperation;
use super::super::*;
use convrnn_runtime::backend::{Backend, Level, Portable, X86};
use convrnn_runtime::{Session, arena_length};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The levels that this processor has, above portable.
fn levels() -> Vec<X86> {
    let levels: Vec<X86> = Level::ALL.into_iter().filter_map(X86::with_level).collect();
    eprintln!("levels: {:?}", levels.iter().map(|backend| backend.level().name()).collect::<Vec<_>>());
    levels
}

/// What the operation gives on some backend for given bytes of its operands.
fn result<B: Backend>(program: &AlignedBytes, operands: &[Vec<u8>], backend: B) -> Vec<u8> {
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::with_backend(program, &mut arena, backend).expect("the program loads");
    for (index, bytes) in operands.iter().enumerate() {
        session.write_state(index, bytes).expect("the operand fits");
    }
    session.step();
    session.tap("result").expect("a tap").bytes.to_vec()
}

/// Random bytes for every operand of an integer operation, a third of them extremes.
fn random_integers(random: &mut ChaCha8Rng, operands: &[Value]) -> Vec<Vec<u8>> {
    let bytes = operands.iter().map(|value| {
        let elements = (0..value.shape.elements()).flat_map(|_| {
            let extreme = random.random_range(0..3) == 0;
            let integer = if extreme { [i16::MIN, i16::MAX, 0][random.random_range(0..3)] } else { random.random() };
            let bytes = integer.to_le_bytes();
            // The upper byte alone is an i8 with the same extremes.
            bytes[2 - value.element.size()..].to_vec()
        });
        elements.collect()
    });
    bytes.collect()
}

/// Fails unless every level gives the portable backend's bits.
fn assert_same_bits(operation: &OneOperation, seed: u64) {
    let bytes = random_integers(&mut ChaCha8Rng::seed_from_u64(seed), &operation.operands());
    let expected = result(&operation.program(Target::Portable), &bytes, Portable);
    for target in [Target::Rows, Target::Portable, Target::X86_64] {
        let program = operation.program(target);
        for backend in levels() {
            let found = result(&program, &bytes, backend);
            let differing = found.iter().zip(&expected).position(|(found, expected)| found != expected);
            let (level, context) = (backend.level().name(), &operation.description);
            assert_eq!(differing, None, "first differing byte, {level}, for {target:?}, seed {seed}: {context}");
            assert_eq!(found.len(), expected.len());
        }
    }
}

/// What the documentation of [`X86`] promises, relative to the largest magnitude or one.
const TOLERANCE: f32 = 1e-5;

/// Fails unless every level gives what the portable backend gives on numbers up to `limit`, within the tolerance.
fn assert_close(operation: &OneOperation, seed: u64, limit: f32) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut reals = |value: &Value| -> Vec<u8> {
        let values = (0..value.shape.elements()).map(|_| random.random_range(-limit..limit));
        values.flat_map(f32::to_le_bytes).collect()
    };
    let operands: Vec<Vec<u8>> = operation.operands().iter().map(&mut reals).collect();
    let numbers =
        |bytes: Vec<u8>| -> Vec<f32> { bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect() };
    let expected = numbers(result(&operation.program(Target::Portable), &operands, Portable));
    let magnitude = expected.iter().fold(1.0_f32, |largest, x| largest.max(x.abs()));
    for target in [Target::Portable, Target::X86_64] {
        let program = operation.program(target);
        for backend in levels() {
            let (level, context) = (backend.level().name(), &operation.description);
            let found = numbers(result(&program, &operands, backend));
            assert_eq!(found.len(), expected.len());
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let is_close = (found - expected).abs() <= TOLERANCE * magnitude;
                let place = format!("at {index}, {level}, {target:?}, seed {seed}: {context}");
                assert!(is_close, "{found}, expected {expected}, {place}");
            }
        }
    }
}
