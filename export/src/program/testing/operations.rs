//! Random operations other than convolutions, and functions of f32.

use super::super::step::{Factor, GatedSumWork, Table, Value, Work};
use super::{OneOperation, factor, integer, pick};
use convrnn_format::{Element, Function, TableKind};
use convrnn_graph::{Padding, Pool, Resize, ResizeMode, Shape};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

fn shape(random: &mut ChaCha8Rng) -> Shape {
    let channels = if random.random_bool(0.5) { random.random_range(1..40) } else { pick(random, &[16, 32, 48]) };
    match random.random_range(0..8) {
        0 => Shape::new(channels.min(12), random.random_range(1..4), random.random_range(30..200)),
        _ => Shape::new(channels, random.random_range(1..9), random.random_range(1..9)),
    }
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

/// A table that a value can be looked up in.
fn table(random: &mut ChaCha8Rng, value: &Value) -> Table {
    let kind = match value.element {
        Element::I8 => TableKind::Direct,
        Element::I16 | Element::I32 | Element::F32 => pick(random, &[TableKind::Interpolated, TableKind::Fine]),
    };
    entries(random, kind)
}

/// Entries without any order, or a curve without leaps, as functions have.
fn entries(random: &mut ChaCha8Rng, kind: TableKind) -> Table {
    let is_smooth = random.random_bool(0.5);
    let slope = 1 + 60_000 / kind.entries() as i32;
    let mut entry: i16 = random.random();
    let entries = (0..kind.entries()).map(|_| {
        entry = match is_smooth {
            true => i32::from(entry).saturating_add(random.random_range(-slope..=slope)).clamp(-32768, 32767) as i16,
            false => random.random(),
        };
        entry
    });
    Table { kind, entries: entries.collect() }
}

/// A random operation of integers.
pub(super) fn integers(random: &mut ChaCha8Rng) -> OneOperation {
    let shape = shape(random);
    let first = integer(random, shape);
    let (work, operands, output) = match random.random_range(0..8) {
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
            let output = if random.random_bool(0.3) { operands[0] } else { integer(random, shape) };
            (Work::GatedSum(GatedSumWork { tables, factors, function }), operands, output)
        }
    };
    describe(work, operands, output)
}

/// A random operation in f32.
pub(super) fn reals(random: &mut ChaCha8Rng) -> OneOperation {
    let shape = shape(random);
    let functions = [Function::Relu, Function::Elu, Function::Sigmoid, Function::Tanh];
    let (work, operands, output) = match random.random_range(0..7) {
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
    };
    describe(work, operands.into_iter().map(Value::real).collect(), Value::real(output))
}

/// With the operation and its shapes, but not its tables, for messages.
fn describe(work: Work, operands: Vec<Value>, output: Value) -> OneOperation {
    let table = |table: &Option<Table>| table.as_ref().map(|table| table.kind);
    let operation = match &work {
        Work::Lookup(table) => format!("Lookup {:?}", table.kind),
        Work::GatedSum(sum) => {
            let tables: Vec<_> = sum.tables.iter().map(table).collect();
            format!("GatedSum {tables:?} {:?} {:?}", sum.factors, table(&sum.function))
        }
        other => format!("{other:?}"),
    };
    let types = |value: &Value| {
        let Shape { channels, height, width } = value.shape;
        format!("{:?} {channels}x{height}x{width}, zero {}", value.element, value.zero_point)
    };
    let from: Vec<String> = operands.iter().map(types).collect();
    OneOperation::new(format!("{operation} of {from:?} to {}", types(&output)), work, operands, output)
}
