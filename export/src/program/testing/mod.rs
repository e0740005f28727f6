//! Random steps of one operation, and random networks, for tests of backends (feature `testing`). The same seed always
//! gives the same step.
//!
//! They hold what kernels have ways of their own for: maps of few columns and of many, windows from one position to
//! more than any scratch memory holds, every padding and stride, channels that fill no vector, several operands, groups,
//! depthwise convolutions, every kind of table, every pair of widths, and states that are updated where they lie.

mod convolutions;
pub(super) mod networks;
mod operations;

pub use networks::network_program;

use super::step::{Factor, Step, StepNode, StepState, Value, Work};
use super::{AlignedBytes, ProgramOptions, Target, write};
use convrnn_format::{Element, Numerics};
use convrnn_graph::{NodeId, Read, Shape, StateId, StateKind, Tap};
use networks::description;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A step of one operation that reads states, and whose result is the tap `result`.
#[derive(Clone, Debug)]
pub struct OneOperation {
    /// The operation with its shapes, for messages.
    pub description: String,
    step: Step,
}

impl OneOperation {
    /// A random convolution of integers.
    pub fn convolution(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        convolutions::Plan::random(&mut random).integers(&mut random)
    }

    /// The convolutions of integers that are larger than random ones.
    pub fn large_convolutions() -> impl Iterator<Item = Self> {
        let random = |seed| ChaCha8Rng::seed_from_u64(seed);
        convolutions::Plan::large().into_iter().zip(0..).map(move |(plan, seed)| plan.integers(&mut random(seed)))
    }

    /// A random convolution in f32 whose sums are a few units.
    pub fn real_convolution(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        convolutions::Plan::random(&mut random).reals(&mut random)
    }

    /// A random convolution in f32 whose output rows are as long as kernels take positions at once.
    #[cfg(test)]
    pub(super) fn real_convolution_in_rows(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        convolutions::Plan::in_rows(&mut random).reals(&mut random)
    }

    /// The convolutions in f32 that are larger than random ones.
    #[cfg(test)]
    pub(super) fn large_real_convolutions() -> impl Iterator<Item = Self> {
        let random = |seed| ChaCha8Rng::seed_from_u64(seed);
        convolutions::Plan::large().into_iter().zip(0..).map(move |(plan, seed)| plan.reals(&mut random(seed)))
    }

    /// A random operation of integers other than a convolution.
    pub fn operation(seed: u64) -> Self {
        operations::integers(&mut ChaCha8Rng::seed_from_u64(seed))
    }

    /// A random operation in f32 other than a convolution.
    pub fn real_operation(seed: u64) -> Self {
        operations::reals(&mut ChaCha8Rng::seed_from_u64(seed))
    }

    /// The program of the step.
    pub fn program(&self, target: Target) -> AlignedBytes {
        let options = ProgramOptions { target, ..ProgramOptions::default() };
        AlignedBytes::copy_of(&write::write(&self.step, None, &description(), &options).expect("a program"))
    }

    fn new(description: String, work: Work, operands: Vec<Value>, output: Value) -> Self {
        Self { description, step: step_of(work, &operands, output) }
    }

    /// The operands' types, in the order of the states that hold them.
    #[cfg(test)]
    pub(super) fn operands(&self) -> Vec<Value> {
        self.step.states.iter().map(|state| state.value).collect()
    }
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

/// A step of one operation that reads states. A gated sum of its first operand's type is that state's next value, so
/// that it is written where the state lies.
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
    let updates_first = work.can_be_in_place() && operands.first() == Some(&output);
    let node = |name: &str, work, inputs, value| StepNode { name: name.into(), layer: 0, work, inputs, value };
    let reads: Vec<Read> = (0..operands.len()).map(|index| Read::State(StateId(index))).collect();
    let mut nodes = vec![
        node("result", work, reads.clone(), output),
        node("logits", Work::GlobalAverage(Factor::default()), vec![Read::Frame], logits),
    ];
    let mut states = Vec::new();
    for (index, &value) in operands.iter().enumerate() {
        let is_updated = index == 0 && updates_first;
        let next = if is_updated { NodeId(0) } else { NodeId(nodes.len()) };
        let name = format!("state{index}");
        states.push(StepState { name, layer: 0, kind: StateKind::Cell, value, next, initial: None });
        if !is_updated {
            // Every state needs a next value; what it is does not matter here.
            let work = match numerics {
                Numerics::Real => Work::Affine { scale: 1.0, offset: 0.0 },
                Numerics::Integer => Work::Rescale(Factor { bits: i32::MAX as u32, shift: 1 }),
            };
            nodes.push(node(&format!("next{index}"), work, vec![reads[index]], value));
        }
    }
    Step {
        name: "one operation".into(),
        numerics,
        frame,
        layers: vec!["layer1".into()],
        first_steps: vec![1],
        nodes,
        states,
        taps: vec![Tap { name: "result".into(), node: NodeId(0) }],
        logits: NodeId(1),
        blank: 0,
        frame_table: None,
    }
}
