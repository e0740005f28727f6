//! The backend for x86-64 against the portable one: integers to the bit, f32 within its tolerance.

mod convolutions;
mod networks;
mod operations;

use super::super::step::{Factor, Step, StepNode, StepState, Value, Work};
use super::super::*;
use super::network::description;
use convrnn_format::{Element, Numerics};
use convrnn_graph::{NodeId, Read, Shape, StateId, StateKind, Tap};
use convrnn_runtime::backend::{Backend, Level, Portable, X86};
use convrnn_runtime::{Session, arena_length};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Cases of a property: a few hundred, or thousands with `CONVRNN_THOROUGH=1`.
fn cases(few: u64) -> std::ops::Range<u64> {
    let is_thorough = std::env::var_os("CONVRNN_THOROUGH").is_some_and(|value| value == "1");
    0..if is_thorough { 20 * few } else { few }
}

/// The levels that this processor has, above portable.
fn levels() -> Vec<X86> {
    let levels: Vec<X86> = Level::ALL.into_iter().filter_map(X86::with_level).collect();
    eprintln!("levels: {:?}", levels.iter().map(|backend| backend.level().name()).collect::<Vec<_>>());
    levels
}

fn pick<T: Copy>(random: &mut ChaCha8Rng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}

/// An integer tensor's type: i8 with a random zero point, or i16.
fn integer(random: &mut ChaCha8Rng, shape: Shape) -> Value {
    match random.random_bool(0.5) {
        true => byte(random, shape),
        false => Value { shape, element: Element::I16, scale: 1.0, zero_point: 0 },
    }
}

fn byte(random: &mut ChaCha8Rng, shape: Shape) -> Value {
    let zero_point = pick(random, &[-128, 127, 0, random.clone().random_range(-128..=127)]);
    Value { shape, element: Element::I8, scale: 1.0, zero_point }
}

/// A multiplier and a shift, of any size that a program may have.
fn factor(random: &mut ChaCha8Rng) -> Factor {
    let bits = pick(random, &[0, i32::MAX as u32, random.clone().random_range(1 << 20..1 << 31)]);
    Factor { bits, shift: random.random_range(0..=20) }
}

/// A step of one operation that reads states.
fn step_of(work: Work, operands: &[Value], output: Value) -> Step {
    let numerics = match output.element {
        Element::F32 => Numerics::Real,
        Element::I8 | Element::I16 | Element::I32 => Numerics::Integer,
    };
    let frame_shape = Shape::new(1, 1, 1);
    let (frame, logits) = match numerics {
        Numerics::Real => (Value::real(frame_shape), Value::real(frame_shape)),
        Numerics::Integer => (
            Value { shape: frame_shape, element: Element::I8, scale: 1.0, zero_point: 0 },
            Value { shape: frame_shape, element: Element::I16, scale: 1.0, zero_point: 0 },
        ),
    };
    let node = |name: &str, work, inputs, value| StepNode { name: name.into(), layer: 0, work, inputs, value };
    let reads: Vec<Read> = (0..operands.len()).map(|index| Read::State(StateId(index))).collect();
    let mut nodes = vec![
        node("result", work, reads.clone(), output),
        node("logits", Work::GlobalAverage(Factor::default()), vec![Read::Frame], logits),
    ];
    let mut states = Vec::new();
    for (index, &value) in operands.iter().enumerate() {
        // Every state needs a next value; what it is does not matter here.
        let next = match numerics {
            Numerics::Real => Work::Affine { scale: 1.0, offset: 0.0 },
            Numerics::Integer => Work::Rescale(Factor { bits: i32::MAX as u32, shift: 1 }),
        };
        states.push(StepState {
            name: format!("state{index}"),
            layer: 0,
            kind: StateKind::Cell,
            value,
            next: NodeId(nodes.len()),
        });
        nodes.push(node(&format!("next{index}"), next, vec![reads[index]], value));
    }
    Step {
        name: "one operation".into(),
        numerics,
        frame,
        layers: vec!["layer1".into()],
        nodes,
        states,
        taps: vec![Tap { name: "result".into(), node: NodeId(0) }],
        logits: NodeId(1),
        blank: 0,
        frame_table: None,
    }
}

/// The bytes of a step's program.
fn program(step: &Step, target: Target) -> AlignedBytes {
    let timing = Timing::new(&super::network::network(0).0.graph);
    let options = ProgramOptions { target, ..ProgramOptions::default() };
    AlignedBytes::copy_of(&write::write(step, &timing, &description(), &options).expect("a program"))
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
            let integer: i16 = if extreme { pick(random, &[i16::MIN, i16::MAX, 0]) } else { random.random() };
            let bytes = integer.to_le_bytes();
            // The upper byte alone is an i8 with the same extremes.
            bytes[2 - value.element.size()..].to_vec()
        });
        elements.collect()
    });
    bytes.collect()
}

/// Fails unless every level gives the portable backend's bits.
fn assert_same_bits(random: &mut ChaCha8Rng, step: &Step, operands: &[Value], context: &str) {
    let bytes = random_integers(random, operands);
    let expected = result(&program(step, Target::Portable), &bytes, Portable);
    for target in [Target::Rows, Target::Portable, Target::X86_64] {
        let program = program(step, target);
        for backend in levels() {
            let found = result(&program, &bytes, backend);
            let differing = found.iter().zip(&expected).position(|(found, expected)| found != expected);
            let level = backend.level().name();
            assert_eq!(differing, None, "first differing byte, {level}, packed for {target:?}: {context}");
            assert_eq!(found.len(), expected.len());
        }
    }
}
