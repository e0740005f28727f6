//! Graph-to-graph passes. Each leaves a valid graph whose logits, states and taps are those of the graph before, and each
//! node keeps the name of the node whose value it gives.

mod fold;
mod fuse_gates;

pub use fold::fold;
pub use fuse_gates::fuse_gates;
