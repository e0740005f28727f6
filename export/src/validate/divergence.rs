//! The first step and operation at which an engine parts from the trace.

use super::agreement::{Agreement, largest_difference};
use super::local;
use crate::engines::{EngineError, EngineKind, Image, Network, Record};
use convrnn_models::Trace;
use serde::Serialize;

/// What an engine's values were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oracle {
    /// The values that the trace holds for some images.
    Trace,
    /// The f64 reference interpreter with the checkpoint's weights.
    Reference,
}

/// Where an engine parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// Image, counted from 0.
    pub image: usize,
    /// First step (from 1) at which a value differs.
    pub step: usize,
    /// Path of the first operation in that step whose value differs.
    pub node: String,
    /// Kind of operation.
    pub operation: &'static str,
    /// Trained tensors that the operation reads.
    pub parameters: Vec<String>,
    /// Largest absolute difference of its value.
    pub absolute_difference: f64,
    /// The same relative to the largest magnitude the node has in the run.
    pub relative_difference: f64,
    /// What it was compared with.
    pub oracle: Oracle,
    /// Whether the f64 reference with the checkpoint's weights parts from the trace there too: then
    /// the weights are not those of the trace, and the engine is not to blame.
    pub reference_differs: bool,
}

/// Compares an engine with every recorded image of the trace and gives the first step and operation
/// whose value differs by more than `tolerance` of the node's largest magnitude in the run.
pub(super) fn find_recorded(
    kind: EngineKind,
    network: &Network<'_>,
    trace: &Trace,
    images: impl IntoIterator<Item = usize>,
    tolerance: f64,
) -> Result<Option<Divergence>, EngineError> {
    let graph = network.source.graph;
    for image in images {
        let found = record(kind, network, trace, image)?;
        let expected = |step: usize, node: usize| trace.value_at(graph, node, image, step).to_vec();
        if let Some((step, node, sizes)) = first(network, &found, expected, tolerance) {
            let reference = record(EngineKind::Reference, network, trace, image)?;
            let reference_differs = first(network, &reference, expected, tolerance)
                .is_some_and(|(at, which, _)| (at, which) <= (step, node));
            return Ok(Some(describe(network, image, (step, node), sizes, Oracle::Trace, reference_differs)));
        }
    }
    Ok(None)
}

/// An engine's values on one image of the trace.
fn record(kind: EngineKind, network: &Network<'_>, trace: &Trace, image: usize) -> Result<Record, EngineError> {
    let pixels = trace.frame(image);
    let values = trace.description.preprocessing.normalize(pixels);
    kind.build(network)?.record(Image { pixels, values: &values })
}

/// Finds the operation to blame for an engine that differs: first, on the trace's recorded images, an operation whose value
/// does not follow from its operands with the checkpoint's weights, in the trace (which then is of other weights) or in
/// what the engine computes. If every operation alone is right to rounding, the first value that differs. None if the
/// values agree everywhere although the logits do not.
pub(super) fn find(
    kind: EngineKind,
    network: &Network<'_>,
    trace: &Trace,
    agreement: &Agreement,
    tolerance: f64,
) -> Result<Option<Divergence>, EngineError> {
    let mut images: Vec<usize> = (0..trace.recorded).collect();
    images.sort_by_key(|&image| image != agreement.image);
    if let Some(divergence) = find_local(kind, network, trace, &images)? {
        return Ok(Some(divergence));
    }
    // A difference of the logits may start from a smaller one: look closer until it is seen.
    for tolerance in [tolerance, tolerance / 10.0] {
        let divergence = find_recorded(kind, network, trace, images.iter().copied(), tolerance)?;
        if divergence.is_some() {
            return Ok(divergence);
        }
    }
    let image = agreement.image;
    let found = record(kind, network, trace, image)?;
    let reference = record(EngineKind::Reference, network, trace, image)?;
    let expected = |step: usize, node: usize| reference.values[step - 1][node].clone().unwrap_or_default();
    Ok(first(network, &found, expected, tolerance)
        .map(|(step, node, sizes)| describe(network, image, (step, node), sizes, Oracle::Reference, false)))
}

/// The first operation that is wrong by itself: that of the trace's recorded images first, since an engine that is right
/// differs from a trace of other weights.
pub(super) fn find_local(
    kind: EngineKind,
    network: &Network<'_>,
    trace: &Trace,
    images: &[usize],
) -> Result<Option<Divergence>, EngineError> {
    let graph = network.source.graph;
    let parameters = network.source.parameters.to_f64();
    let steps = network.presentation.steps;
    // Earliest over all images: a weight may not act on the first one.
    let earliest = |found: Vec<(usize, Place)>| found.into_iter().min_by_key(|(_, (step, node, _))| (*step, *node));
    let mut in_trace = Vec::new();
    for &image in images {
        let frame = |step: usize| frame(network, trace, image, step);
        let value = |step: usize, node: usize| Some(trace.value_at(graph, node, image, step).to_vec());
        let recording = local::Recording { frame: &frame, value: &value, steps };
        in_trace.extend(local::first(network, &parameters, &recording).map(|place| (image, place)));
    }
    if let Some((image, (step, node, sizes))) = earliest(in_trace) {
        return Ok(Some(describe(network, image, (step, node), sizes, Oracle::Trace, true)));
    }
    let mut in_engine = Vec::new();
    for &image in images {
        let found = record(kind, network, trace, image)?;
        let frame = |step: usize| frame(network, trace, image, step);
        let value = |step: usize, node: usize| found.values[step - 1][node].clone();
        let recording = local::Recording { frame: &frame, value: &value, steps };
        in_engine.extend(local::first(network, &parameters, &recording).map(|place| (image, place)));
    }
    Ok(earliest(in_engine)
        .map(|(image, (step, node, sizes))| describe(network, image, (step, node), sizes, Oracle::Reference, false)))
}

/// Step, node, absolute and relative difference.
type Place = (usize, usize, (f64, f64));

/// What is on show at a step.
fn frame(network: &Network<'_>, trace: &Trace, image: usize, step: usize) -> Vec<f32> {
    match network.presentation.shows_image(step) {
        true => trace.description.preprocessing.normalize(trace.frame(image)),
        false => vec![network.presentation.blank as f32; network.source.graph.frame.elements()],
    }
}

/// The first (step, node) whose value differs, with its absolute and relative difference. Nodes whose
/// value the engine does not keep are passed over.
fn first(
    network: &Network<'_>,
    found: &Record,
    expected: impl Fn(usize, usize) -> Vec<f32>,
    tolerance: f64,
) -> Option<(usize, usize, (f64, f64))> {
    let steps = found.values.len();
    let nodes = network.source.graph.nodes.len();
    let magnitude = |node: usize| {
        let values = (1..=steps).flat_map(|step| expected(step, node));
        let largest = values.fold(0.0, |largest, x| f64::max(largest, f64::from(x).abs()));
        if largest > 0.0 { largest } else { 1.0 }
    };
    let magnitudes: Vec<f64> = (0..nodes).map(magnitude).collect();
    for step in 1..=steps {
        for (node, magnitude) in magnitudes.iter().enumerate() {
            let Some(value) = &found.values[step - 1][node] else { continue };
            let difference = largest_difference(value, &expected(step, node));
            if difference > tolerance * magnitude {
                return Some((step, node, (difference, difference / magnitude)));
            }
        }
    }
    None
}

fn describe(
    network: &Network<'_>,
    image: usize,
    (step, node): (usize, usize),
    (absolute_difference, relative_difference): (f64, f64),
    oracle: Oracle,
    reference_differs: bool,
) -> Divergence {
    let graph = network.source.graph;
    let node = &graph.nodes[node];
    let parameters = node.operation.parameters().into_iter().map(|id| graph.parameters[id.0].name.clone()).collect();
    Divergence {
        image,
        step,
        node: node.name.clone(),
        operation: node.operation.kind(),
        parameters,
        absolute_difference,
        relative_difference,
        oracle,
        reference_differs,
    }
}
