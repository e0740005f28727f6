//! What neither the logits nor a tap can ever see is not computed.

use crate::graph::{NodeId, Read, StateId};
use crate::quantize::{QuantizedGraph, QuantizedNode};

/// Drops operations and states that nothing reads: neither the logits nor, where they are kept, the taps, in this step or
/// through a state in any later one. A layer may lose all its operations; it stays in the list of layers.
pub fn drop_unread(graph: &QuantizedGraph, keeps_taps: bool) -> QuantizedGraph {
    let mut reached = Reached { nodes: vec![false; graph.nodes.len()], states: vec![false; graph.states.len()] };
    let taps = if keeps_taps { graph.taps.clone() } else { Vec::new() };
    reached.node(graph, graph.logits);
    for tap in &taps {
        reached.node(graph, tap.node);
    }
    let states = Places::of(&reached.states);
    let nodes = Places::of(&reached.nodes);
    let kept = graph.nodes.iter().zip(&reached.nodes).filter(|(_, is_read)| **is_read).map(|(node, _)| QuantizedNode {
        inputs: node.inputs.iter().map(|&read| moved(read, &nodes, &states)).collect(),
        ..node.clone()
    });
    let mut result = QuantizedGraph { nodes: kept.collect(), taps, ..graph.clone() };
    result.states = graph
        .states
        .iter()
        .zip(&reached.states)
        .filter(|(_, is_read)| **is_read)
        .map(|(state, _)| state.clone())
        .collect();
    for state in &mut result.states {
        state.next = NodeId(nodes.0[state.next.0]);
    }
    for tap in &mut result.taps {
        tap.node = NodeId(nodes.0[tap.node.0]);
    }
    result.logits = NodeId(nodes.0[result.logits.0]);
    debug_assert_eq!(result.check(), Ok(()));
    result
}

/// What the logits or a tap can see.
struct Reached {
    nodes: Vec<bool>,
    states: Vec<bool>,
}

impl Reached {
    /// Marks a node and all that it sees, however many steps before.
    fn node(&mut self, graph: &QuantizedGraph, node: NodeId) {
        let mut waiting = vec![node];
        while let Some(NodeId(node)) = waiting.pop() {
            if std::mem::replace(&mut self.nodes[node], true) {
                continue;
            }
            for read in &graph.nodes[node].inputs {
                match *read {
                    Read::Frame => {}
                    Read::Node(other) => waiting.push(other),
                    Read::State(StateId(state)) => {
                        if !std::mem::replace(&mut self.states[state], true) {
                            waiting.push(graph.states[state].next);
                        }
                    }
                }
            }
        }
    }
}

/// New indices of what is kept.
struct Places(Vec<usize>);

impl Places {
    fn of(kept: &[bool]) -> Self {
        let mut next = 0;
        Self(
            kept.iter()
                .map(|&is_kept| {
                    let place = next;
                    next += usize::from(is_kept);
                    place
                })
                .collect(),
        )
    }
}

fn moved(read: Read, nodes: &Places, states: &Places) -> Read {
    match read {
        Read::Frame => Read::Frame,
        Read::Node(NodeId(node)) => Read::Node(NodeId(nodes.0[node])),
        Read::State(StateId(state)) => Read::State(StateId(states.0[state])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::quantized_parts;
    use crate::quantize::IntegerInterpreter;
    use crate::testing::random_frames;

    const STEPS: usize = 8;

    /// A copy of a node that reads itself through a state of its own, which nobody else sees.
    fn with_unread(graph: &QuantizedGraph) -> QuantizedGraph {
        let mut graph = graph.clone();
        let Some(state) = graph.states.first().cloned() else { return graph };
        let mut node = graph.nodes[state.next.0].clone();
        node.name = format!("{}.unread", node.name);
        for read in &mut node.inputs {
            if *read == Read::State(StateId(0)) {
                *read = Read::State(StateId(graph.states.len()));
            }
        }
        let next = NodeId(graph.nodes.len());
        graph.nodes.push(node);
        graph.states.push(crate::quantize::QuantizedState { name: format!("{}.unread", state.name), next, ..state });
        graph
    }

    /// Logits and taps of both graphs, step by step.
    #[test]
    fn logits_and_taps_stay_to_the_bit() {
        let (mut dropped_nodes, mut dropped_states) = (0, 0);
        for seed in 0..60 {
            let before = with_unread(&quantized_parts(seed));
            before.check().expect("valid");
            for keeps_taps in [true, false] {
                let after = drop_unread(&before, keeps_taps);
                after.check().expect("valid");
                dropped_nodes += before.nodes.len() - after.nodes.len();
                dropped_states += before.states.len() - after.states.len();
                assert_eq!(after.taps.is_empty(), !keeps_taps || before.taps.is_empty());
                let (mut left, mut right) = (IntegerInterpreter::new(&before), IntegerInterpreter::new(&after));
                for frame in random_frames(before.frame.shape, STEPS, seed) {
                    let integers: Vec<i8> = frame.values.iter().map(|&x| before.frame.quantize(x) as i8).collect();
                    let (old, new) = (left.step(&integers), right.step(&integers));
                    assert_eq!(old[before.logits.0], new[after.logits.0], "seed {seed}");
                    for tap in &after.taps {
                        let kept = before.taps.iter().find(|other| other.name == tap.name).expect("kept");
                        assert_eq!(old[kept.node.0], new[tap.node.0], "seed {seed}, {}", tap.name);
                    }
                    for state in &after.states {
                        let at =
                            |graph: &QuantizedGraph| graph.states.iter().position(|other| other.name == state.name);
                        let (old, new) = (at(&before).expect("kept"), at(&after).expect("itself"));
                        assert_eq!(left.states()[old], right.states()[new], "seed {seed}, {}", state.name);
                    }
                }
            }
        }
        assert!(dropped_nodes >= 60 && dropped_states >= 60, "{dropped_nodes} nodes, {dropped_states} states");
    }

    /// Every name of the smaller graph is one of the larger, in the same order.
    #[test]
    fn what_is_read_keeps_its_order() {
        let before = with_unread(&quantized_parts(3));
        let after = drop_unread(&before, true);
        let mut names = before.nodes.iter().map(|node| &node.name);
        assert!(after.nodes.iter().all(|node| names.any(|name| *name == node.name)));
    }
}
