//! Merges convolutions that read the same tensors through the same windows: they are computed one right after the other, as
//! siblings, so that kernels lay out the windows once for all of them.
//!
//! What that saves in instructions it may cost in memory, since the outputs wait for each other. So a layer's convolutions
//! are merged where the arena stays as small as it is.

use super::arena::ArenaPlan;
use super::bands::Bands;
use super::order::Order;
use super::step::{ConvolutionWork, Step, Work};
use super::{ProgramError, ProgramOptions};
use convrnn_format::{BUFFER_ALIGNMENT, MAXIMUM_SIBLING_OPERANDS, MAXIMUM_SIBLINGS};
use convrnn_graph::NodeId;

/// Order, arena and bands of a step, with convolutions merged where no memory is lost.
pub(super) fn plan(step: &Step, options: &ProgramOptions) -> Result<(Order, ArenaPlan, Bands), ProgramError> {
    let mut order = Order::new(step, options)?;
    let (mut arena, mut bands) = ArenaPlan::search(step, &order, options);
    if !options.shares_windows {
        return Ok((order, arena, bands));
    }
    for layer in 0..order.layers.len() {
        let merged = merge(step, &order.layers[layer].1);
        if merged == order.layers[layer].1 {
            continue;
        }
        let mut other = order.clone();
        other.set_layer(layer, merged);
        let (found, found_bands) = ArenaPlan::search(step, &other, options);
        // Nor are bands made finer for it.
        if found.length <= arena.length && found_bands.runs(step) <= bands.runs(step) {
            (order, arena, bands) = (other, found, found_bands);
        }
    }
    Ok((order, arena, bands))
}

/// Nodes of a layer in the order of execution, each convolution followed by those that are alike.
fn merge(step: &Step, nodes: &[usize]) -> Vec<usize> {
    let mut merged = Vec::with_capacity(nodes.len());
    for (position, &node) in nodes.iter().enumerate() {
        if merged.contains(&node) {
            continue;
        }
        merged.push(node);
        // What overwrites a state comes after all that read it, wherever that is.
        let is_free = |other: usize| step.states.iter().all(|state| state.next != NodeId(other));
        let alike: Vec<usize> = nodes[position + 1..]
            .iter()
            .copied()
            .filter(|&other| is_free(other) && !merged.contains(&other) && are_alike(step, node, other))
            .take(MAXIMUM_SIBLINGS - 1)
            .collect();
        merged.extend(alike);
    }
    merged
}

fn are_alike(step: &Step, left: usize, right: usize) -> bool {
    let (left, right) = (&step.nodes[left], &step.nodes[right]);
    let (Work::Convolution(work), Work::Convolution(other)) = (&left.work, &right.work) else { return false };
    let window = |work: &ConvolutionWork| (work.kernel, work.stride, work.padding, work.groups);
    work.groups == 1
        && window(work) == window(other)
        && left.inputs == right.inputs
        && left.inputs.len() <= MAXIMUM_SIBLING_OPERANDS
        && (left.value.shape, left.value.element) == (right.value.shape, right.value.element)
}

/// Whether a node is a sibling of the one before it in the order of execution, given those before that are siblings.
pub(super) fn is_sibling(step: &Step, arena: &ArenaPlan, bands: &Bands, before: &[usize], node: usize) -> bool {
    let rows = |node: usize| bands.nodes[node].map(|bands| (bands.rows, bands.lead));
    let range = |node: usize| {
        let buffer = &arena.buffers[arena.nodes[node]];
        (buffer.offset, buffer.offset + buffer.bytes().next_multiple_of(BUFFER_ALIGNMENT))
    };
    let (start, end) = range(node);
    !before.is_empty()
        && before.len() < MAXIMUM_SIBLINGS
        && before.iter().all(|&other| {
            let (other_start, other_end) = range(other);
            are_alike(step, other, node)
                && step.nodes[other].layer == step.nodes[node].layer
                && rows(other) == rows(node)
                && bands.nodes[other].is_none_or(|bands| !bands.ends)
                && (end <= other_start || other_end <= start)
        })
}
