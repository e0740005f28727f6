//! What quantisation costs: the error of every node against the f64 reference.

use super::interpreter::IntegerInterpreter;
use super::types::{Element, QuantizedGraph, QuantizedOperation};
use crate::graph::{NodeId, Read, StepGraph};
use crate::parameters::Parameters;
use crate::reference::Interpreter;
use crate::tensor::Tensor;
use rayon::prelude::*;
use std::fmt;

/// The error of one node over all frames and steps.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeError {
    /// Path, of both graphs.
    pub name: String,
    /// Integer width.
    pub element: Element,
    /// Sum of the squares of the reference's values.
    pub signal: f64,
    /// Sum of the squares of the differences.
    pub noise: f64,
    /// Largest difference.
    pub largest: f64,
    /// Real value of one integer step.
    pub scale: f64,
    /// Share of the values at either end of the element's range.
    pub saturated: f64,
}

impl NodeError {
    /// `10 log10(signal / noise)`; infinite where there is no difference.
    pub fn signal_to_noise(&self) -> f64 {
        10.0 * (self.signal / self.noise).log10()
    }
}

/// The errors of all nodes that both graphs have, in the order of the step. Left out is what only a
/// max-pool reads: below the smallest maximum it is clipped on purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizationReport {
    /// By node.
    pub nodes: Vec<NodeError>,
    /// Steps compared.
    pub steps: usize,
    /// Steps at which both graphs give the largest logit to the same class.
    pub agreeing: usize,
}

impl QuantizationReport {
    /// Runs both graphs over sequences of (float) frames, each begun with all states zero.
    pub fn new(
        graph: &StepGraph,
        parameters: &Parameters<f32>,
        quantized: &QuantizedGraph,
        sequences: &[Vec<&Tensor>],
    ) -> Self {
        let values = parameters.to_f64();
        // Nodes of both graphs with one name hold one value.
        let pairs: Vec<(usize, usize)> = quantized
            .nodes
            .iter()
            .enumerate()
            .filter(|&(index, _)| !is_only_pooled(quantized, NodeId(index)))
            .filter_map(|(index, node)| graph.node_named(&node.name).map(|float| (float.0, index)))
            .collect();
        let parts: Vec<Self> =
            sequences.par_iter().map(|sequence| Self::of(graph, &values, quantized, &pairs, sequence)).collect();
        let mut whole = Self::empty(quantized, &pairs);
        for part in parts {
            whole.steps += part.steps;
            whole.agreeing += part.agreeing;
            for (node, more) in whole.nodes.iter_mut().zip(part.nodes) {
                node.signal += more.signal;
                node.noise += more.noise;
                node.largest = node.largest.max(more.largest);
                node.saturated += more.saturated;
            }
        }
        for (node, &(_, integer)) in whole.nodes.iter_mut().zip(&pairs) {
            node.saturated /= (whole.steps.max(1) * quantized.nodes[integer].output.shape.elements()) as f64;
        }
        whole
    }

    fn empty(quantized: &QuantizedGraph, pairs: &[(usize, usize)]) -> Self {
        let node = |&(_, integer): &(usize, usize)| {
            let node = &quantized.nodes[integer];
            let (element, scale) = (node.output.element, node.output.scale);
            NodeError { name: node.name.clone(), element, signal: 0.0, noise: 0.0, largest: 0.0, scale, saturated: 0.0 }
        };
        Self { nodes: pairs.iter().map(node).collect(), steps: 0, agreeing: 0 }
    }

    /// One sequence; `saturated` is a count.
    fn of(
        graph: &StepGraph,
        values: &Parameters<f64>,
        quantized: &QuantizedGraph,
        pairs: &[(usize, usize)],
        sequence: &[&Tensor],
    ) -> Self {
        let mut report = Self::empty(quantized, pairs);
        let (mut reference, mut integers) = (Interpreter::new(graph, values), IntegerInterpreter::new(quantized));
        for frame in sequence {
            let expected = reference.step(frame);
            let frame: Vec<i8> = frame.values.iter().map(|&x| quantized.frame.quantize(x) as i8).collect();
            let found = integers.step(&frame);
            for (node, &(float, integer)) in report.nodes.iter_mut().zip(pairs) {
                let kind = quantized.nodes[integer].output;
                let (low, high) = kind.element.range();
                for (&x, &y) in expected[float].values.iter().zip(&found[integer].values) {
                    let difference = kind.dequantize(y) - x;
                    node.signal += x * x;
                    node.noise += difference * difference;
                    node.largest = node.largest.max(difference.abs());
                    node.saturated += f64::from(u8::from(y == low || y == high));
                }
            }
            report.steps += 1;
            let float = expected[graph.logits.0].values.iter().copied();
            let integer = found[quantized.logits.0].values.iter().map(|&x| f64::from(x));
            report.agreeing += usize::from(first_largest(float) == first_largest(integer));
        }
        report
    }

    /// Signal to noise of the logits, in dB.
    pub fn logits(&self, quantized: &QuantizedGraph) -> Option<f64> {
        let name = &quantized.nodes[quantized.logits.0].name;
        self.nodes.iter().find(|node| node.name == *name).map(NodeError::signal_to_noise)
    }
}

fn is_only_pooled(graph: &QuantizedGraph, node: NodeId) -> bool {
    let mut readers = graph.nodes.iter().filter(|reader| reader.inputs.contains(&Read::Node(node))).peekable();
    let watched = graph.logits == node
        || graph.states.iter().any(|state| state.next == node)
        || graph.taps.iter().any(|tap| tap.node == node);
    !watched
        && readers.peek().is_some()
        && readers.all(|reader| matches!(reader.operation, QuantizedOperation::MaxPool(_)))
}

/// Index of the first of the largest values.
fn first_largest(values: impl Iterator<Item = f64>) -> Option<usize> {
    let largest = values.enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    largest.map(|(index, _)| index)
}

impl fmt::Display for QuantizationReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.nodes.iter().map(|node| node.name.len()).max().unwrap_or(0).max(4);
        writeln!(formatter, "{:width$}  width  signal/noise  largest error  one step  at the ends", "node")?;
        for node in &self.nodes {
            let element = match node.element {
                Element::I8 => "i8",
                Element::I16 => "i16",
            };
            writeln!(
                formatter,
                "{:width$}  {element:5}  {:9.1} dB  {:13.6}  {:8.2e}  {:9.3} %",
                node.name,
                node.signal_to_noise(),
                node.largest,
                node.scale,
                100.0 * node.saturated
            )?;
        }
        write!(formatter, "same class at {} of {} steps", self.agreeing, self.steps)
    }
}
