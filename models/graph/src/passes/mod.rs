//! Graph-to-graph passes. Each leaves a valid graph whose logits, states and taps are those of the graph before, and each
//! node keeps the name of the node whose value it gives. [`precompute`] leaves the graph and says from which states it may
//! start.

mod drop_unread;
mod fold;
mod fold_constants;
mod fuse_gates;
mod pool_first;
mod precompute;
#[cfg(test)]
mod testing;

pub use drop_unread::drop_unread;
pub use fold::fold;
pub use fold_constants::fold_constants;
pub use fuse_gates::fuse_gates;
pub use pool_first::pool_first;
pub use precompute::{Precomputed, precompute, precompute_integers};

use crate::graph::Read;
use crate::quantize::QuantizedGraph;

/// By node: how many read it, states, logits and taps included.
fn readers(graph: &QuantizedGraph) -> Vec<usize> {
    let mut readers = vec![0; graph.nodes.len()];
    let reads = graph.nodes.iter().flat_map(|node| &node.inputs);
    let nodes = reads.filter_map(|read| match read {
        Read::Node(node) => Some(node.0),
        Read::Frame | Read::State(_) => None,
    });
    let kept = graph.states.iter().map(|state| state.next.0).chain(graph.taps.iter().map(|tap| tap.node.0));
    for node in nodes.chain(kept).chain([graph.logits.0]) {
        readers[node] += 1;
    }
    readers
}
