//! The first step at which the image can reach each value, with the weights as they are.
//!
//! Two facts are carried from value to value and from step to step: whether every element is zero whatever is on show, and
//! whether the value can depend on the image. The image passes a product only where the other factor need not be zero, and
//! a convolution only where one of the weights that it meets is not zero. States start as zero.
//!
//! A value that need not be zero at one step need not be zero at the next, and one that the image reaches stays reached.
//! So the analysis ends with the first step that changes nothing, and "never" means never. The step found is never later
//! than the true one; it can be earlier, where values cancel each other or a relu is shut.

use crate::graph::{NodeId, ParameterId, Read, StepGraph};
use crate::operation::Operation;
use crate::parameters::Parameters;
use crate::quantize::{GatedSum, Lookup, QuantizedGraph, QuantizedNode, QuantizedOperation};

/// By node of a float graph: the first step (from 1) at which its value can depend on the image; none if it never can.
pub fn first_image_steps<T: Copy + Into<f64>>(graph: &StepGraph, parameters: &Parameters<T>) -> Vec<Option<usize>> {
    let next = graph.states.iter().map(|state| state.next).collect();
    let reads = graph.nodes.iter().map(|node| node.inputs.as_slice()).collect();
    first_steps(reads, next, |index, inputs| float_fact(graph, parameters, index, inputs))
}

/// The same for a quantised graph, where zero is the zero point.
pub fn first_image_steps_of_integers(graph: &QuantizedGraph) -> Vec<Option<usize>> {
    let next = graph.states.iter().map(|state| state.next).collect();
    let reads = graph.nodes.iter().map(|node| node.inputs.as_slice()).collect();
    first_steps(reads, next, |index, inputs| integer_fact(graph, &graph.nodes[index], inputs))
}

/// What is known of a value at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fact {
    /// Every element is zero.
    zero: bool,
    /// It can depend on the image.
    image: bool,
}

const ZERO: Fact = Fact { zero: true, image: false };
const FRAME: Fact = Fact { zero: false, image: true };

fn first_steps(reads: Vec<&[Read]>, next: Vec<NodeId>, fact: impl Fn(usize, &[Fact]) -> Fact) -> Vec<Option<usize>> {
    let mut first = vec![None; reads.len()];
    let mut states = vec![ZERO; next.len()];
    for step in 1.. {
        let mut facts: Vec<Fact> = Vec::with_capacity(reads.len());
        for (index, reads) in reads.iter().enumerate() {
            let read = |&read: &Read| match read {
                Read::Frame => FRAME,
                Read::Node(node) => facts[node.0],
                Read::State(state) => states[state.0],
            };
            let inputs: Vec<Fact> = reads.iter().map(read).collect();
            let found = fact(index, &inputs);
            if found.image {
                first[index].get_or_insert(step);
            }
            facts.push(found);
        }
        let after: Vec<Fact> = next.iter().map(|node| facts[node.0]).collect();
        if after == states {
            break;
        }
        states = after;
    }
    first
}

/// A value whose elements each depend on all inputs, zero if they all are and zero is kept.
fn union(inputs: &[Fact], keeps_zero: bool) -> Fact {
    Fact { zero: keeps_zero && inputs.iter().all(|input| input.zero), image: inputs.iter().any(|input| input.image) }
}

/// A constant.
fn constant(is_zero: bool) -> Fact {
    Fact { zero: is_zero, image: false }
}

/// A factor passes the image only where the other one need not be zero.
fn product(left: Fact, right: Fact) -> Fact {
    Fact { zero: left.zero || right.zero, image: left.image && !right.zero || right.image && !left.zero }
}

/// The inputs of a convolution of which any weight is not zero.
fn weighted(
    inputs: &[Fact],
    channels: &[usize],
    area: usize,
    is_zero: impl Fn(usize) -> bool,
    weights: usize,
) -> Vec<Fact> {
    // By output channel, the weights of one input follow those of another.
    let row: usize = channels.iter().sum::<usize>() * area;
    let mut start = 0;
    let mut met = Vec::new();
    for (&fact, channels) in inputs.iter().zip(channels) {
        let own = start..start + channels * area;
        start = own.end;
        if (0..weights / row.max(1)).any(|output| own.clone().any(|index| !is_zero(output * row + index))) {
            met.push(fact);
        }
    }
    met
}

fn float_fact<T: Copy + Into<f64>>(
    graph: &StepGraph,
    parameters: &Parameters<T>,
    index: usize,
    inputs: &[Fact],
) -> Fact {
    let node = &graph.nodes[index];
    let is_zero = |id: ParameterId| parameters.get(id).iter().all(|&value| value.into() == 0.0);
    match &node.operation {
        Operation::Convolution(convolution) => {
            let channels = |&read: &Read| graph.read_shape(read).channels / convolution.groups;
            let channels: Vec<usize> = node.inputs.iter().map(channels).collect();
            let weight = parameters.get(convolution.weight);
            let area = convolution.kernel[0] * convolution.kernel[1];
            let met = weighted(inputs, &channels, area, |index| weight[index].into() == 0.0, weight.len());
            union(&met, convolution.bias.is_none_or(is_zero))
        }
        Operation::BatchNorm(norm) => match (is_zero(norm.scale), is_zero(norm.shift)) {
            (true, shift) => constant(shift),
            (false, shift) => union(inputs, shift && is_zero(norm.mean)),
        },
        Operation::Scale { factor } => match is_zero(*factor) {
            true => constant(true),
            false => union(inputs, true),
        },
        Operation::Multiply => product(inputs[0], inputs[1]),
        Operation::Affine { scale, offset } => match *scale == 0.0 {
            true => constant(*offset == 0.0),
            false => union(inputs, *offset == 0.0),
        },
        Operation::Activation(activation) => union(inputs, activation.keeps_zero()),
        Operation::Add | Operation::Resize(_) | Operation::MaxPool(_) | Operation::GlobalAverage => union(inputs, true),
    }
}

fn integer_fact(graph: &QuantizedGraph, node: &QuantizedNode, inputs: &[Fact]) -> Fact {
    let types: Vec<_> = node.inputs.iter().map(|&read| graph.read_type(read)).collect();
    match &node.operation {
        QuantizedOperation::Convolution(convolution) => {
            let channels: Vec<usize> = types.iter().map(|input| input.shape.channels / convolution.groups).collect();
            let weight = &convolution.weight;
            let area = convolution.kernel[0] * convolution.kernel[1];
            let met = weighted(inputs, &channels, area, |index| weight[index] == 0, weight.len());
            union(&met, convolution.bias.iter().all(|&bias| bias == 0))
        }
        QuantizedOperation::Multiply { .. } => product(inputs[0], inputs[1]),
        QuantizedOperation::Lookup(lookup) => {
            let zero = node.output.zero_point;
            match the_only_value(lookup) {
                Some(value) => constant(node.output.saturate(value) == zero),
                None => union(inputs, node.output.saturate(lookup.apply(types[0].zero_point)) == zero),
            }
        }
        QuantizedOperation::Add { .. }
        | QuantizedOperation::Rescale(_)
        | QuantizedOperation::MaxPool(_)
        | QuantizedOperation::GlobalAverage { .. }
        | QuantizedOperation::Resize(_) => union(inputs, true),
        QuantizedOperation::GatedSum(sum) => {
            let zero_points: Vec<i32> = types.iter().map(|input| input.zero_point).collect();
            gated_sum(sum, inputs, &zero_points, node.output.zero_point)
        }
    }
}

fn gated_sum(sum: &GatedSum, inputs: &[Fact], zero_points: &[i32], output_zero: i32) -> Fact {
    let operand = |index: usize| match &sum.tables[index] {
        None => inputs[index],
        Some(table) => match the_only_value(table) {
            Some(value) => constant(value == 0),
            None => union(&inputs[index..=index], table.apply(zero_points[index]) == 0),
        },
    };
    let products: Vec<Fact> = (0..sum.rescale.len()).map(|k| product(operand(2 * k), operand(2 * k + 1))).collect();
    match &sum.function {
        None => union(&products, true),
        Some(function) => union(&products, function.apply(0) == output_zero),
    }
}

/// The value of a table that has but one.
fn the_only_value(lookup: &Lookup) -> Option<i32> {
    let (Lookup::Direct(table) | Lookup::Interpolated(table) | Lookup::Fine(table)) = lookup;
    let first = *table.first()?;
    table.iter().all(|&entry| entry == first).then(|| i32::from(first))
}

#[cfg(test)]
mod tests;
