//! Random convolutions.

use super::super::step::{ConvolutionWork, Value, Weights, Work, bytes_of};
#[cfg(test)]
use super::pick;
use super::{OneOperation, byte, factor, integer};
use convrnn_graph::{Padding, Shape};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Most multiply-accumulates of a random convolution: processors that are simulated compute them too.
const MOST_MULTIPLY_ACCUMULATES: usize = 1_500_000;

/// Everything about a convolution but its numbers.
#[derive(Debug)]
pub(super) struct Plan {
    height: usize,
    width: usize,
    inputs: Vec<usize>,
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    groups: usize,
}

fn side(random: &mut ChaCha8Rng, most: usize) -> usize {
    random.random_range(1..=most)
}

impl Plan {
    pub(super) fn random(random: &mut ChaCha8Rng) -> Self {
        let mut plan = match random.random_range(0..10) {
            0 => Self::strip(random),
            1 => Self::large_kernel(random),
            2 => Self::many_operands(random),
            3 => Self::wide_depthwise(random),
            _ => Self::small(random),
        };
        if plan.groups == 1 {
            let most = MOST_MULTIPLY_ACCUMULATES * plan.outputs / plan.multiply_accumulates();
            plan.outputs = plan.outputs.min(most).max(1);
        }
        plan
    }

    /// Small maps, small windows and any number of channels.
    fn small(random: &mut ChaCha8Rng) -> Self {
        let channels = |random: &mut ChaCha8Rng| match random.random_bool(0.5) {
            true => side(random, 9),
            false => side(random, 40),
        };
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
        let kernel = [side(random, 5), side(random, 5)];
        let map = [side(random, 13), side(random, 13)];
        Self::of(random, inputs, outputs, groups, kernel, map)
    }

    /// Few long rows.
    fn strip(random: &mut ChaCha8Rng) -> Self {
        let inputs = (0..side(random, 2)).map(|_| side(random, 12)).collect();
        let kernel = [side(random, 3), side(random, 9)];
        let map = [side(random, 3), random.random_range(40..=300)];
        let outputs = side(random, 24);
        Self::of(random, inputs, outputs, 1, kernel, map)
    }

    fn large_kernel(random: &mut ChaCha8Rng) -> Self {
        let inputs = (0..side(random, 2)).map(|_| side(random, 7)).collect();
        let kernel = [random.random_range(4..=11), random.random_range(4..=11)];
        let map = [side(random, 16), side(random, 16)];
        let outputs = side(random, 14);
        Self::of(random, inputs, outputs, 1, kernel, map)
    }

    fn many_operands(random: &mut ChaCha8Rng) -> Self {
        let inputs = (0..random.random_range(4..=7)).map(|_| side(random, 12)).collect();
        let kernel = [side(random, 3), side(random, 3)];
        let map = [side(random, 9), side(random, 9)];
        let outputs = side(random, 40);
        Self::of(random, inputs, outputs, 1, kernel, map)
    }

    /// One group a channel, mostly with the windows that kernels know.
    fn wide_depthwise(random: &mut ChaCha8Rng) -> Self {
        let channels = side(random, 70);
        let kernel = match random.random_range(0..4) {
            0 => [side(random, 7), side(random, 7)],
            1 => [5, 5],
            _ => [3, 3],
        };
        let map = [side(random, 12), side(random, 40)];
        Self::of(random, vec![channels], channels, channels, kernel, map)
    }

    /// As many output columns as kernels take positions at once, or half or twice as many, and windows that reach over
    /// every edge by any number of rows and columns.
    #[cfg(test)]
    pub(super) fn in_rows(random: &mut ChaCha8Rng) -> Self {
        let (inputs, outputs) = ((0..side(random, 2)).map(|_| random.random_range(8..=20)).collect(), side(random, 70));
        let kernel = [side(random, 8), side(random, 8)];
        let stride = [side(random, 2), side(random, 2)];
        let output = [side(random, 9), pick(random, &[4, 8, 16])];
        let mut along = |axis: usize| {
            let whole = (output[axis] - 1) * stride[axis] + kernel[axis];
            let before = random.random_range(0..=kernel[axis]).min(whole - 1);
            let after = random.random_range(0..=kernel[axis]).min(whole - 1 - before);
            (whole - before - after, before, after)
        };
        let ((height, top, bottom), (width, left, right)) = (along(0), along(1));
        let padding = Padding { top, bottom, left, right };
        Self { height, width, inputs, outputs, kernel, stride, padding, groups: 1 }
    }

    /// With random strides and paddings, on a map of at least the window.
    fn of(
        random: &mut ChaCha8Rng,
        inputs: Vec<usize>,
        outputs: usize,
        groups: usize,
        kernel: [usize; 2],
        [height, width]: [usize; 2],
    ) -> Self {
        let stride = match random.random_bool(0.5) {
            true => [1, 1],
            false => [side(random, 3), side(random, 3)],
        };
        let most = kernel[0].max(kernel[1]).max(5);
        let mut padding = |axis: usize| match random.random_range(0..4) {
            0 | 1 => 0,
            2 => kernel[axis] / 2,
            _ => random.random_range(0..=most),
        };
        let padding = Padding { top: padding(0), bottom: padding(0), left: padding(1), right: padding(1) };
        let height = height.max(kernel[0].saturating_sub(padding.top + padding.bottom));
        let width = width.max(kernel[1].saturating_sub(padding.left + padding.right));
        Self { height, width, inputs, outputs, kernel, stride, padding, groups }
    }

    /// Maps that are computed a part at a time, and windows that fit no scratch at all.
    pub(super) fn large() -> [Self; 4] {
        let none = Padding { top: 0, bottom: 0, left: 0, right: 0 };
        let same = Padding { top: 1, bottom: 1, left: 1, right: 1 };
        let plan = |height, width, inputs: &[usize], outputs, kernel: usize, padding| Self {
            height,
            width,
            inputs: inputs.to_vec(),
            outputs,
            kernel: [kernel; 2],
            stride: [1, 1],
            padding,
            groups: 1,
        };
        [
            plan(40, 40, &[60, 50], 20, 3, same),
            plan(3, 700, &[65], 10, 3, same),
            plan(12, 12, &[900], 3, 11, none),
            plan(33, 17, &[48, 3], 40, 5, same),
        ]
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

    fn multiply_accumulates(&self) -> usize {
        self.weights() * self.output_shape().positions()
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

    /// Of random integers.
    pub(super) fn integers(&self, random: &mut ChaCha8Rng) -> OneOperation {
        let weights: Vec<i8> = (0..self.weights()).map(|_| random.random()).collect();
        let bias: Vec<i32> = (0..self.outputs).map(|_| random.random_range(-1 << 18..1 << 18)).collect();
        let multipliers: Vec<i32> = (0..self.outputs).map(|_| factor(random).bits as i32).collect();
        let (bias, multipliers) = (bytes_of(&bias, i32::to_le_bytes), bytes_of(&multipliers, i32::to_le_bytes));
        let work = self.work(Weights::Integer(weights), bias, Some(multipliers), random.random_range(0..=12));
        let operands: Vec<Value> = self.operand_shapes().map(|shape| byte(random, shape)).collect();
        OneOperation::new(format!("{self:?}"), work, operands, integer(random, self.output_shape()))
    }

    /// Of random reals whose sums are a few units, as in networks.
    pub(super) fn reals(&self, random: &mut ChaCha8Rng) -> OneOperation {
        let limit = (3.0 * self.outputs as f32 / self.weights() as f32).sqrt();
        let weights = (0..self.weights()).map(|_| random.random_range(-limit..limit)).collect();
        let bias: Vec<f32> = (0..self.outputs).map(|_| random.random_range(-1.0..1.0)).collect();
        let work = self.work(Weights::Real(weights), bytes_of(&bias, f32::to_le_bytes), None, 0);
        let operands: Vec<Value> = self.operand_shapes().map(Value::real).collect();
        OneOperation::new(format!("{self:?}"), work, operands, Value::real(self.output_shape()))
    }
}
