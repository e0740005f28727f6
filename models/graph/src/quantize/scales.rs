//! The integer type of every value of a float graph.

use super::calibrate::Calibration;
use super::fuse::Role;
use super::histogram::Histogram;
use super::lookup::{GATE_INPUT_SCALE, UNIT_SCALE};
use super::plan::{Plan, Reader};
use super::range::{RangeRule, from_ends, narrow, wide};
use super::types::{Element, QuantizedType};
use crate::graph::{NodeId, Read, StepGraph};
use crate::operation::{Activation, Operation};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A value's type is that of its origin: resizes and max-pools keep the type of what they read, and
/// a state has that of its next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    Frame,
    Node(NodeId),
}

/// The type of one value of the float graph in one width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueType {
    /// Path of the float node.
    pub name: String,
    /// Width.
    pub element: Element,
    /// Real value of one integer step.
    pub scale: f64,
    /// The integer that stands for zero.
    pub zero_point: i32,
}

/// The types of all values of a graph, as a conversion found them: with these another conversion of the same graph, with
/// other weights, needs no calibration and gives every value the type that it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueTypes {
    /// The frame's scale.
    pub frame_scale: f64,
    /// The frame's zero point.
    pub frame_zero_point: i32,
    /// By value and width, in the order of the step.
    pub values: Vec<ValueType>,
}

impl ValueTypes {
    /// What is no type, if anything.
    pub fn check(&self) -> Result<(), String> {
        let sound = |name: &str, scale: f64, zero_point: i32, element: Element| {
            let (low, high) = element.range();
            let is_zero = element == Element::I8 || zero_point == 0;
            match scale.is_finite() && scale > 0.0 && (low..=high).contains(&zero_point) && is_zero {
                true => Ok(()),
                false => Err(format!("{name}: scale {scale} and zero point {zero_point} are no {element:?} type")),
            }
        };
        sound("frame", self.frame_scale, self.frame_zero_point, Element::I8)?;
        self.values.iter().try_for_each(|value| sound(&value.name, value.scale, value.zero_point, value.element))
    }
}

/// How ranges are found from a calibration.
#[derive(Clone, Copy)]
pub(super) struct Ranges<'a> {
    pub(super) calibration: &'a Calibration,
    pub(super) headroom: f64,
    pub(super) rule: RangeRule,
    /// Values that have a rule of their own, by path.
    pub(super) exceptions: &'a BTreeMap<String, RangeRule>,
}

/// Types, found once for each origin and width.
pub(super) struct Scales<'a> {
    graph: &'a StepGraph,
    plan: &'a Plan,
    /// None where all types are given.
    ranges: Option<Ranges<'a>>,
    frame: QuantizedType,
    found: HashMap<(Origin, Element), QuantizedType>,
    /// A value whose type was not given, where types are.
    missing: Option<NodeId>,
}

impl<'a> Scales<'a> {
    /// Types from what was measured.
    pub(super) fn measured(graph: &'a StepGraph, plan: &'a Plan, ranges: Ranges<'a>, frame: QuantizedType) -> Self {
        Self { graph, plan, ranges: Some(ranges), frame, found: HashMap::new(), missing: None }
    }

    /// Types that an earlier conversion found.
    pub(super) fn given(graph: &'a StepGraph, plan: &'a Plan, types: &ValueTypes) -> Self {
        let frame = QuantizedType {
            shape: graph.frame,
            element: Element::I8,
            scale: types.frame_scale,
            zero_point: types.frame_zero_point,
        };
        let value = |value: &ValueType| {
            let node = graph.node_named(&value.name)?;
            let ValueType { element, scale, zero_point, .. } = *value;
            let kind = QuantizedType { shape: graph.nodes[node.0].shape, element, scale, zero_point };
            Some(((Origin::Node(node), element), kind))
        };
        let found = types.values.iter().filter_map(value).collect();
        Self { graph, plan, ranges: None, frame, found, missing: None }
    }

    /// The types found so far.
    pub(super) fn types(&self) -> ValueTypes {
        let mut found: Vec<(NodeId, Element, QuantizedType)> = self
            .found
            .iter()
            .filter_map(|(&(origin, element), &kind)| match origin {
                Origin::Frame => None,
                Origin::Node(node) => Some((node, element, kind)),
            })
            .collect();
        found.sort_by_key(|&(node, element, _)| (node.0, element == Element::I16));
        let value = |&(node, element, kind): &(NodeId, Element, QuantizedType)| ValueType {
            name: self.graph.nodes[node.0].name.clone(),
            element,
            scale: kind.scale,
            zero_point: kind.zero_point,
        };
        ValueTypes {
            frame_scale: self.frame.scale,
            frame_zero_point: self.frame.zero_point,
            values: found.iter().map(value).collect(),
        }
    }

    /// The frame's type.
    pub(super) fn frame(&self) -> QuantizedType {
        self.frame
    }

    /// A value whose type should have been given and was not.
    pub(super) fn missing(&self) -> Option<NodeId> {
        self.missing
    }

    /// Where a value's type comes from.
    pub(super) fn origin(&self, read: Read) -> Origin {
        let mut seen = HashSet::new();
        let mut read = read;
        loop {
            let node = match read {
                Read::Frame => return Origin::Frame,
                Read::Node(node) => node,
                Read::State(state) => self.graph.states[state.0].next,
            };
            let moves = matches!(self.graph.nodes[node.0].operation, Operation::Resize(_) | Operation::MaxPool(_));
            if !moves {
                return Origin::Node(node);
            }
            if !seen.insert(node) {
                // A state that only ever moves its own zeros around.
                return Origin::Node(*seen.iter().min().expect("not empty"));
            }
            read = self.graph.nodes[node.0].inputs[0];
        }
    }

    /// The type of a value in a given width.
    pub(super) fn of(&mut self, read: Read, element: Element) -> QuantizedType {
        let shape = self.graph.read_shape(read);
        let key = (self.origin(read), element);
        let known = self.found.get(&key).copied();
        let kind = known.unwrap_or_else(|| {
            let kind = self.choose(key.0, element);
            self.found.insert(key, kind);
            kind
        });
        QuantizedType { shape, ..kind }
    }

    /// Gives a value's type a larger scale; says whether it was smaller.
    pub(super) fn widen(&mut self, read: Read, element: Element, scale: f64) -> bool {
        let kind = self.of(read, element);
        let origin = self.origin(read);
        if !(scale > kind.scale && scale.is_finite()) {
            return false;
        }
        self.found.insert((origin, element), QuantizedType { scale, ..kind });
        true
    }

    fn choose(&mut self, origin: Origin, element: Element) -> QuantizedType {
        let node = match (origin, element) {
            (Origin::Frame, Element::I8) => return self.frame,
            // Every i8 value becomes 64 times itself: nothing is lost.
            (Origin::Frame, Element::I16) => {
                return QuantizedType { element, scale: self.frame.scale / 64.0, zero_point: 0, ..self.frame };
            }
            (Origin::Node(node), Element::I8 | Element::I16) => node,
        };
        let (shape, name) = (self.graph.nodes[node.0].shape, &self.graph.nodes[node.0].name);
        let Some(ranges) = self.ranges else {
            self.missing = Some(node);
            return any_type(shape, element);
        };
        match element {
            Element::I8 => {
                let rule = ranges.exceptions.get(name).copied().unwrap_or(ranges.rule);
                narrow(shape, self.histogram(&ranges, node), rule)
            }
            Element::I16 => {
                let kind = wide(shape, self.histogram(&ranges, node), ranges.headroom);
                match self.fixed_scale(node) {
                    Some(scale) => QuantizedType { scale, ..kind },
                    None => kind,
                }
            }
        }
    }

    /// What was measured of a value, or of its maximum over windows where only that is read: what
    /// lies below the smallest maximum need not be told apart.
    fn histogram<'c>(&self, ranges: &Ranges<'c>, node: NodeId) -> &'c Histogram {
        match self.plan.readers[node.0].as_slice() {
            &[Reader::Node(reader)] if matches!(self.graph.nodes[reader.0].operation, Operation::MaxPool(_)) => {
                self.histogram(ranges, reader)
            }
            _ => &ranges.calibration.nodes[node.0],
        }
    }

    /// The scale of what only sigmoid or tanh tables read, and of what these give.
    fn fixed_scale(&self, node: NodeId) -> Option<f64> {
        if let Role::Lookup { functions, .. } = &self.plan.roles[node.0] {
            // All functions are monotone, so the ends bound the image.
            let at = |x: f64| functions.iter().fold(x, |x, function| function.apply(x));
            if at(-1e6).abs().max(at(1e6).abs()) <= 1.0 {
                return Some(UNIT_SCALE);
            }
        }
        let squashes = |reader: &Reader| match *reader {
            Reader::Node(reader) => matches!(
                self.graph.nodes[reader.0].operation,
                Operation::Activation(Activation::Sigmoid | Activation::Tanh)
            ),
            Reader::NextOf(_) | Reader::Logits | Reader::Tap => false,
        };
        let readers = &self.plan.readers[node.0];
        (!readers.is_empty() && readers.iter().all(squashes)).then_some(GATE_INPUT_SCALE)
    }
}

/// A valid type for the rest of a conversion that [`Scales::missing`] then refuses by the value's name.
fn any_type(shape: Shape, element: Element) -> QuantizedType {
    QuantizedType { element, zero_point: 0, ..from_ends(shape, -1.0, 1.0) }
}
