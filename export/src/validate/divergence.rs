//! The first step and operation at which a value does not follow from its operands.

use super::limits::Limits;
use super::operations::{Fault, Judgement, Recording, ingredients, judge};
use crate::engines::{EngineError, EngineKind, Image, Network, guarded};
use convrnn_graph::StepGraph;
use convrnn_models::Trace;
use rayon::prelude::*;
use serde::Serialize;

/// Whose value is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The trace's: the checkpoint's weights do not make it of the operands that the trace holds.
    Trace,
    /// The engine's: its weights do not make it of its own operands.
    Engine,
}

/// An operation that gives something else than its operands and weights make.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// Image of the trace, counted from 0.
    pub image: usize,
    /// First step (from 1) at which such a value occurs.
    pub step: usize,
    /// Path of the first operation in that step.
    pub node: String,
    /// Kind of operation.
    pub operation: &'static str,
    /// All trained and measured tensors that went into the operation, whatever was folded into it.
    pub parameters: Vec<String>,
    /// Distance from the exact result, of the element that is furthest beyond its limit.
    pub absolute_difference: f64,
    /// The same relative to the largest magnitude of the result.
    pub relative_difference: f64,
    /// What rounding can explain of that element, see [`super::limits`].
    pub limit: f64,
    /// Whose value it is.
    pub whose: Whose,
}

/// Operations that were judged and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Operations {
    /// Number of results that were compared with what their operands make, over all images and steps.
    pub judged: usize,
    /// The largest difference as a part of what rounding explains, of those that it does explain.
    pub largest_part: f64,
    /// The first that it does not, if any.
    #[serde(skip)]
    pub divergence: Option<Divergence>,
}

/// Judges the values that the trace holds against the checkpoint's weights, as they were trained: normalisations and
/// convolutions apart.
pub(super) fn of_trace(network: &Network<'_>, trace: &Trace) -> Operations {
    let graph = network.source.graph;
    let limits = Limits::new(graph, network.source.parameters);
    let judgements = (0..trace.recorded).into_par_iter().map(|image| {
        let frame = |step: usize| frame(network, trace, image, step);
        let value = |step: usize, node: usize| Some(trace.value_at(graph, node, image, step));
        let steps = trace.description.presentation.steps;
        (image, judge(graph, &limits, &Recording { frame: &frame, value: &value, steps }))
    });
    let named = |node: usize| {
        let parameters = graph.nodes[node].operation.parameters();
        parameters.into_iter().map(|id| graph.parameters[id.0].name.clone()).collect()
    };
    gather(judgements.collect(), graph, Whose::Trace, named)
}

/// Judges what an engine computes on some images of the trace, each operation on the engine's own operands.
pub(super) fn of_engine(
    kind: EngineKind,
    network: &Network<'_>,
    trace: &Trace,
    images: &[usize],
) -> Result<Operations, EngineError> {
    let source = match kind {
        EngineKind::Reference => network.source,
        EngineKind::OnnxRuntimeStep
        | EngineKind::OnnxRuntimeUnrolled
        | EngineKind::TractStep
        | EngineKind::TractUnrolled
        | EngineKind::RuntimeReal
        | EngineKind::RuntimeInteger => network.exported,
    };
    let graph = source.graph;
    let limits = Limits::new(graph, source.parameters);
    let judged = |&image: &usize| -> Result<(usize, Judgement), EngineError> {
        let pixels = trace.frame(image);
        let values = trace.description.preprocessing.normalize(pixels);
        let record = || kind.build(network)?.record(Image { pixels, values: &values });
        let found = if kind.is_own() { record()? } else { guarded(kind.name(), record)? };
        let frame = |step: usize| frame(network, trace, image, step);
        let value = |step: usize, node: usize| found.values[step - 1].get(&graph.nodes[node].name).map(Vec::as_slice);
        let recording = Recording { frame: &frame, value: &value, steps: found.values.len() };
        Ok((image, judge(graph, &limits, &recording)))
    };
    let judgements = images.par_iter().map(judged).collect::<Result<Vec<_>, _>>()?;
    let named = |node: usize| ingredients(network.source.graph, graph, &graph.nodes[node].name);
    Ok(gather(judgements, graph, Whose::Engine, named))
}

/// All images together; the divergence is the earliest of any.
fn gather(
    judgements: Vec<(usize, Judgement)>,
    graph: &StepGraph,
    whose: Whose,
    named: impl Fn(usize) -> Vec<String>,
) -> Operations {
    let (mut all, mut at) = (Judgement::default(), 0);
    for (image, judgement) in judgements {
        let together = all.and(judgement);
        if together.fault != all.fault {
            at = image;
        }
        all = together;
    }
    let describe = |fault: Fault| {
        let node = &graph.nodes[fault.node];
        Divergence {
            image: at,
            step: fault.step,
            node: node.name.clone(),
            operation: node.operation.kind(),
            parameters: named(fault.node),
            absolute_difference: fault.difference,
            relative_difference: fault.difference / if fault.magnitude > 0.0 { fault.magnitude } else { 1.0 },
            limit: fault.limit,
            whose,
        }
    };
    Operations { judged: all.judged, largest_part: all.largest_part, divergence: all.fault.map(describe) }
}

/// What is on show at a step.
fn frame(network: &Network<'_>, trace: &Trace, image: usize, step: usize) -> Vec<f32> {
    match network.presentation.shows_image(step) {
        true => trace.description.preprocessing.normalize(trace.frame(image)),
        false => vec![network.presentation.blank as f32; network.source.graph.frame.elements()],
    }
}
