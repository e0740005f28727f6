//! Trained and measured constants become those of plainer operations: for every executor of a finished network.

use crate::graph::{Node, NodeId, Parameter, ParameterId, Read, StepGraph};
use crate::operation::{BatchNorm, Convolution, Operation, Padding};
use crate::parameters::{Initializer, ParameterGroup, Parameters, ParametersError};

/// Removes normalisations and trained factors:
///
/// - a normalisation that alone reads a convolution becomes part of it: with
///   `s[c] = scale[c] / sqrt(variance[c] + epsilon)`, `w[c] <- s[c] * w[c]` and
///   `bias[c] <- s[c] * (bias[c] - mean[c]) + shift[c]`. The convolution takes the normalisation's name;
/// - any other normalisation becomes a depthwise 1x1 convolution with weight s and a bias;
/// - [`Operation::Scale`] becomes [`Operation::Affine`].
///
/// Parameters that nothing reads any more are dropped. A graph that has none of these comes back unchanged.
pub fn fold(graph: &StepGraph, parameters: &Parameters<f32>) -> Result<(StepGraph, Parameters<f32>), ParametersError> {
    parameters.check(graph)?;
    let is_merged = merged(graph);
    let mut folding = Folding { source: graph, parameters: parameters.clone(), graph: graph.clone() };
    folding.graph.nodes.clear();
    let mut places: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let place = NodeId(folding.graph.nodes.len());
        places.push(place);
        // A convolution whose normalisation follows is emitted with it, under its name.
        if is_merged[index] {
            continue;
        }
        let (operation, inputs) = folding.operation(node, &is_merged);
        let inputs = inputs.iter().map(|&read| moved(read, &places)).collect();
        folding.graph.nodes.push(Node { operation, inputs, ..node.clone() });
    }
    let Folding { mut graph, mut parameters, .. } = folding;
    for state in &mut graph.states {
        state.next = places[state.next.0];
    }
    for tap in &mut graph.taps {
        tap.node = places[tap.node.0];
    }
    graph.logits = places[graph.logits.0];
    drop_unread(&mut graph, &mut parameters);
    debug_assert_eq!(graph.check(), Ok(()));
    Ok((graph, parameters))
}

/// By node: whether it is a convolution that only a normalisation reads, and whose tensors nothing else reads.
fn merged(graph: &StepGraph) -> Vec<bool> {
    let mut readers = vec![0; graph.nodes.len()];
    let mut uses = vec![0; graph.parameters.len()];
    for node in &graph.nodes {
        for read in &node.inputs {
            if let Read::Node(other) = read {
                readers[other.0] += 1;
            }
        }
        for parameter in node.operation.parameters() {
            uses[parameter.0] += 1;
        }
    }
    let watched = graph.states.iter().map(|state| state.next).chain(graph.taps.iter().map(|tap| tap.node));
    for node in watched.chain([graph.logits]) {
        readers[node.0] += 1;
    }
    let mut merged = vec![false; graph.nodes.len()];
    for node in &graph.nodes {
        let Operation::BatchNorm(norm) = &node.operation else { continue };
        let Read::Node(before) = node.inputs[0] else { continue };
        let Operation::Convolution(_) = &graph.nodes[before.0].operation else { continue };
        let is_own = |operation: &Operation| operation.parameters().iter().all(|parameter| uses[parameter.0] == 1);
        merged[before.0] =
            readers[before.0] == 1 && is_own(&graph.nodes[before.0].operation) && is_own(&Operation::BatchNorm(*norm));
    }
    merged
}

struct Folding<'a> {
    source: &'a StepGraph,
    parameters: Parameters<f32>,
    graph: StepGraph,
}

impl Folding<'_> {
    /// What becomes of a node, reading nodes of the source graph.
    fn operation(&mut self, node: &Node, is_merged: &[bool]) -> (Operation, Vec<Read>) {
        match (&node.operation, node.inputs.as_slice()) {
            (Operation::BatchNorm(norm), &[Read::Node(before)]) if is_merged[before.0] => {
                let before = &self.source.nodes[before.0];
                let Operation::Convolution(convolution) = &before.operation else {
                    unreachable!("only convolutions are merged")
                };
                let convolution = self.merge(convolution, norm);
                (Operation::Convolution(convolution), before.inputs.clone())
            }
            (Operation::BatchNorm(norm), inputs) => {
                (Operation::Convolution(self.depthwise(&node.name, norm)), inputs.to_vec())
            }
            (Operation::Scale { factor }, inputs) => {
                let scale = f64::from(self.parameters.get(*factor)[0]);
                (Operation::Affine { scale, offset: 0.0 }, inputs.to_vec())
            }
            (
                Operation::Convolution(_)
                | Operation::Resize(_)
                | Operation::Add
                | Operation::Multiply
                | Operation::Affine { .. }
                | Operation::Activation(_)
                | Operation::MaxPool(_)
                | Operation::GlobalAverage,
                inputs,
            ) => (node.operation.clone(), inputs.to_vec()),
        }
    }

    /// Factor and mean-free shift of every channel: `y = factor * (x - mean) + shift`.
    fn factors(&self, norm: &BatchNorm) -> Vec<(f64, f64, f64)> {
        let [scale, shift, mean, variance] = norm.parameters().map(|id| self.parameters.get(id));
        (0..scale.len())
            .map(|channel| {
                let at = |values: &[f32]| f64::from(values[channel]);
                (at(scale) / (at(variance) + norm.epsilon).sqrt(), at(mean), at(shift))
            })
            .collect()
    }

    fn merge(&mut self, convolution: &Convolution, norm: &BatchNorm) -> Convolution {
        let factors = self.factors(norm);
        let weight = &mut self.parameters.values[convolution.weight.0];
        let size = weight.len() / factors.len();
        for (kernel, (factor, ..)) in weight.chunks_mut(size).zip(&factors) {
            kernel.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
        }
        // The shift's tensor is the bias of a convolution that had none.
        let bias = convolution.bias.unwrap_or(norm.shift);
        let before: Vec<f64> = match convolution.bias {
            Some(bias) => self.parameters.get(bias).iter().map(|&value| f64::from(value)).collect(),
            None => vec![0.0; factors.len()],
        };
        let values = before.iter().zip(&factors).map(|(bias, (factor, mean, shift))| factor * (bias - mean) + shift);
        self.parameters.values[bias.0] = values.map(|value| value as f32).collect();
        Convolution { bias: Some(bias), ..convolution.clone() }
    }

    fn depthwise(&mut self, name: &str, norm: &BatchNorm) -> Convolution {
        let factors = self.factors(norm);
        let channels = factors.len();
        let mut add = |what: &str, shape: Vec<usize>, group: ParameterGroup, values: Vec<f32>| {
            let name = format!("{name}.folded_{what}");
            self.graph.parameters.push(Parameter { name, shape, initializer: Initializer::Zeros, group });
            self.parameters.values.push(values);
            ParameterId(self.graph.parameters.len() - 1)
        };
        let weights = factors.iter().map(|(factor, ..)| *factor as f32).collect();
        let biases = factors.iter().map(|(factor, mean, shift)| (shift - factor * mean) as f32).collect();
        let weight = add("weight", vec![channels, 1, 1, 1], ParameterGroup::Weight, weights);
        let bias = add("bias", vec![channels], ParameterGroup::Bias, biases);
        Convolution {
            weight,
            bias: Some(bias),
            kernel: [1, 1],
            stride: [1, 1],
            padding: Padding::NONE,
            groups: channels,
        }
    }
}

fn moved(read: Read, places: &[NodeId]) -> Read {
    match read {
        Read::Frame | Read::State(_) => read,
        Read::Node(node) => Read::Node(places[node.0]),
    }
}

fn drop_unread(graph: &mut StepGraph, parameters: &mut Parameters<f32>) {
    let mut is_read = vec![false; graph.parameters.len()];
    for parameter in graph.nodes.iter().flat_map(|node| node.operation.parameters()) {
        is_read[parameter.0] = true;
    }
    let mut next = 0;
    let places: Vec<ParameterId> = is_read
        .iter()
        .map(|&is_read| {
            next += usize::from(is_read);
            ParameterId(next.saturating_sub(1))
        })
        .collect();
    for node in &mut graph.nodes {
        match &mut node.operation {
            Operation::Convolution(convolution) => {
                convolution.weight = places[convolution.weight.0];
                convolution.bias = convolution.bias.map(|bias| places[bias.0]);
            }
            Operation::BatchNorm(_) | Operation::Scale { .. } => unreachable!("folded away"),
            Operation::Resize(_)
            | Operation::Add
            | Operation::Multiply
            | Operation::Affine { .. }
            | Operation::Activation(_)
            | Operation::MaxPool(_)
            | Operation::GlobalAverage => {}
        }
    }
    let mut kept = is_read.iter();
    graph.parameters.retain(|_| *kept.next().unwrap_or(&false));
    let mut kept = is_read.iter();
    parameters.values.retain(|_| *kept.next().unwrap_or(&false));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Interpreter;
    use crate::testing::{random_frames, random_trained_network};

    #[test]
    fn values_of_a_name_stay_the_same_and_nothing_trained_is_left() {
        let (mut norms, mut merged_norms, mut scales) = (0, 0, 0);
        for seed in 0..120 {
            let network = random_trained_network(seed);
            let (graph, parameters) = fold(&network.graph, &network.parameters).unwrap();
            graph.check().unwrap();
            parameters.check(&graph).unwrap();
            assert_eq!(graph.taps.len(), network.graph.taps.len());
            for node in &network.graph.nodes {
                norms += usize::from(matches!(node.operation, Operation::BatchNorm(_)));
                scales += usize::from(matches!(node.operation, Operation::Scale { .. }));
            }
            merged_norms += network.graph.nodes.len() - graph.nodes.len();
            let (before, after) = (network.parameters.to_f64(), parameters.to_f64());
            let mut expected = Interpreter::new(&network.graph, &before);
            let mut found = Interpreter::new(&graph, &after);
            for frame in random_frames(graph.frame, 8, seed) {
                let (expected, found) = (expected.step(&frame), found.step(&frame));
                for (node, found) in graph.nodes.iter().zip(&found) {
                    let expected = &expected[network.graph.node_named(&node.name).expect("kept its name").0];
                    let magnitude = expected.values.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
                    for (expected, found) in expected.values.iter().zip(&found.values) {
                        assert!((expected - found).abs() < 1e-5 * magnitude, "seed {seed}, {}", node.name);
                    }
                }
            }
        }
        assert!(
            norms > 60 && merged_norms > 30 && merged_norms < norms && scales > 30,
            "{norms} {merged_norms} {scales}"
        );
    }
}
