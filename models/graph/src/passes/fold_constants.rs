//! Constants become part of the weights beside them: for executors in floating point, to which every operation is a pass
//! over memory.

use crate::graph::{NodeId, Parameter, ParameterId, Read, StepGraph};
use crate::operation::{Activation, Convolution, Operation};
use crate::parameters::{Initializer, ParameterGroup, Parameters, ParametersError};

/// Removes [`Operation::Affine`] where something beside it can do its work:
///
/// - an affine function of an affine function that nobody else reads becomes one;
/// - one that changes nothing goes, where it has no watched name;
/// - of a convolution that nobody else reads, it becomes part of weights and bias;
/// - of a gate: `1 - sigmoid(z) = sigmoid(-z)`, z being a convolution whose weights change their sign, and
///   `1 - tanh(z) = 2 sigmoid(-2 z)`;
/// - a factor that only a product reads goes into the convolution that is the product's other operand.
///
/// Each saves an operation, or is left. Weights that several convolutions read stay as they are, and so does every value
/// that a state, a tap or the logits are. A convolution whose value is another afterwards is called `<name>.scaled`, as is
/// what it makes others be. Run it after [`super::fold`]; a graph without constants comes back unchanged.
///
/// Not for graphs that will be quantised: there a gate is one table anyway, and types belong to nodes by name.
pub fn fold_constants(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
) -> Result<(StepGraph, Parameters<f32>), ParametersError> {
    parameters.check(graph)?;
    let mut folding = Folding { graph: graph.clone(), parameters: parameters.clone() };
    // Every success removes a node.
    while (0..folding.graph.nodes.len()).any(|node| folding.absorb(NodeId(node)).is_some()) {}
    debug_assert_eq!(folding.graph.check(), Ok(()));
    Ok((folding.graph, folding.parameters))
}

struct Folding {
    graph: StepGraph,
    parameters: Parameters<f32>,
}

impl Folding {
    /// Rids the graph of one affine function, or of the operation that it becomes; none where it stays.
    fn absorb(&mut self, at: NodeId) -> Option<()> {
        let node = &self.graph.nodes[at.0];
        let Operation::Affine { scale, offset } = node.operation else { return None };
        let before = node.inputs[0];
        if (scale, offset) == (1.0, 0.0) && !self.is_watched(at) {
            self.remove(at, before);
            return Some(());
        }
        self.with_what_it_reads(at, before, scale, offset)
            .or_else(|| self.with_gate(at, before, scale, offset))
            .or_else(|| self.with_other_factor(at, before, scale, offset))
    }

    /// An affine function or a convolution before it takes it in.
    fn with_what_it_reads(&mut self, at: NodeId, before: Read, scale: f64, offset: f64) -> Option<()> {
        let before = self.own(before)?;
        match self.graph.nodes[before.0].operation {
            Operation::Affine { scale: inner, offset: inner_offset } => {
                let (scale, offset) = (scale * inner, scale * inner_offset + offset);
                if !scale.is_finite() || !offset.is_finite() {
                    return None;
                }
                self.graph.nodes[at.0].operation = Operation::Affine { scale, offset };
            }
            Operation::Convolution(_) => {
                self.scale(before, scale, offset)?;
                self.graph.nodes[at.0].operation = self.graph.nodes[before.0].operation.clone();
            }
            Operation::Resize(_)
            | Operation::BatchNorm(_)
            | Operation::Scale { .. }
            | Operation::Add
            | Operation::Multiply
            | Operation::Activation(_)
            | Operation::MaxPool(_)
            | Operation::GlobalAverage => return None,
        }
        let inputs = self.graph.nodes[before.0].inputs.clone();
        self.graph.nodes[at.0].inputs = inputs;
        self.remove(before, Read::Node(at));
        Some(())
    }

    /// `offset - offset * squash(z)` is `factor * sigmoid(slope * z)`.
    fn with_gate(&mut self, at: NodeId, before: Read, scale: f64, offset: f64) -> Option<()> {
        let squash = self.own(before)?;
        let (factor, slope) = match self.graph.nodes[squash.0].operation {
            Operation::Activation(Activation::Sigmoid) => (offset, -1.0),
            Operation::Activation(Activation::Tanh) => (2.0 * offset, -2.0),
            Operation::Activation(Activation::Relu | Activation::Elu)
            | Operation::Convolution(_)
            | Operation::Resize(_)
            | Operation::BatchNorm(_)
            | Operation::Scale { .. }
            | Operation::Add
            | Operation::Multiply
            | Operation::Affine { .. }
            | Operation::MaxPool(_)
            | Operation::GlobalAverage => return None,
        };
        let convolution = self.own(self.graph.nodes[squash.0].inputs[0])?;
        let goes_on = factor == 1.0 || self.other_factor(at).is_some_and(|other| other != convolution);
        if scale != -offset || !factor.is_finite() || !goes_on {
            return None;
        }
        self.scale(convolution, slope, 0.0)?;
        self.rename(convolution);
        self.graph.nodes[squash.0].operation = Operation::Activation(Activation::Sigmoid);
        if factor == 1.0 {
            let node = self.graph.nodes[squash.0].clone();
            let gate = &mut self.graph.nodes[at.0];
            (gate.operation, gate.inputs) = (node.operation, node.inputs);
            self.remove(squash, Read::Node(at));
            return Some(());
        }
        self.rename(squash);
        self.graph.nodes[at.0].operation = Operation::Affine { scale: factor, offset: 0.0 };
        // Where the factor cannot go on after all, the gate is right as it stands; it is no gate of this kind any more.
        self.with_other_factor(at, before, factor, 0.0)
    }

    /// `(scale * x) . (W * y)` is `x . (scale * W * y)`.
    fn with_other_factor(&mut self, at: NodeId, before: Read, scale: f64, offset: f64) -> Option<()> {
        let convolution = self.other_factor(at).filter(|_| offset == 0.0)?;
        self.scale(convolution, scale, 0.0)?;
        self.rename(convolution);
        self.remove(at, before);
        Some(())
    }

    /// The convolution that a node is multiplied with, where that is all either is for.
    fn other_factor(&self, node: NodeId) -> Option<NodeId> {
        self.own(Read::Node(node))?;
        let mut products = self.graph.nodes.iter().filter(|reader| reader.inputs.contains(&Read::Node(node)));
        let product = products.next().filter(|reader| reader.operation == Operation::Multiply)?;
        let other = product.inputs.iter().find(|read| **read != Read::Node(node))?;
        let other = self.own(*other)?;
        self.own_convolution(other).map(|_| other)
    }

    /// The node that is read, if that is its only use.
    fn own(&self, read: Read) -> Option<NodeId> {
        let Read::Node(node) = read else { return None };
        let readers = self.graph.nodes.iter().flat_map(|node| &node.inputs).filter(|other| **other == read);
        (readers.count() == 1 && !self.is_watched(node)).then_some(node)
    }

    fn is_watched(&self, node: NodeId) -> bool {
        let states = self.graph.states.iter().map(|state| state.next);
        states.chain(self.graph.taps.iter().map(|tap| tap.node)).chain([self.graph.logits]).any(|other| other == node)
    }

    /// A convolution whose tensors nobody else reads.
    fn own_convolution(&self, node: NodeId) -> Option<&Convolution> {
        let operation = &self.graph.nodes[node.0].operation;
        let Operation::Convolution(convolution) = operation else { return None };
        let uses = |id: &ParameterId| {
            let all = self.graph.nodes.iter().flat_map(|node| node.operation.parameters());
            all.filter(|other| other == id).count()
        };
        operation.parameters().iter().all(|id| uses(id) == 1).then_some(convolution)
    }

    /// Makes a convolution's value `scale * value + offset`; none where its tensors are not its own, or would not be
    /// finite.
    fn scale(&mut self, node: NodeId, scale: f64, offset: f64) -> Option<()> {
        let convolution = self.own_convolution(node)?.clone();
        let changed = |values: &[f32], offset: f64| -> Option<Vec<f32>> {
            let values = values.iter().map(|&value| (f64::from(value) * scale + offset) as f32);
            values.map(|value| value.is_finite().then_some(value)).collect()
        };
        let weight = changed(self.parameters.get(convolution.weight), 0.0)?;
        let outputs = self.graph.nodes[node.0].shape.channels;
        let bias = match convolution.bias {
            Some(bias) => Some(changed(self.parameters.get(bias), offset)?),
            None if offset == 0.0 => None,
            None => Some(changed(&vec![0.0; outputs], offset)?),
        };
        self.parameters.values[convolution.weight.0] = weight;
        let Some(values) = bias else { return Some(()) };
        match convolution.bias {
            Some(bias) => self.parameters.values[bias.0] = values,
            None => {
                let bias = Some(self.add_bias(node, values));
                self.graph.nodes[node.0].operation = Operation::Convolution(Convolution { bias, ..convolution });
            }
        }
        Some(())
    }

    fn add_bias(&mut self, node: NodeId, values: Vec<f32>) -> ParameterId {
        let name = format!("{}.folded_bias", self.graph.nodes[node.0].name);
        let (shape, initializer, group) = (vec![values.len()], Initializer::Zeros, ParameterGroup::Bias);
        self.graph.parameters.push(Parameter { name, shape, initializer, group });
        self.parameters.values.push(values);
        ParameterId(self.graph.parameters.len() - 1)
    }

    /// A node whose value is no longer that of its name gets another.
    fn rename(&mut self, node: NodeId) {
        let mut name = format!("{}.scaled", self.graph.nodes[node.0].name);
        while self.graph.node_named(&name).is_some() {
            name.push_str("-again");
        }
        self.graph.nodes[node.0].name = name;
    }

    /// Takes a node out that nobody watches; its readers read something else.
    fn remove(&mut self, node: NodeId, instead: Read) {
        self.graph.nodes.remove(node.0);
        let moved = |other: NodeId| NodeId(other.0 - usize::from(other.0 > node.0));
        for read in self.graph.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            let new = if *read == Read::Node(node) { instead } else { *read };
            *read = match new {
                Read::Frame | Read::State(_) => new,
                Read::Node(other) => Read::Node(moved(other)),
            };
        }
        for state in &mut self.graph.states {
            state.next = moved(state.next);
        }
        for tap in &mut self.graph.taps {
            tap.node = moved(tap.node);
        }
        self.graph.logits = moved(self.graph.logits);
    }
}

#[cfg(test)]
mod tests;
