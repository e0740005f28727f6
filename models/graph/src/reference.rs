//! The f64 reference interpreter: the oracle of every executor. Written to be read, not to be fast.

use crate::graph::{NodeId, Read, StepGraph};
use crate::operation::{Convolution, Operation, Pool, Resize};
use crate::parameters::Parameters;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Steps a graph in f64, one image at a time.
pub struct Interpreter<'a> {
    graph: &'a StepGraph,
    parameters: &'a Parameters<f64>,
    states: Vec<Tensor>,
}

impl<'a> Interpreter<'a> {
    /// All states zero. The parameters must be those of the graph.
    pub fn new(graph: &'a StepGraph, parameters: &'a Parameters<f64>) -> Self {
        let states = graph.states.iter().map(|state| Tensor::zeros(state.shape)).collect();
        Self { graph, parameters, states }
    }

    /// Sets all states to zero.
    pub fn reset(&mut self) {
        for state in &mut self.states {
            state.values.fill(0.0);
        }
    }

    /// The states after the last step, in the graph's order.
    pub fn states(&self) -> &[Tensor] {
        &self.states
    }

    /// Replaces the states, for instance by a snapshot of [`Self::states`].
    pub fn restore(&mut self, states: Vec<Tensor>) {
        assert!(states.iter().zip(&self.states).all(|(new, old)| new.shape == old.shape), "states of this graph");
        self.states = states;
    }

    /// Runs one step and gives the value of every node.
    pub fn step(&mut self, frame: &Tensor) -> Vec<Tensor> {
        self.step_where(frame, |_| true)
    }

    /// Runs the chosen nodes of one step, whose reads of the same step must be chosen too. The values of the others are
    /// not numbers; states that they would write stay what they are.
    pub fn step_where(&mut self, frame: &Tensor, is_chosen: impl Fn(NodeId) -> bool) -> Vec<Tensor> {
        assert_eq!(frame.shape, self.graph.frame, "the frame's shape");
        let mut values: Vec<Tensor> = Vec::with_capacity(self.graph.nodes.len());
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if !is_chosen(NodeId(index)) {
                values.push(Tensor::full(node.shape, f64::NAN));
                continue;
            }
            let inputs: Vec<&Tensor> = node
                .inputs
                .iter()
                .map(|&read| match read {
                    Read::Frame => frame,
                    Read::Node(NodeId(index)) => &values[index],
                    Read::State(state) => &self.states[state.0],
                })
                .collect();
            let value = evaluate(&node.operation, &inputs, node.shape, self.parameters);
            values.push(value);
        }
        for (state, declared) in self.states.iter_mut().zip(&self.graph.states) {
            if is_chosen(declared.next) {
                *state = values[declared.next.0].clone();
            }
        }
        values
    }

    /// Resets, then runs the frames in order and gives the logits of every step.
    pub fn logits<'f>(&mut self, frames: impl IntoIterator<Item = &'f Tensor>) -> Vec<Vec<f64>> {
        self.reset();
        frames.into_iter().map(|frame| self.step(frame)[self.graph.logits.0].values.clone()).collect()
    }
}

/// One operation. `shape` is the output's.
pub fn evaluate(operation: &Operation, inputs: &[&Tensor], shape: Shape, parameters: &Parameters<f64>) -> Tensor {
    match operation {
        Operation::Convolution(spec) => {
            let bias = spec.bias.map(|id| parameters.get(id));
            convolution(spec, inputs, shape, parameters.get(spec.weight), bias)
        }
        Operation::Resize(spec) => resize(spec, inputs[0], shape),
        Operation::BatchNorm(norm) => {
            let [scale, shift, mean, variance] = norm.parameters().map(|id| parameters.get(id));
            let positions = inputs[0].shape.positions();
            let maps = inputs[0].values.chunks(positions).enumerate();
            let values = maps.flat_map(|(channel, map)| {
                let divisor = (variance[channel] + norm.epsilon).sqrt();
                map.iter().map(move |x| scale[channel] * (x - mean[channel]) / divisor + shift[channel])
            });
            Tensor::new(shape, values.collect())
        }
        Operation::Scale { factor } => {
            let factor = parameters.get(*factor)[0];
            inputs[0].map(|x| factor * x)
        }
        Operation::Add => inputs[0].zip(inputs[1], |x, y| x + y),
        Operation::Multiply => inputs[0].zip(inputs[1], |x, y| x * y),
        Operation::Affine { scale, offset } => inputs[0].map(|x| scale * x + offset),
        Operation::Activation(activation) => inputs[0].map(|x| activation.apply(x)),
        Operation::MaxPool(pool) => max_pool(pool, inputs[0], shape),
        Operation::GlobalAverage => {
            let positions = inputs[0].shape.positions();
            let values = inputs[0].values.chunks(positions).map(|map| map.iter().sum::<f64>() / positions as f64);
            Tensor::new(shape, values.collect())
        }
    }
}

/// `y[o, r, c] = bias[o] + sum over i, u, v of w[o, i, u, v] * x[i, r * stride + u - top, ...]`.
fn convolution(spec: &Convolution, inputs: &[&Tensor], shape: Shape, weight: &[f64], bias: Option<&[f64]>) -> Tensor {
    let [kernel_height, kernel_width] = spec.kernel;
    let channels: usize = inputs.iter().map(|input| input.shape.channels).sum();
    let group_inputs = channels / spec.groups;
    let group_outputs = shape.channels / spec.groups;
    let kernel_area = kernel_height * kernel_width;
    let mut output = Tensor::zeros(shape);
    for out_channel in 0..shape.channels {
        let start = out_channel * shape.positions();
        let map = &mut output.values[start..start + shape.positions()];
        map.fill(bias.map_or(0.0, |bias| bias[out_channel]));
        let group_start = out_channel / group_outputs * group_inputs;
        let mut channel = 0;
        for input in inputs {
            for local in 0..input.shape.channels {
                let concatenated = channel + local;
                if concatenated < group_start || concatenated >= group_start + group_inputs {
                    continue;
                }
                let offset = (out_channel * group_inputs + concatenated - group_start) * kernel_area;
                accumulate(spec, input, local, &weight[offset..offset + kernel_area], shape, map);
            }
            channel += input.shape.channels;
        }
    }
    output
}

/// Adds one input channel's contribution to one output channel. Each output element sums over u, then v.
fn accumulate(spec: &Convolution, input: &Tensor, channel: usize, kernel: &[f64], shape: Shape, map: &mut [f64]) {
    let [kernel_height, kernel_width] = spec.kernel;
    let (stride_down, stride_along) = (spec.stride[0], spec.stride[1]);
    let plane = &input.values[channel * input.shape.positions()..][..input.shape.positions()];
    for u in 0..kernel_height {
        for v in 0..kernel_width {
            let weight = kernel[u * kernel_width + v];
            let columns = inside_range(shape.width, stride_along, v, spec.padding.left, input.shape.width);
            if columns.is_empty() {
                continue;
            }
            for row in inside_range(shape.height, stride_down, u, spec.padding.top, input.shape.height) {
                let source_row = row * stride_down + u - spec.padding.top;
                let source = &plane[source_row * input.shape.width..][..input.shape.width];
                let target = &mut map[row * shape.width..][columns.clone()];
                let source = &source[columns.start * stride_along + v - spec.padding.left..];
                if stride_along == 1 {
                    for (sum, x) in target.iter_mut().zip(source) {
                        *sum += weight * x;
                    }
                } else {
                    for (sum, x) in target.iter_mut().zip(source.iter().step_by(stride_along)) {
                        *sum += weight * x;
                    }
                }
            }
        }
    }
}

/// The output positions whose input position `position * stride + offset - before` lies within the
/// map; empty where there are none.
pub(crate) fn inside_range(
    output: usize,
    stride: usize,
    offset: usize,
    before: usize,
    size: usize,
) -> std::ops::Range<usize> {
    let start = before.saturating_sub(offset).div_ceil(stride);
    let end = (size + before).saturating_sub(offset).div_ceil(stride).min(output);
    start..end
}

/// The position within the map, if the padded position lies in it.
fn inside(padded: usize, before: usize, size: usize) -> Option<usize> {
    padded.checked_sub(before).filter(|&position| position < size)
}

fn max_pool(pool: &Pool, input: &Tensor, shape: Shape) -> Tensor {
    let mut output = Tensor::full(shape, f64::NEG_INFINITY);
    let mut index = 0;
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                for u in 0..pool.kernel[0] {
                    for v in 0..pool.kernel[1] {
                        let source = (
                            inside(row * pool.stride[0] + u, pool.padding.top, input.shape.height),
                            inside(column * pool.stride[1] + v, pool.padding.left, input.shape.width),
                        );
                        if let (Some(source_row), Some(source_column)) = source {
                            output.values[index] =
                                output.values[index].max(input.at(channel, source_row, source_column));
                        }
                    }
                }
                index += 1;
            }
        }
    }
    output
}

fn resize(spec: &Resize, input: &Tensor, shape: Shape) -> Tensor {
    let mut output = Tensor::zeros(shape);
    let mut index = 0;
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            let (top, bottom, down) = spec.mode.sample(row, input.shape.height, shape.height);
            for column in 0..shape.width {
                let (left, right, along) = spec.mode.sample(column, input.shape.width, shape.width);
                let upper = (1.0 - along) * input.at(channel, top, left) + along * input.at(channel, top, right);
                let lower = (1.0 - along) * input.at(channel, bottom, left) + along * input.at(channel, bottom, right);
                output.values[index] = (1.0 - down) * upper + down * lower;
                index += 1;
            }
        }
    }
    output
}
