//! Random convolutions.

use super::super::super::step::{ConvolutionWork, Value, Weights, Work, bytes_of};
use super::*;
use convrnn_graph::Padding;

/// Everything about a convolution but its numbers.
#[derive(Debug)]
struct Plan {
    height: usize,
    width: usize,
    inputs: Vec<usize>,
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    groups: usize,
}

impl Plan {
    fn random(random: &mut ChaCha8Rng) -> Self {
        let side = |random: &mut ChaCha8Rng, most: usize| random.random_range(1..=most);
        let kernel = [side(random, 5), side(random, 5)];
        let mut padding = || if random.random_bool(0.5) { random.random_range(0..=5) } else { 0 };
        let padding = Padding { top: padding(), bottom: padding(), left: padding(), right: padding() };
        let height = side(random, 13).max(kernel[0].saturating_sub(padding.top + padding.bottom));
        let width = side(random, 13).max(kernel[1].saturating_sub(padding.left + padding.right));
        let channels = |random: &mut ChaCha8Rng| match random.random_bool(0.5) {
            true => side(random, 9),
            false => side(random, 40),
        };
        let stride = [side(random, 3), side(random, 3)];
        let (inputs, outputs, groups) = match random.random_range(0..8) {
            0 => {
                let channels = channels(random);
                (vec![channels], channels, channels)
            }
            1 => {
                let groups = side(random, 3);
                (vec![groups * side(random, 6)], groups * side(random, 20), groups)
            }
            _ => ((0..side(random, 3)).map(|_| channels(random)).collect(), side(random, 70), 1),
        };
        Self { height, width, inputs, outputs, kernel, stride, padding, groups }
    }

    fn output_shape(&self) -> Shape {
        let along = |size: usize, before: usize, after: usize, axis: usize| {
            (size + before + after - self.kernel[axis]) / self.stride[axis] + 1
        };
        let height = along(self.height, self.padding.top, self.padding.bottom, 0);
        let width = along(self.width, self.padding.left, self.padding.right, 1);
        Shape::new(self.outputs, height, width)
    }

    fn weights(&self) -> usize {
        self.inputs.iter().sum::<usize>() / self.groups * self.outputs * self.kernel[0] * self.kernel[1]
    }

    fn work(&self, weights: Weights, bias: Vec<u8>, multipliers: Option<Vec<u8>>, shift: u8) -> Work {
        Work::Convolution(ConvolutionWork {
            weights,
            bias: Some(bias),
            multipliers,
            shift,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            groups: self.groups,
        })
    }

    fn operand_shapes(&self) -> impl Iterator<Item = Shape> {
        self.inputs.iter().map(|&channels| Shape::new(channels, self.height, self.width))
    }

    /// Fails unless every level gives the portable bits on random integers.
    fn check_integers(&self, random: &mut ChaCha8Rng, context: &str) {
        let weights: Vec<i8> = (0..self.weights()).map(|_| random.random()).collect();
        let bias: Vec<i32> = (0..self.outputs).map(|_| random.random_range(-1 << 18..1 << 18)).collect();
        let multipliers: Vec<i32> = (0..self.outputs).map(|_| factor(random).bits as i32).collect();
        let (bias, multipliers) = (bytes_of(&bias, i32::to_le_bytes), bytes_of(&multipliers, i32::to_le_bytes));
        let work = self.work(Weights::Integer(weights), bias, Some(multipliers), random.random_range(0..=12));
        let operands: Vec<Value> = self.operand_shapes().map(|shape| byte(random, shape)).collect();
        let step = step_of(work, &operands, integer(random, self.output_shape()));
        assert_same_bits(random, &step, &operands, &format!("{context}: {self:?}"));
    }
}

#[test]
fn random_convolutions_in_f32_are_within_the_tolerance() {
    for seed in cases(200) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let plan = Plan::random(&mut random);
        // Sums of a few units, as in networks.
        let limit = (3.0 * plan.outputs as f32 / plan.weights() as f32).sqrt();
        let weights = (0..plan.weights()).map(|_| random.random_range(-limit..limit)).collect();
        let bias: Vec<f32> = (0..plan.outputs).map(|_| random.random_range(-1.0..1.0)).collect();
        let work = plan.work(Weights::Real(weights), bytes_of(&bias, f32::to_le_bytes), None, 0);
        let operands: Vec<Value> = plan.operand_shapes().map(Value::real).collect();
        let bytes: Vec<Vec<u8>> = operands
            .iter()
            .map(|value| {
                let values = (0..value.shape.elements()).map(|_| random.random_range(-2.0_f32..2.0));
                values.flat_map(f32::to_le_bytes).collect()
            })
            .collect();
        let step = step_of(work, &operands, Value::real(plan.output_shape()));
        operations::assert_close(&step, &bytes, &format!("seed {seed}: {plan:?}"));
    }
}

#[test]
fn random_convolutions_give_the_portable_bits() {
    for seed in cases(300) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Plan::random(&mut random).check_integers(&mut random, &format!("seed {seed}"));
    }
}

/// Maps that are computed a part at a time, and windows that fit no scratch at all.
#[test]
fn large_convolutions_give_the_portable_bits() {
    let none = Padding { top: 0, bottom: 0, left: 0, right: 0 };
    let same = Padding { top: 1, bottom: 1, left: 1, right: 1 };
    let plan = |height, width, inputs: &[usize], outputs, kernel: usize, padding| Plan {
        height,
        width,
        inputs: inputs.to_vec(),
        outputs,
        kernel: [kernel; 2],
        stride: [1, 1],
        padding,
        groups: 1,
    };
    let plans = [
        plan(40, 40, &[60, 50], 20, 3, same),
        plan(3, 700, &[65], 10, 3, same),
        plan(12, 12, &[900], 3, 11, none),
        plan(33, 17, &[48, 3], 40, 5, same),
    ];
    for (seed, plan) in plans.iter().enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(seed as u64);
        plan.check_integers(&mut random, "large");
    }
}
