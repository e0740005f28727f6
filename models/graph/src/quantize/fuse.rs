//! Float nodes that become one integer operation: a convolution (or sum, product, mean) with its bias, the relu after it and
//! the rescale to i8, in whose saturation the relu is; and chains of unary functions, which become one table.
//!
//! Values change by the roundings that are left out alone.

use super::plan::Reader;
use super::types::Element;
use crate::graph::{NodeId, Read, StepGraph};
use crate::operation::{Activation, Operation};

/// A unary function of reals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    Affine { scale: f64, offset: f64 },
    Activation(Activation),
}

impl Function {
    fn of(operation: &Operation) -> Option<Self> {
        match *operation {
            Operation::Affine { scale, offset } => Some(Function::Affine { scale, offset }),
            Operation::Activation(activation) => Some(Function::Activation(activation)),
            Operation::Convolution(_)
            | Operation::Resize(_)
            | Operation::BatchNorm(_)
            | Operation::Scale { .. }
            | Operation::Add
            | Operation::Multiply
            | Operation::MaxPool(_)
            | Operation::GlobalAverage => None,
        }
    }

    pub(super) fn apply(self, x: f64) -> f64 {
        match self {
            Function::Affine { scale, offset } => scale * x + offset,
            Function::Activation(activation) => activation.apply(x),
        }
    }
}

/// How a float node is emitted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    /// As the one integer operation of its kind.
    Itself,
    /// As part of the operation of a later node.
    Inner,
    /// The end of a chain of unary functions, which becomes one table.
    Lookup { input: Read, functions: Vec<Function> },
    /// A relu on i8: the node before it, emitted with zero as its smallest integer, saturates there.
    Saturation { producer: NodeId },
}

/// What becomes of every node, by the nodes' readers and widths.
pub(super) fn fuse(graph: &StepGraph, readers: &[Vec<Reader>], elements: &[Element]) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let Some(function) = Function::of(&node.operation) else {
            roles.push(Role::Itself);
            continue;
        };
        let input = node.inputs[0];
        let before = match input {
            Read::Node(other) if readers[other.0].len() == 1 => Some(other),
            Read::Node(_) | Read::Frame | Read::State(_) => None,
        };
        let relu_on_i8 = function == Function::Activation(Activation::Relu) && elements[index] == Element::I8;
        let role = match before.map(|other| (other, roles[other.0].clone())) {
            Some((other, Role::Itself)) if relu_on_i8 && can_saturate(&graph.nodes[other.0].operation) => {
                roles[other.0] = Role::Inner;
                Role::Saturation { producer: other }
            }
            Some((other, Role::Lookup { input, mut functions })) => {
                roles[other.0] = Role::Inner;
                functions.push(function);
                Role::Lookup { input, functions }
            }
            Some(_) | None => Role::Lookup { input, functions: vec![function] },
        };
        roles.push(role);
    }
    roles
}

/// Whether the integer form ends with the saturation of a value at its zero point.
fn can_saturate(operation: &Operation) -> bool {
    match operation {
        Operation::Convolution(_) | Operation::Add | Operation::Multiply | Operation::GlobalAverage => true,
        Operation::Resize(_)
        | Operation::BatchNorm(_)
        | Operation::Scale { .. }
        | Operation::MaxPool(_)
        | Operation::Affine { .. }
        | Operation::Activation(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::convert::convert;
    use crate::quantize::plan::Plan;
    use crate::quantize::scales::{Ranges, Scales};
    use crate::quantize::{Calibration, PixelScale, QuantizationReport, QuantizedGraph, RangeRule, frame};
    use crate::testing::{RandomNetwork, random_frames, random_network};
    use std::collections::BTreeMap;

    /// Every node as an operation of its own.
    fn apart(graph: &StepGraph) -> Vec<Role> {
        let role = |operation, input| match Function::of(operation) {
            Some(function) => Role::Lookup { input, functions: vec![function] },
            None => Role::Itself,
        };
        graph.nodes.iter().map(|node| role(&node.operation, node.inputs[0])).collect()
    }

    /// Before and after: the same network in integers with fewer operations, and hardly farther from the float network.
    #[test]
    fn fusing_takes_operations_and_their_roundings_away() {
        let (mut operations, mut decibels, mut fused) = ([0; 2], [0.0; 2], 0);
        for seed in 0..48 {
            let RandomNetwork { graph, parameters } = random_network(seed);
            let frames = random_frames(graph.frame, 12, seed);
            let sequence: Vec<_> = frames.iter().collect();
            let calibration =
                Calibration::of_sequences(&graph, &parameters, std::slice::from_ref(&sequence)).expect("finite");
            let (mean, deviation) = (vec![0.5; graph.frame.channels], vec![0.25; graph.frame.channels]);
            let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
            let frame = frame::frame_type(graph.frame, &calibration.frame, pixels).expect("a range");
            let plans = [Plan { roles: apart(&graph), ..Plan::new(&graph) }, Plan::new(&graph)];
            fused += plans[1].roles.iter().filter(|&role| *role == Role::Inner).count();
            let graphs: [QuantizedGraph; 2] = plans.each_ref().map(|plan| {
                let (exceptions, rule) = (BTreeMap::new(), RangeRule::MinMax);
                let ranges = Ranges { calibration: &calibration, headroom: 1.5, rule, exceptions: &exceptions };
                let scales = Scales::measured(&graph, plan, ranges, frame);
                convert(&graph, &parameters, plan, scales, None, pixels, false).expect("quantises").graph
            });
            for (index, quantized) in graphs.iter().enumerate() {
                let report = QuantizationReport::new(&graph, &parameters, quantized, std::slice::from_ref(&sequence));
                operations[index] += quantized.nodes.len();
                decibels[index] += report.logits(quantized).expect("logits are compared");
            }
            assert!(graphs[1].nodes.len() <= graphs[0].nodes.len(), "seed {seed}");
        }
        println!("{operations:?} operations, {decibels:?} dB in all, {fused} nodes fused");
        assert!(fused > 60 && operations[1] < operations[0], "{operations:?}, {fused}");
        // A tenth of a decibel a network: the roundings of one seed or another.
        assert!(decibels[1] > decibels[0] - 4.8, "{decibels:?}");
    }
}
