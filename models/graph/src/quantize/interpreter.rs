//! The integer reference interpreter: the executable form of the definitions in `types.rs`, and the
//! oracle whose bits the device runtime must give. Logical layout, `[channels, height, width]`.

use super::types::*;
use crate::graph::{NodeId, Read};
use crate::operation::{Pool, Resize};
use crate::shape::Shape;

/// Integers of one image, `[channels, height, width]`, row major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegerTensor {
    /// Shape.
    pub shape: Shape,
    /// Values, each within the range of its type's element.
    pub values: Vec<i32>,
}

impl IntegerTensor {
    /// One value everywhere.
    pub fn full(shape: Shape, value: i32) -> Self {
        Self { shape, values: vec![value; shape.elements()] }
    }

    /// The real values these integers stand for.
    pub fn dequantize(&self, kind: &QuantizedType) -> crate::tensor::Tensor {
        crate::tensor::Tensor::new(self.shape, self.values.iter().map(|&value| kind.dequantize(value)).collect())
    }

    fn at(&self, channel: usize, row: usize, column: usize) -> i32 {
        self.values[(channel * self.shape.height + row) * self.shape.width + column]
    }
}

/// Steps a quantised graph, one image at a time. All arithmetic is in i32 with overflow checks (in
/// builds that have them); the products of [`Rescale::apply`] are in i64.
pub struct IntegerInterpreter<'a> {
    graph: &'a QuantizedGraph,
    states: Vec<IntegerTensor>,
}

impl<'a> IntegerInterpreter<'a> {
    /// All states at their zero points.
    pub fn new(graph: &'a QuantizedGraph) -> Self {
        let zero = |state: &QuantizedState| IntegerTensor::full(state.value.shape, state.value.zero_point);
        Self { graph, states: graph.states.iter().map(zero).collect() }
    }

    /// Sets all states to their zero points.
    pub fn reset(&mut self) {
        for (state, declared) in self.states.iter_mut().zip(&self.graph.states) {
            state.values.fill(declared.value.zero_point);
        }
    }

    /// The states after the last step, in the graph's order.
    pub fn states(&self) -> &[IntegerTensor] {
        &self.states
    }

    /// Replaces the states, for instance by a snapshot of [`Self::states`].
    pub fn restore(&mut self, states: Vec<IntegerTensor>) {
        assert!(
            states.len() == self.states.len()
                && states.iter().zip(&self.states).all(|(new, old)| new.shape == old.shape),
            "states of this graph"
        );
        self.states = states;
    }

    /// Runs one step on a frame of `[channels, height, width]` and gives the value of every node.
    pub fn step(&mut self, frame: &[i8]) -> Vec<IntegerTensor> {
        self.step_where(frame, |_| true)
    }

    /// Runs the chosen nodes of one step, whose reads of the same step must be chosen too. The others have the value zero;
    /// states that they would write stay what they are.
    pub fn step_where(&mut self, frame: &[i8], is_chosen: impl Fn(NodeId) -> bool) -> Vec<IntegerTensor> {
        let graph = self.graph;
        assert_eq!(frame.len(), graph.frame.shape.elements(), "the frame has shape {}", graph.frame.shape);
        let frame = IntegerTensor { shape: graph.frame.shape, values: frame.iter().map(|&x| i32::from(x)).collect() };
        let mut values: Vec<IntegerTensor> = Vec::with_capacity(graph.nodes.len());
        for (index, node) in graph.nodes.iter().enumerate() {
            if !is_chosen(NodeId(index)) {
                values.push(IntegerTensor::full(node.output.shape, node.output.zero_point));
                continue;
            }
            let inputs: Vec<Operand<'_>> = node
                .inputs
                .iter()
                .map(|&read| {
                    let tensor = match read {
                        Read::Frame => &frame,
                        Read::Node(NodeId(index)) => &values[index],
                        Read::State(state) => &self.states[state.0],
                    };
                    Operand { tensor, zero_point: graph.read_type(read).zero_point }
                })
                .collect();
            let value = evaluate(&node.operation, &inputs, &node.output);
            values.push(value);
        }
        for (state, declared) in self.states.iter_mut().zip(&graph.states) {
            if is_chosen(declared.next) {
                state.values.copy_from_slice(&values[declared.next.0].values);
            }
        }
        values
    }
}

/// What an operation reads.
#[derive(Clone, Copy)]
struct Operand<'a> {
    tensor: &'a IntegerTensor,
    zero_point: i32,
}

impl Operand<'_> {
    /// `x - z` of every element.
    fn centred(&self) -> impl Iterator<Item = i32> + '_ {
        self.tensor.values.iter().map(|&value| value - self.zero_point)
    }
}

fn evaluate(operation: &QuantizedOperation, inputs: &[Operand<'_>], output: &QuantizedType) -> IntegerTensor {
    let finish = |value: i32| output.saturate(output.zero_point + value);
    let values = match operation {
        QuantizedOperation::Convolution(spec) => {
            let accumulators = convolution(spec, inputs, output.shape);
            let channels = accumulators.chunks(output.shape.positions()).zip(&spec.rescale);
            channels.flat_map(|(map, rescale)| map.iter().map(|&acc| finish(rescale.apply(acc)))).collect()
        }
        QuantizedOperation::Add { left, right } => {
            inputs[0].centred().zip(inputs[1].centred()).map(|(a, b)| finish(left.apply(a) + right.apply(b))).collect()
        }
        QuantizedOperation::Multiply { rescale } => {
            inputs[0].centred().zip(inputs[1].centred()).map(|(a, b)| finish(rescale.apply(a * b))).collect()
        }
        QuantizedOperation::Lookup(lookup) => {
            inputs[0].tensor.values.iter().map(|&value| output.saturate(lookup.apply(value))).collect()
        }
        QuantizedOperation::Rescale(rescale) => inputs[0].centred().map(|value| finish(rescale.apply(value))).collect(),
        QuantizedOperation::MaxPool(pool) => max_pool(pool, inputs[0].tensor, output.shape),
        QuantizedOperation::GlobalAverage { rescale } => {
            let centred: Vec<i32> = inputs[0].centred().collect();
            let maps = centred.chunks(inputs[0].tensor.shape.positions());
            maps.map(|map| finish(rescale.apply(map.iter().sum()))).collect()
        }
        QuantizedOperation::Resize(spec) => resize(spec, inputs[0].tensor, output.shape),
        QuantizedOperation::GatedSum(spec) => gated_sum(spec, inputs, output),
    };
    IntegerTensor { shape: output.shape, values }
}

impl Lookup {
    /// The table's value at an integer of the input's element.
    pub fn apply(&self, value: i32) -> i32 {
        match self {
            Lookup::Direct(table) => i32::from(table[(value + 128) as usize]),
            Lookup::Interpolated(table) => {
                let position = value + 32768;
                let (index, fraction) = ((position >> 7) as usize, position & 127);
                let (first, second) = (i32::from(table[index]), i32::from(table[index + 1]));
                first + (((second - first) * fraction + 64) >> 7)
            }
            Lookup::Fine(table) => i32::from(table[((value + 32768) >> 5) as usize]),
        }
    }
}

fn gated_sum(spec: &GatedSum, inputs: &[Operand<'_>], output: &QuantizedType) -> Vec<i32> {
    let factor = |operand: usize, element: usize| {
        let value = inputs[operand].tensor.values[element];
        match &spec.tables[operand] {
            Some(table) => table.apply(value),
            None => value - inputs[operand].zero_point,
        }
    };
    let one = |element: usize| {
        let products = spec.rescale.iter().enumerate();
        let sum = products.map(|(k, rescale)| rescale.apply(factor(2 * k, element) * factor(2 * k + 1, element))).sum();
        match &spec.function {
            Some(function) => output.saturate(function.apply(Element::I16.saturate(sum))),
            None => output.saturate(output.zero_point + sum),
        }
    };
    (0..output.shape.elements()).map(one).collect()
}

/// `acc[o] = bias[o] + sum of (x - zero point of its input) * w`; padding adds nothing.
fn convolution(spec: &QuantizedConvolution, inputs: &[Operand<'_>], shape: Shape) -> Vec<i32> {
    let channels: usize = inputs.iter().map(|input| input.tensor.shape.channels).sum();
    let (group_inputs, group_outputs) = (channels / spec.groups, shape.channels / spec.groups);
    let kernel_area = spec.kernel[0] * spec.kernel[1];
    let source = Shape { channels, ..inputs[0].tensor.shape };
    let concatenated: Vec<i32> = inputs.iter().flat_map(Operand::centred).collect();
    let mut accumulators = Vec::with_capacity(shape.elements());
    for out_channel in 0..shape.channels {
        let mut map = vec![spec.bias[out_channel]; shape.positions()];
        let group_start = out_channel / group_outputs * group_inputs;
        for channel in 0..group_inputs {
            let plane = &concatenated[(group_start + channel) * source.positions()..][..source.positions()];
            let kernel = &spec.weight[(out_channel * group_inputs + channel) * kernel_area..][..kernel_area];
            accumulate(spec, plane, source, kernel, shape, &mut map);
        }
        accumulators.extend(map);
    }
    accumulators
}

/// Adds one input channel's contribution to one output channel's accumulators.
fn accumulate(spec: &QuantizedConvolution, plane: &[i32], source: Shape, kernel: &[i8], shape: Shape, map: &mut [i32]) {
    let [stride_down, stride_along] = spec.stride;
    for u in 0..spec.kernel[0] {
        for v in 0..spec.kernel[1] {
            let weight = i32::from(kernel[u * spec.kernel[1] + v]);
            let columns = inside_range(shape.width, stride_along, v, spec.padding.left, source.width);
            if columns.is_empty() {
                continue;
            }
            for row in inside_range(shape.height, stride_down, u, spec.padding.top, source.height) {
                let line = &plane[(row * stride_down + u - spec.padding.top) * source.width..][..source.width];
                let line = &line[columns.start * stride_along + v - spec.padding.left..];
                let target = &mut map[row * shape.width..][columns.clone()];
                for (acc, x) in target.iter_mut().zip(line.iter().step_by(stride_along)) {
                    *acc += x * weight;
                }
            }
        }
    }
}

/// The position within the map, if the padded position lies in it.
fn inside(padded: usize, before: usize, size: usize) -> Option<usize> {
    padded.checked_sub(before).filter(|&position| position < size)
}

fn max_pool(pool: &Pool, input: &IntegerTensor, shape: Shape) -> Vec<i32> {
    let mut values = Vec::with_capacity(shape.elements());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                let mut largest = i32::MIN;
                for u in 0..pool.kernel[0] {
                    for v in 0..pool.kernel[1] {
                        let source = (
                            inside(row * pool.stride[0] + u, pool.padding.top, input.shape.height),
                            inside(column * pool.stride[1] + v, pool.padding.left, input.shape.width),
                        );
                        if let (Some(source_row), Some(source_column)) = source {
                            largest = largest.max(input.at(channel, source_row, source_column));
                        }
                    }
                }
                values.push(largest);
            }
        }
    }
    values
}

/// Position and weight of a resize in integers: the two source positions and the weight of the
/// second one in 1/128, `round(128 * weight)` of [`crate::operation::ResizeMode::sample`].
pub fn resize_sample(
    mode: crate::operation::ResizeMode,
    target: usize,
    input: usize,
    output: usize,
) -> (usize, usize, i32) {
    let (first, second, weight) = mode.sample(target, input, output);
    (first, second, (weight * 128.0).round() as i32)
}

fn resize(spec: &Resize, input: &IntegerTensor, shape: Shape) -> Vec<i32> {
    let mut values = Vec::with_capacity(shape.elements());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            let (top, bottom, down) = resize_sample(spec.mode, row, input.shape.height, shape.height);
            for column in 0..shape.width {
                let (left, right, along) = resize_sample(spec.mode, column, input.shape.width, shape.width);
                let sum = (128 - down) * (128 - along) * input.at(channel, top, left)
                    + (128 - down) * along * input.at(channel, top, right)
                    + down * (128 - along) * input.at(channel, bottom, left)
                    + down * along * input.at(channel, bottom, right);
                values.push((sum + 8192) >> 14);
            }
        }
    }
    values
}

/// The output positions whose input position `position * stride + offset - before` lies within the
/// map; empty where there are none.
fn inside_range(output: usize, stride: usize, offset: usize, before: usize, size: usize) -> std::ops::Range<usize> {
    let start = before.saturating_sub(offset).div_ceil(stride);
    let end = (size + before).saturating_sub(offset).div_ceil(stride).min(output);
    start..end
}
