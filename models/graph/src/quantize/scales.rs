//! The integer type of every value of a float graph.

use super::calibrate::Calibration;
use super::histogram::Histogram;
use super::lookup::{GATE_INPUT_SCALE, UNIT_SCALE};
use super::plan::{Plan, Reader, Role};
use super::range::{RangeRule, narrow, wide};
use super::types::{Element, QuantizedType};
use crate::graph::{NodeId, Read, StepGraph};
use crate::operation::{Activation, Operation};
use std::collections::{HashMap, HashSet};

/// A value's type is that of its origin: resizes and max-pools keep the type of what they read, and
/// a state has that of its next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    Frame,
    Node(NodeId),
}

/// Types, found once for each origin and width.
pub(super) struct Scales<'a> {
    graph: &'a StepGraph,
    plan: &'a Plan,
    calibration: &'a Calibration,
    frame: QuantizedType,
    headroom: f64,
    rule: RangeRule,
    found: HashMap<(Origin, Element), QuantizedType>,
}

impl<'a> Scales<'a> {
    pub(super) fn new(
        graph: &'a StepGraph,
        plan: &'a Plan,
        calibration: &'a Calibration,
        frame: QuantizedType,
        headroom: f64,
        rule: RangeRule,
    ) -> Self {
        Self { graph, plan, calibration, frame, headroom, rule, found: HashMap::new() }
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

    fn choose(&self, origin: Origin, element: Element) -> QuantizedType {
        match (origin, element) {
            (Origin::Frame, Element::I8) => self.frame,
            // Every i8 value becomes 64 times itself: nothing is lost.
            (Origin::Frame, Element::I16) => {
                QuantizedType { element, scale: self.frame.scale / 64.0, zero_point: 0, ..self.frame }
            }
            (Origin::Node(node), Element::I8) => {
                narrow(self.graph.nodes[node.0].shape, self.histogram(node), self.rule)
            }
            (Origin::Node(node), Element::I16) => {
                let kind = wide(self.graph.nodes[node.0].shape, self.histogram(node), self.headroom);
                match self.fixed_scale(node) {
                    Some(scale) => QuantizedType { scale, ..kind },
                    None => kind,
                }
            }
        }
    }

    /// What was measured of a value, or of its maximum over windows where only that is read: what
    /// lies below the smallest maximum need not be told apart.
    fn histogram(&self, node: NodeId) -> &Histogram {
        match self.plan.readers[node.0].as_slice() {
            &[Reader::Node(reader)] if matches!(self.graph.nodes[reader.0].operation, Operation::MaxPool(_)) => {
                self.histogram(reader)
            }
            _ => &self.calibration.nodes[node.0],
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
