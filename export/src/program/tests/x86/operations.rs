//! Random operations other than convolutions, and functions of f32.

use super::super::super::step::{GatedSumWork, Table, Value, Work};
use super::*;
use convrnn_format::{Function, TableKind};
use convrnn_graph::{Padding, Pool, Resize, ResizeMode};

fn shape(random: &mut ChaCha8Rng) -> Shape {
    let channels = if random.random_bool(0.5) { random.random_range(1..40) } else { pick(random, &[16, 32, 48]) };
    Shape::new(channels, random.random_range(1..9), random.random_range(1..9))
}

fn pool(random: &mut ChaCha8Rng, shape: Shape) -> (Pool, Shape) {
    let kernel = [random.random_range(1..=3.min(shape.height)), random.random_range(1..=3.min(shape.width))];
    let stride = [random.random_range(1..=3), random.random_range(1..=3)];
    let mut side = |axis: usize| random.random_range(0..kernel[axis]);
    let padding = Padding { top: side(0), bottom: side(0), left: side(1), right: side(1) };
    let height = (shape.height + padding.top + padding.bottom - kernel[0]) / stride[0] + 1;
    let width = (shape.width + padding.left + padding.right - kernel[1]) / stride[1] + 1;
    (Pool { kernel, stride, padding }, Shape::new(shape.channels, height, width))
}

fn resize(random: &mut ChaCha8Rng, shape: Shape) -> (Resize, Shape) {
    let mode = pick(random, &[ResizeMode::BilinearAlignedCorners, ResizeMode::BilinearHalfPixel, ResizeMode::Nearest]);
    let (height, width) = (random.random_range(1..12), random.random_range(1..12));
    (Resize { height, width, mode }, Shape::new(shape.channels, height, width))
}

/// A random integer operation with its operands and its output.
fn integer_operation(random: &mut ChaCha8Rng) -> (Work, Vec<Value>, Value) {
    let shape = shape(random);
    let first = integer(random, shape);
    match random.random_range(0..8) {
        0 => {
            let work = Work::Add { left: factor(random), right: factor(random) };
            let second = integer(random, shape);
            (work, vec![first, second], integer(random, shape))
        }
        1 => {
            let second = integer(random, shape);
            (Work::Multiply(factor(random)), vec![first, second], integer(random, shape))
        }
        2 => (Work::Rescale(factor(random)), vec![first], integer(random, shape)),
        3 => (Work::Lookup(table(random, &first)), vec![first], integer(random, shape)),
        4 => {
            let (pool, output) = pool(random, shape);
            (Work::MaxPool(pool), vec![first], Value { shape: output, ..first })
        }
        5 => {
            let output = integer(random, Shape::new(shape.channels, 1, 1));
            (Work::GlobalAverage(factor(random)), vec![first], output)
        }
        6 => {
            let (resize, output) = resize(random, shape);
            (Work::Resize(resize), vec![first], Value { shape: output, ..first })
        }
        _ => {
            let count = pick(random, &[2, 4]);
            let operands: Vec<Value> = (0..count).map(|_| integer(random, shape)).collect();
            let tables = operands.iter().map(|value| random.random_bool(0.6).then(|| table(random, value))).collect();
            let function = random.random_bool(0.5).then(|| entries(random, TableKind::Interpolated));
            let factors = [factor(random), factor(random)];
            (Work::GatedSum(GatedSumWork { tables, factors, function }), operands, integer(random, shape))
        }
    }
}

/// A table that a value can be looked up in.
fn table(random: &mut ChaCha8Rng, value: &Value) -> Table {
    let kind = match value.element {
        Element::I8 => TableKind::Direct,
        Element::I16 | Element::I32 | Element::F32 => pick(random, &[TableKind::Interpolated, TableKind::Fine]),
    };
    entries(random, kind)
}

fn entries(random: &mut ChaCha8Rng, kind: TableKind) -> Table {
    Table { kind, entries: (0..kind.entries()).map(|_| random.random()).collect() }
}

#[test]
fn random_operations_give_the_portable_bits() {
    for seed in cases(300) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (work, operands, output) = integer_operation(&mut random);
        let context = format!("seed {seed}: {work:?} of {operands:?} to {output:?}");
        let step = step_of(work, &operands, output);
        assert_same_bits(&mut random, &step, &operands, &context);
    }
}

/// A random f32 operation with the shapes of its operands and of its output.
fn real_operation(random: &mut ChaCha8Rng) -> (Work, Vec<Shape>, Shape) {
    let shape = shape(random);
    let functions = [Function::Relu, Function::Elu, Function::Sigmoid, Function::Tanh];
    match random.random_range(0..7) {
        0 => (Work::Add { left: Factor::default(), right: Factor::default() }, vec![shape; 2], shape),
        1 => (Work::Multiply(Factor::default()), vec![shape; 2], shape),
        2 => (Work::Affine { scale: -1.5, offset: random.random_range(-2.0..2.0) }, vec![shape], shape),
        3 => (Work::Activation(pick(random, &functions)), vec![shape], shape),
        4 => {
            let (pool, output) = pool(random, shape);
            (Work::MaxPool(pool), vec![shape], output)
        }
        5 => (Work::GlobalAverage(Factor::default()), vec![shape], Shape::new(shape.channels, 1, 1)),
        _ => {
            let (resize, output) = resize(random, shape);
            (Work::Resize(resize), vec![shape], output)
        }
    }
}

#[test]
fn random_operations_in_f32_are_within_the_tolerance() {
    for seed in cases(200) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (work, shapes, output) = real_operation(&mut random);
        let context = format!("seed {seed}: {work:?} of {shapes:?}");
        let operands: Vec<Value> = shapes.into_iter().map(Value::real).collect();
        // Every third tensor has magnitudes at which exponentials end.
        let limit = if seed.is_multiple_of(3) { 100.0 } else { 3.0 };
        let bytes: Vec<Vec<u8>> = operands
            .iter()
            .map(|value| {
                let values = (0..value.shape.elements()).map(|_| random.random_range(-limit..limit));
                values.flat_map(f32::to_le_bytes).collect()
            })
            .collect();
        assert_close(&step_of(work, &operands, Value::real(output)), &bytes, &context);
    }
}

/// What the documentation of [`X86`] promises, relative to the largest magnitude or one.
const TOLERANCE: f32 = 1e-5;

/// Fails unless every level gives what the portable backend gives, within the tolerance.
pub(super) fn assert_close(step: &Step, operands: &[Vec<u8>], context: &str) {
    let numbers = |bytes: Vec<u8>| -> Vec<f32> { bytemuck::pod_collect_to_vec(&bytes) };
    let expected = numbers(result(&program(step, Target::Portable), operands, Portable));
    let magnitude = expected.iter().fold(1.0_f32, |largest, x| largest.max(x.abs()));
    for target in [Target::Portable, Target::X86_64] {
        let program = program(step, target);
        for backend in levels() {
            let level = backend.level().name();
            let found = numbers(result(&program, operands, backend));
            assert_eq!(found.len(), expected.len());
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let difference = (found - expected).abs();
                let is_close = difference <= TOLERANCE * magnitude;
                assert!(is_close, "{found}, expected {expected}, at {index}, {level}, {target:?}: {context}");
            }
        }
    }
}
