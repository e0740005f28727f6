//! The f64 reference interpreter: the oracle of every executor. Written to be read, not to be fast, but for its
//! convolution.

mod convolution;

use crate::graph::{NodeId, Read, StepGraph};
use crate::operation::{Operation, Pool, Resize};
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
            convolution::convolve(spec, inputs, shape, parameters.get(spec.weight), bias)
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
