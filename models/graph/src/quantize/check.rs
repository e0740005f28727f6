//! The rules of a quantised graph.

use super::error::CheckError;
use super::types::*;
use crate::graph::{NodeId, Read};
use crate::infer::windows;
use crate::operation::{Padding, Pool};
use crate::shape::Shape;
use std::collections::HashSet;

/// What is wrong, without a name yet.
type Verdict = Result<(), String>;

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(message()) }
}

impl QuantizedGraph {
    /// Verifies order, names, indices, types, shapes, table lengths, and that no sum, left shift or
    /// product can leave the width it is computed in.
    pub fn check(&self) -> Result<(), CheckError> {
        let named = |name: &str, verdict: Verdict| verdict.map_err(|message| CheckError { name: name.into(), message });
        named("frame", check_type(&self.frame))?;
        named("frame", ensure(self.frame.element == Element::I8, || "is not i8".into()))?;
        let mut names = HashSet::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let twice = || "its name is given to two nodes".into();
            named(&node.name, ensure(names.insert(node.name.as_str()), twice))?;
            named(&node.name, self.check_node(index, node))?;
        }
        let mut names = HashSet::new();
        for state in &self.states {
            let twice = || "its name is given to two states".into();
            named(&state.name, ensure(names.insert(state.name.as_str()), twice))?;
            named(&state.name, self.check_state(state))?;
        }
        named("logits", self.check_logits())?;
        for tap in &self.taps {
            named(&tap.name, self.node_exists(tap.node))?;
        }
        Ok(())
    }

    fn node_exists(&self, node: NodeId) -> Verdict {
        ensure(node.0 < self.nodes.len(), || format!("node {} does not exist", node.0))
    }

    fn check_state(&self, state: &QuantizedState) -> Verdict {
        check_type(&state.value)?;
        self.node_exists(state.next)?;
        ensure(state.layer < self.layers.len(), || format!("layer {} does not exist", state.layer))?;
        let next = &self.nodes[state.next.0];
        ensure(next.output == state.value, || {
            format!("has type {:?}, but its next value {} has {:?}", state.value, next.name, next.output)
        })
    }

    fn check_logits(&self) -> Verdict {
        self.node_exists(self.logits)?;
        let kind = self.nodes[self.logits.0].output;
        ensure(kind.element == Element::I16 && kind.shape.positions() == 1, || {
            format!("are {:?} of shape {}, expected i16 at one position", kind.element, kind.shape)
        })
    }

    fn check_node(&self, index: usize, node: &QuantizedNode) -> Verdict {
        ensure(node.layer < self.layers.len(), || format!("layer {} does not exist", node.layer))?;
        check_type(&node.output)?;
        for &read in &node.inputs {
            let exists = match read {
                Read::Frame => true,
                Read::Node(other) => other.0 < index,
                Read::State(state) => state.0 < self.states.len(),
            };
            ensure(exists, || format!("reads {read:?}, which is not there yet"))?;
        }
        let inputs: Vec<QuantizedType> = node.inputs.iter().map(|&read| self.read_type(read)).collect();
        check_operation(&node.operation, &inputs, &node.output)
    }
}

fn check_type(kind: &QuantizedType) -> Verdict {
    let (low, high) = match kind.element {
        Element::I8 => (-128, 127),
        Element::I16 => (0, 0),
    };
    ensure(kind.scale.is_finite() && kind.scale > 0.0, || format!("has scale {}", kind.scale))?;
    ensure((low..=high).contains(&kind.zero_point), || {
        format!("{:?} has zero point {}", kind.element, kind.zero_point)
    })?;
    ensure(kind.shape.elements() > 0, || format!("has the empty shape {}", kind.shape))
}

fn check_operation(operation: &QuantizedOperation, inputs: &[QuantizedType], output: &QuantizedType) -> Verdict {
    let count = match operation {
        QuantizedOperation::Add { .. } | QuantizedOperation::Multiply { .. } => 2,
        QuantizedOperation::Convolution(_) => inputs.len().max(1),
        QuantizedOperation::GatedSum(spec) => 2 * spec.rescale.len().clamp(1, 2),
        QuantizedOperation::Lookup(_)
        | QuantizedOperation::Rescale(_)
        | QuantizedOperation::MaxPool(_)
        | QuantizedOperation::GlobalAverage { .. }
        | QuantizedOperation::Resize(_) => 1,
    };
    ensure(inputs.len() == count, || format!("has {} inputs, expected {count}", inputs.len()))?;
    let first = inputs[0];
    let same_shape = || {
        let differs = inputs.iter().find(|input| input.shape != output.shape);
        ensure(differs.is_none(), || format!("has inputs of other shapes than its own, {}", output.shape))
    };
    match operation {
        QuantizedOperation::Convolution(spec) => check_convolution(spec, inputs, output),
        QuantizedOperation::Add { left, right } => {
            same_shape()?;
            let largest = check_rescale(*left, first.magnitude())? + check_rescale(*right, inputs[1].magnitude())?;
            ensure(largest + 128 <= i64::from(i32::MAX), || format!("its sum may reach {largest}"))
        }
        QuantizedOperation::Multiply { rescale } => {
            same_shape()?;
            check_rescale(*rescale, first.magnitude() * inputs[1].magnitude()).map(|_| ())
        }
        QuantizedOperation::Lookup(lookup) => {
            same_shape()?;
            check_lookup(lookup, &first, output)
        }
        QuantizedOperation::Rescale(rescale) => {
            same_shape()?;
            check_rescale(*rescale, first.magnitude()).map(|_| ())
        }
        QuantizedOperation::MaxPool(Pool { kernel, stride, padding }) => {
            keeps_type(&first, output)?;
            let Padding { top, bottom, left, right } = *padding;
            let inside = top.max(bottom) < kernel[0] && left.max(right) < kernel[1];
            ensure(inside, || "pads by a whole window".into())?;
            expect_shape(windows(first.shape, *kernel, *stride, *padding)?, output)
        }
        QuantizedOperation::GlobalAverage { rescale } => {
            let positions = first.shape.positions() as i64;
            check_rescale(*rescale, first.magnitude() * positions)?;
            expect_shape(Shape::new(first.shape.channels, 1, 1), output)
        }
        QuantizedOperation::GatedSum(spec) => {
            same_shape()?;
            check_gated_sum(spec, inputs, output)
        }
        QuantizedOperation::Resize(resize) => {
            keeps_type(&first, output)?;
            expect_shape(Shape::new(first.shape.channels, resize.height, resize.width), output)
        }
    }
}

fn check_gated_sum(spec: &GatedSum, inputs: &[QuantizedType], output: &QuantizedType) -> Verdict {
    let lengths = (spec.tables.len(), spec.rescale.len());
    ensure(lengths == (inputs.len(), inputs.len() / 2), || format!("has {lengths:?} tables and factors"))?;
    let factor = |(input, table): (&QuantizedType, &Option<Lookup>)| match table {
        Some(table) => {
            let entries = QuantizedType { element: Element::I16, zero_point: 0, ..*output };
            check_lookup(table, input, &entries).map(|()| 32768)
        }
        None => Ok(input.magnitude()),
    };
    let factors: Vec<i64> = inputs.iter().zip(&spec.tables).map(factor).collect::<Result<_, String>>()?;
    let mut largest = 0;
    for (pair, rescale) in factors.chunks_exact(2).zip(&spec.rescale) {
        largest += check_rescale(*rescale, pair.iter().product())?;
    }
    ensure(largest + 128 <= i64::from(i32::MAX), || format!("its sum may reach {largest}"))?;
    let sum = QuantizedType { element: Element::I16, zero_point: 0, ..*output };
    spec.function.as_ref().map_or(Ok(()), |function| check_lookup(function, &sum, output))
}

fn expect_shape(expected: Shape, output: &QuantizedType) -> Verdict {
    ensure(output.shape == expected, || format!("has shape {}, expected {expected}", output.shape))
}

fn keeps_type(input: &QuantizedType, output: &QuantizedType) -> Verdict {
    ensure(QuantizedType { shape: output.shape, ..*input } == *output, || {
        format!("keeps the type of its input, {input:?}, but is {output:?}")
    })
}

/// The largest result for values of at most `magnitude`.
fn check_rescale(rescale: Rescale, magnitude: i64) -> Result<i64, String> {
    ensure(rescale.multiplier >= 0, || format!("has the negative multiplier {}", rescale.multiplier))?;
    ensure(rescale.fits(magnitude), || {
        format!("shifts values of up to {magnitude} left by {}, beyond 32 bits", rescale.shift)
    })?;
    Ok(rescale.bound(magnitude))
}

fn check_lookup(lookup: &Lookup, input: &QuantizedType, output: &QuantizedType) -> Verdict {
    let (entries, element, length) = match lookup {
        Lookup::Direct(entries) => (entries, Element::I8, 256),
        Lookup::Interpolated(entries) => (entries, Element::I16, 513),
        Lookup::Fine(entries) => (entries, Element::I16, 2048),
    };
    ensure(entries.len() == length, || format!("its table has {} entries, expected {length}", entries.len()))?;
    ensure(input.element == element, || format!("its table is for {element:?}, but it reads {:?}", input.element))?;
    let (low, high) = output.element.range();
    let outside = entries.iter().find(|&&entry| !(low..=high).contains(&i32::from(entry)));
    ensure(outside.is_none(), || format!("its table holds {outside:?}, beyond {:?}", output.element))
}

fn check_convolution(spec: &QuantizedConvolution, inputs: &[QuantizedType], output: &QuantizedType) -> Verdict {
    let first = inputs[0].shape;
    for input in inputs {
        ensure(input.element == Element::I8, || format!("reads {:?}, expected i8", input.element))?;
        let aligned = (input.shape.height, input.shape.width) == (first.height, first.width);
        ensure(aligned, || format!("reads {} beside {first}", input.shape))?;
    }
    let channels: usize = inputs.iter().map(|input| input.shape.channels).sum();
    let (groups, out_channels) = (spec.groups, output.shape.channels);
    let divides = groups > 0 && channels.is_multiple_of(groups) && out_channels.is_multiple_of(groups);
    ensure(divides && (groups == 1 || inputs.len() == 1), || {
        format!("cannot split {channels} channels of {} inputs into {groups} groups", inputs.len())
    })?;
    let expected = out_channels * (channels / groups) * spec.kernel[0] * spec.kernel[1];
    let lengths = (spec.weight.len(), spec.bias.len(), spec.rescale.len());
    ensure(lengths == (expected, out_channels, out_channels), || {
        format!("has {lengths:?} weights, biases and factors, expected {:?}", (expected, out_channels, out_channels))
    })?;
    expect_shape(windows(first, spec.kernel, spec.stride, spec.padding)?.with_channels(out_channels), output)?;
    let shift = spec.rescale[0].shift;
    for (bound, rescale) in spec.accumulator_bounds().zip(&spec.rescale) {
        ensure(bound <= i64::from(i32::MAX), || format!("an accumulator may reach {bound}"))?;
        ensure(rescale.shift == shift, || "its channels have different shifts".into())?;
        check_rescale(*rescale, bound)?;
    }
    Ok(())
}
