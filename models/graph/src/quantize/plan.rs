//! What becomes of each float node: the width its value is kept in, and ([`fuse`]) with which neighbours it
//! becomes one integer operation.

use super::fuse::{Role, fuse};
use super::types::Element;
use crate::graph::{NodeId, Read, StateId, StateKind, StepGraph};
use crate::operation::Operation;

/// Who reads a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Node(NodeId),
    NextOf(StateId),
    Logits,
    Tap,
}

/// Decisions about a float graph.
pub(super) struct Plan {
    /// By node: who reads it.
    pub(super) readers: Vec<Vec<Reader>>,
    /// By node: the width its value is kept in.
    pub(super) elements: Vec<Element>,
    /// By state.
    pub(super) state_elements: Vec<Element>,
    /// By node.
    pub(super) roles: Vec<Role>,
}

impl Plan {
    pub(super) fn new(graph: &StepGraph) -> Self {
        let (readers, state_readers) = readers(graph);
        let (elements, state_elements) = elements(graph, &readers, &state_readers);
        let roles = fuse(graph, &readers, &elements);
        Self { readers, elements, state_elements, roles }
    }
}

fn readers(graph: &StepGraph) -> (Vec<Vec<Reader>>, Vec<Vec<NodeId>>) {
    let mut readers = vec![Vec::new(); graph.nodes.len()];
    let mut state_readers = vec![Vec::new(); graph.states.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        for &read in &node.inputs {
            match read {
                Read::Frame => {}
                Read::Node(other) => readers[other.0].push(Reader::Node(NodeId(index))),
                Read::State(state) => state_readers[state.0].push(NodeId(index)),
            }
        }
    }
    for (index, state) in graph.states.iter().enumerate() {
        readers[state.next.0].push(Reader::NextOf(StateId(index)));
    }
    readers[graph.logits.0].push(Reader::Logits);
    for tap in &graph.taps {
        readers[tap.node.0].push(Reader::Tap);
    }
    (readers, state_readers)
}

/// i8 where every reader wants i8, else i16 (with an i8 view for the readers that want one). Begins
/// with i8 everywhere but in cell states and widens until nothing changes.
fn elements(graph: &StepGraph, readers: &[Vec<Reader>], state_readers: &[Vec<NodeId>]) -> (Vec<Element>, Vec<Element>) {
    let mut elements = vec![Element::I8; graph.nodes.len()];
    let mut state_elements: Vec<Element> = graph
        .states
        .iter()
        .map(|state| match state.kind {
            StateKind::Output => Element::I8,
            StateKind::Cell => Element::I16,
        })
        .collect();
    loop {
        let before = (elements.clone(), state_elements.clone());
        for index in 0..graph.nodes.len() {
            let wanted: Vec<Element> = readers[index]
                .iter()
                .filter_map(|reader| match *reader {
                    Reader::Node(node) => Some(wanted_from_node(graph, &elements, node)),
                    Reader::NextOf(state) => Some(state_elements[state.0]),
                    Reader::Logits => Some(Element::I16),
                    Reader::Tap => None,
                })
                .collect();
            if !is_view_of_frame(graph, NodeId(index)) && (wanted.is_empty() || wanted.contains(&Element::I16)) {
                elements[index] = Element::I16;
            }
        }
        for (index, nodes) in state_readers.iter().enumerate() {
            // The error of i8 averages out.
            let averages = |node: NodeId| matches!(graph.nodes[node.0].operation, Operation::GlobalAverage);
            let is_wide = |&node: &NodeId| !averages(node) && wanted_from_node(graph, &elements, node) == Element::I16;
            if nodes.iter().any(is_wide) {
                state_elements[index] = Element::I16;
            }
        }
        if before == (elements.clone(), state_elements.clone()) {
            return (elements, state_elements);
        }
    }
}

/// The width in which a node reads its inputs.
fn wanted_from_node(graph: &StepGraph, elements: &[Element], node: NodeId) -> Element {
    match graph.nodes[node.0].operation {
        Operation::Convolution(_) => Element::I8,
        Operation::Resize(_) | Operation::MaxPool(_) => elements[node.0],
        Operation::BatchNorm(_)
        | Operation::Scale { .. }
        | Operation::Add
        | Operation::Multiply
        | Operation::Affine { .. }
        | Operation::Activation(_)
        | Operation::GlobalAverage => Element::I16,
    }
}

/// Whether a node only moves the frame's values; the frame is i8, and so are they.
fn is_view_of_frame(graph: &StepGraph, node: NodeId) -> bool {
    let node = &graph.nodes[node.0];
    matches!(node.operation, Operation::Resize(_) | Operation::MaxPool(_))
        && match node.inputs[0] {
            Read::Frame => true,
            Read::Node(other) => is_view_of_frame(graph, other),
            Read::State(_) => false,
        }
}
