//! The step graph: nodes, states, parameters, taps.

use crate::operation::Operation;
use crate::parameters::{Initializer, ParameterGroup};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub usize);
    };
}

identifier!(
    /// Index into [`StepGraph::nodes`]; also names the node's one output value.
    NodeId
);
identifier!(
    /// Index into [`StepGraph::states`].
    StateId
);
identifier!(
    /// Index into [`StepGraph::parameters`].
    ParameterId
);

/// What a node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Read {
    /// The frame on show in this step.
    Frame,
    /// `current`: the value of an earlier node of the same step.
    Node(NodeId),
    /// `previous`: the state as it was after the previous step (zero before the first).
    State(StateId),
}

/// One operation of the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Path, for instance `layer3.cell.w_ch`.
    pub name: String,
    /// Index into [`StepGraph::layers`].
    pub layer: usize,
    /// What is computed.
    pub operation: Operation,
    /// Operands, in the operation's order.
    pub inputs: Vec<Read>,
    /// Shape of the output.
    pub shape: Shape,
}

/// What a state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// A layer's output after pooling, R^l.
    Output,
    /// A state of a layer's cell, S^l.
    Cell,
}

/// A named tensor carried from step to step, zero before the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Path, for instance `layer3.hidden`.
    pub name: String,
    /// The layer that writes it (index into [`StepGraph::layers`]).
    pub layer: usize,
    /// What it holds.
    pub kind: StateKind,
    /// Shape.
    pub shape: Shape,
    /// The node whose value becomes the state when the step ends.
    pub next: NodeId,
}

/// A trained tensor, or one that training measures ([`ParameterGroup::Statistics`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Path, for instance `layer3.cell.w_ch.weight`.
    pub name: String,
    /// Dimensions, row major.
    pub shape: Vec<usize>,
    /// How it starts.
    pub initializer: Initializer,
    /// What it is for, which decides how it is trained.
    pub group: ParameterGroup,
}

impl Parameter {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A value that can be watched from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tap {
    /// Path, for instance `layer3.output`.
    pub name: String,
    /// The value.
    pub node: NodeId,
}

/// One time step of a network. Built by [`crate::GraphBuilder`], which checks every shape and the
/// order of nodes; [`StepGraph::check`] repeats the checks for graphs that a pass has rewritten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepGraph {
    /// Name of the architecture.
    pub name: String,
    /// Shape of the frame.
    pub frame: Shape,
    /// Names of the layers, first to last.
    pub layers: Vec<String>,
    /// Operations in a valid order of execution.
    pub nodes: Vec<Node>,
    /// What is carried between steps.
    pub states: Vec<State>,
    /// Trained tensors.
    pub parameters: Vec<Parameter>,
    /// The class scores, `[classes, 1, 1]`.
    pub logits: NodeId,
    /// Values worth watching: every layer's output.
    pub taps: Vec<Tap>,
}

/// A graph that is not valid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum GraphError {
    #[error("{node}: {message}")]
    Node { node: String, message: String },
    #[error("{node} reads node {read}, which comes later in the step: only states may be read before they are written")]
    Order { node: String, read: String },
    #[error("state {state}: its next value {next} has shape {found}, expected {expected}")]
    State { state: String, next: String, found: Shape, expected: Shape },
    #[error("the name {name} is given to two {what}")]
    Name { name: String, what: &'static str },
    #[error("{what} {index} does not exist (there are {count})")]
    Index { what: &'static str, index: usize, count: usize },
    #[error("the logits have shape {0}, expected one position: end with a global average or a classifier")]
    Logits(Shape),
}

impl StepGraph {
    /// The shape of what a node reads.
    pub fn read_shape(&self, read: Read) -> Shape {
        match read {
            Read::Frame => self.frame,
            Read::Node(node) => self.nodes[node.0].shape,
            Read::State(state) => self.states[state.0].shape,
        }
    }

    /// The path of what a node reads.
    pub fn read_name(&self, read: Read) -> &str {
        match read {
            Read::Frame => "frame",
            Read::Node(node) => &self.nodes[node.0].name,
            Read::State(state) => &self.states[state.0].name,
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.nodes[self.logits.0].shape.channels
    }

    /// The node of a given name.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name == name).map(NodeId)
    }

    /// The parameter of a given name.
    pub fn parameter_named(&self, name: &str) -> Option<ParameterId> {
        self.parameters.iter().position(|parameter| parameter.name == name).map(ParameterId)
    }

    /// Number of trained values.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().filter(|parameter| parameter.group.is_trained()).map(Parameter::elements).sum()
    }

    /// Verifies order, shapes, names and indices.
    pub fn check(&self) -> Result<(), GraphError> {
        use std::collections::HashSet;
        let mut names = HashSet::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if !names.insert(node.name.as_str()) {
                return Err(GraphError::Name { name: node.name.clone(), what: "nodes" });
            }
            in_range("layer", node.layer, self.layers.len())?;
            for &read in &node.inputs {
                match read {
                    Read::Frame => {}
                    Read::Node(other) => {
                        in_range("node", other.0, self.nodes.len())?;
                        if other.0 >= index {
                            let read = self.nodes[other.0].name.clone();
                            return Err(GraphError::Order { node: node.name.clone(), read });
                        }
                    }
                    Read::State(state) => in_range("state", state.0, self.states.len())?,
                }
            }
            let shape = crate::infer::infer(self, &node.operation, &node.inputs)
                .map_err(|message| GraphError::Node { node: node.name.clone(), message })?;
            if shape != node.shape {
                let message = format!("has shape {}, expected {shape}", node.shape);
                return Err(GraphError::Node { node: node.name.clone(), message });
            }
        }
        let mut names = HashSet::new();
        for state in &self.states {
            if !names.insert(state.name.as_str()) {
                return Err(GraphError::Name { name: state.name.clone(), what: "states" });
            }
            in_range("node", state.next.0, self.nodes.len())?;
            let next = &self.nodes[state.next.0];
            if next.shape != state.shape {
                return Err(GraphError::State {
                    state: state.name.clone(),
                    next: next.name.clone(),
                    found: next.shape,
                    expected: state.shape,
                });
            }
        }
        let mut names = HashSet::new();
        for parameter in &self.parameters {
            if !names.insert(parameter.name.as_str()) {
                return Err(GraphError::Name { name: parameter.name.clone(), what: "parameters" });
            }
            if !parameter.initializer.is_valid() {
                let message = format!("starts from {:?}, expected finite numbers, 0 or more", parameter.initializer);
                return Err(GraphError::Node { node: parameter.name.clone(), message });
            }
        }
        in_range("node", self.logits.0, self.nodes.len())?;
        let logits = self.nodes[self.logits.0].shape;
        if logits.positions() != 1 {
            return Err(GraphError::Logits(logits));
        }
        for tap in &self.taps {
            in_range("node", tap.node.0, self.nodes.len())?;
        }
        Ok(())
    }
}

fn in_range(what: &'static str, index: usize, count: usize) -> Result<(), GraphError> {
    if index < count { Ok(()) } else { Err(GraphError::Index { what, index, count }) }
}
