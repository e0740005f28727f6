//! The integer operation that a float node becomes.

use super::convert::{Converter, Stop};
use super::convolution::{self, Failure, Operand};
use super::error::QuantizeError;
use super::fuse::{Function, Role};
use super::types::*;
use crate::graph::{NodeId, Read};
use crate::operation::{Activation, Operation};
use crate::shape::Shape;

impl Converter<'_, '_> {
    /// Emits what a float node becomes, if it is the last of those that become one operation.
    pub(super) fn emit(&mut self, id: NodeId) -> Result<(), Stop> {
        let node = &self.graph.nodes[id.0];
        let kept = match &self.plan.roles[id.0] {
            Role::Inner => return Ok(()),
            Role::Itself => self.emit_operation(id, id)?,
            Role::Saturation { producer } => self.emit_operation(*producer, id)?,
            Role::Lookup { input, functions } => {
                let (input, kind) = self.kept(*input);
                let function = |x: f64| functions.iter().fold(x, |x, function| function.apply(x));
                let element = self.plan.elements[id.0];
                let output = self.scales.of(Read::Node(id), element);
                let is_relu = *functions == [Function::Activation(Activation::Relu)];
                if is_relu && kind.element == Element::I16 && output.zero_point == -128 {
                    // Where zero is the smallest integer, saturation is the relu.
                    self.rescaled(Read::Node(id), node.name.clone(), node.layer, (input, kind), output)?
                } else if kind.element == Element::I16 && element == Element::I8 {
                    // Interpolating between i8 entries would round twice to i8; so i16 first.
                    let wide = self.scales.of(Read::Node(id), Element::I16);
                    let lookup = QuantizedOperation::Lookup(Lookup::new(&kind, &wide, function));
                    let name = self.free_name(&format!("{}.wide", node.name));
                    let wide_id = self.push(name, node.layer, lookup, vec![input], wide);
                    self.primary[id.0] = Some(wide_id);
                    let Read::Node(narrow) = self.view(Read::Node(id), node.layer, output)? else {
                        unreachable!("a node's view is a node")
                    };
                    self.nodes[narrow.0].name = node.name.clone();
                    narrow
                } else {
                    let lookup = QuantizedOperation::Lookup(Lookup::new(&kind, &output, function));
                    self.push(node.name.clone(), node.layer, lookup, vec![input], output)
                }
            }
        };
        self.primary[id.0] = Some(kept);
        Ok(())
    }

    /// Emits the operation of `source` as the value of `id`.
    fn emit_operation(&mut self, source: NodeId, id: NodeId) -> Result<NodeId, Stop> {
        let (graph, layer) = (self.graph, self.graph.nodes[id.0].layer);
        let inputs = &graph.nodes[source.0].inputs;
        let element = self.plan.elements[id.0];
        let output = self.scales.of(Read::Node(id), element);
        let widen = |scale: f64| Stop::Widen { value: Read::Node(id), element, scale };
        // `input` is the scale of what is rescaled to the output, `magnitude` its largest integer.
        let rescale = |input: f64, magnitude: i64| {
            let smallest = || widen(Rescale::smallest_output_scale(input, magnitude));
            Rescale::new(input / output.scale, magnitude).ok_or_else(smallest)
        };
        let (operation, reads) = match &graph.nodes[source.0].operation {
            Operation::Convolution(_) => return self.emit_convolution(source, id, output),
            Operation::Add => {
                let [(left, left_kind), (right, right_kind)] = [self.kept(inputs[0]), self.kept(inputs[1])];
                let add = QuantizedOperation::Add {
                    left: rescale(left_kind.scale, left_kind.magnitude())?,
                    right: rescale(right_kind.scale, right_kind.magnitude())?,
                };
                (add, vec![left, right])
            }
            Operation::Multiply => {
                let [(left, left_kind), (right, right_kind)] = [self.kept(inputs[0]), self.kept(inputs[1])];
                let magnitude = left_kind.magnitude() * right_kind.magnitude();
                let rescale = rescale(left_kind.scale * right_kind.scale, magnitude)?;
                (QuantizedOperation::Multiply { rescale }, vec![left, right])
            }
            Operation::GlobalAverage => {
                let (input, kind) = self.kept(inputs[0]);
                let positions = kind.shape.positions();
                let rescale = rescale(kind.scale / positions as f64, kind.magnitude() * positions as i64)?;
                (QuantizedOperation::GlobalAverage { rescale }, vec![input])
            }
            Operation::MaxPool(pool) => {
                (QuantizedOperation::MaxPool(*pool), vec![self.moved(inputs[0], layer, output)?])
            }
            Operation::Resize(resize) => {
                (QuantizedOperation::Resize(*resize), vec![self.moved(inputs[0], layer, output)?])
            }
            Operation::Affine { .. } | Operation::Activation(_) => unreachable!("unary functions become tables"),
            Operation::BatchNorm(_) | Operation::Scale { .. } => unreachable!("refused before the conversion"),
        };
        Ok(self.push(graph.nodes[id.0].name.clone(), layer, operation, reads, output))
    }

    /// The operand of an operation that keeps its type.
    fn moved(&mut self, input: Read, layer: usize, output: QuantizedType) -> Result<Read, Stop> {
        let shape: Shape = self.graph.read_shape(input);
        self.view(input, layer, QuantizedType { shape, ..output })
    }

    fn emit_convolution(&mut self, source: NodeId, id: NodeId, output: QuantizedType) -> Result<NodeId, Stop> {
        let node = &self.graph.nodes[source.0];
        let Operation::Convolution(spec) = &node.operation else { unreachable!("called for convolutions") };
        let (mut reads, mut operands) = (Vec::new(), Vec::new());
        for &input in &node.inputs {
            let kind = self.scales.of(input, Element::I8);
            reads.push(self.view(input, node.layer, kind)?);
            let measured = self.means.map(|calibration| match input {
                Read::Frame => &calibration.frame,
                Read::Node(other) => &calibration.nodes[other.0],
                Read::State(state) => &calibration.nodes[self.graph.states[state.0].next.0],
            });
            let mean = |channel| measured.map_or(0.0, |histogram| histogram.channel_mean(channel));
            let means = (0..kind.shape.channels).map(mean).collect();
            operands.push(Operand { kind, means });
        }
        let weight = self.parameters.get(spec.weight);
        let bias = spec.bias.map(|bias| self.parameters.get(bias));
        let quantized = convolution::quantize(spec, &operands, weight, bias, &output);
        let name = self.graph.nodes[id.0].name.clone();
        match quantized {
            Ok(convolution) => {
                Ok(self.push(name, node.layer, QuantizedOperation::Convolution(convolution), reads, output))
            }
            Err(Failure::OutputScale(scale)) => {
                Err(Stop::Widen { value: Read::Node(id), element: output.element, scale })
            }
            Err(Failure::Accumulator { channel, terms, bound }) => {
                Err(Stop::Refused(QuantizeError::Accumulator { node: node.name.clone(), channel, terms, bound }))
            }
        }
    }
}
