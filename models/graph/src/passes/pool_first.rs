//! A maximum is taken before a function instead of after it.

use super::readers;
use crate::graph::{NodeId, Read};
use crate::quantize::{Lookup, QuantizedGraph, QuantizedNode, QuantizedOperation, QuantizedType};

/// Moves max-pools before the rescales and rising tables that they alone read: `max(f(x)) = f(max(x))`, to the bit. The
/// function then runs on as many values as leave the pool, and its whole result need not lie in memory.
pub fn pool_first(graph: &QuantizedGraph) -> QuantizedGraph {
    let readers = readers(graph);
    let mut result = QuantizedGraph { nodes: Vec::new(), ..graph.clone() };
    let chains: Vec<Vec<usize>> = (0..graph.nodes.len()).map(|node| functions_before(graph, &readers, node)).collect();
    let is_moved: Vec<bool> =
        (0..graph.nodes.len()).map(|node| chains.iter().any(|chain| chain.contains(&node))).collect();
    let mut places = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        if is_moved[index] {
            // Nobody reads it any more; the place is never asked for.
            places.push(NodeId(result.nodes.len()));
            continue;
        }
        let moved = |read: &Read| match *read {
            Read::Node(other) => Read::Node(places[other.0]),
            Read::Frame | Read::State(_) => *read,
        };
        // The first function reads what is pooled now; the last one gives the pool's value, under its name.
        let chain = &chains[index];
        let source = chain.first().copied().unwrap_or(index);
        let inputs: Vec<Read> = graph.nodes[source].inputs.iter().map(moved).collect();
        if chain.is_empty() {
            result.nodes.push(QuantizedNode { inputs, ..node.clone() });
            places.push(NodeId(result.nodes.len() - 1));
            continue;
        }
        let kind = graph.read_type(graph.nodes[source].inputs[0]);
        let output = QuantizedType { shape: node.output.shape, ..kind };
        let name = free_name(graph, &result, &format!("{}.before", node.name));
        result.nodes.push(QuantizedNode { name, inputs, output, ..node.clone() });
        for &function in chain {
            let before = Read::Node(NodeId(result.nodes.len() - 1));
            let moved = &graph.nodes[function];
            let output = QuantizedType { shape: node.output.shape, ..moved.output };
            let name = match Some(&function) == chain.last() {
                true => node.name.clone(),
                false => free_name(graph, &result, &format!("{}.pooled", moved.name)),
            };
            result.nodes.push(QuantizedNode { name, inputs: vec![before], output, ..moved.clone() });
        }
        places.push(NodeId(result.nodes.len() - 1));
    }
    for state in &mut result.states {
        state.next = places[state.next.0];
    }
    for tap in &mut result.taps {
        tap.node = places[tap.node.0];
    }
    result.logits = places[result.logits.0];
    debug_assert_eq!(result.check(), Ok(()));
    result
}

/// The functions, in order, whose result a max-pool alone reads; none for any other node.
fn functions_before(graph: &QuantizedGraph, readers: &[usize], node: usize) -> Vec<usize> {
    let pool = &graph.nodes[node];
    let mut chain = Vec::new();
    if !matches!(pool.operation, QuantizedOperation::MaxPool(_)) {
        return chain;
    }
    let mut read = pool.inputs[0];
    while let Read::Node(NodeId(before)) = read {
        let function = &graph.nodes[before];
        if readers[before] != 1 || function.layer != pool.layer || !is_rising(&function.operation) {
            break;
        }
        chain.insert(0, before);
        read = function.inputs[0];
    }
    chain
}

/// Whether an operation is a function of single values that never falls.
fn is_rising(operation: &QuantizedOperation) -> bool {
    match operation {
        QuantizedOperation::Rescale(_) => true,
        QuantizedOperation::Lookup(Lookup::Direct(table) | Lookup::Interpolated(table) | Lookup::Fine(table)) => {
            table.is_sorted()
        }
        QuantizedOperation::Convolution(_)
        | QuantizedOperation::Add { .. }
        | QuantizedOperation::Multiply { .. }
        | QuantizedOperation::MaxPool(_)
        | QuantizedOperation::GlobalAverage { .. }
        | QuantizedOperation::Resize(_)
        | QuantizedOperation::GatedSum(_) => false,
    }
}

fn free_name(graph: &QuantizedGraph, result: &QuantizedGraph, name: &str) -> String {
    let mut nodes = graph.nodes.iter().chain(&result.nodes);
    if !nodes.any(|node| node.name == name) {
        return name.to_owned();
    }
    free_name(graph, result, &format!("{name}2"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::testing::quantized_parts;
    use crate::quantize::IntegerInterpreter;
    use crate::testing::random_frames;

    #[test]
    fn a_moved_pool_changes_no_bit() {
        let mut moved = 0;
        for seed in 0..120 {
            let before = quantized_parts(seed);
            let after = pool_first(&before);
            after.check().expect("valid");
            let pooled = |name: &str| after.nodes.iter().any(|node| node.name == format!("{name}.before"));
            moved += before.nodes.iter().filter(|node| pooled(&node.name)).count();
            let (mut left, mut right) = (IntegerInterpreter::new(&before), IntegerInterpreter::new(&after));
            for frame in random_frames(before.frame.shape, 12, seed) {
                let integers: Vec<i8> = frame.values.iter().map(|&x| before.frame.quantize(x) as i8).collect();
                let (old, new) = (left.step(&integers), right.step(&integers));
                assert_eq!(left.states(), right.states(), "seed {seed}");
                // What has kept its name has kept its value.
                for (node, value) in after.nodes.iter().zip(&new) {
                    if let Some(place) = before.nodes.iter().position(|other| other.name == node.name) {
                        assert_eq!(old[place], *value, "seed {seed}, {}", node.name);
                    }
                }
            }
        }
        assert!(moved > 30, "{moved} pools moved");
    }
}
