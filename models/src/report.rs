//! What an architecture costs and when its parts take effect.

use crate::architecture::Architecture;
use crate::error::ArchitectureError;
use convrnn_graph::timing::Timing;
use convrnn_graph::{Cost, StepGraph};
use serde::Serialize;

/// Counts and timing of an architecture, for `list`, `info` and `inspect`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the architecture.
    pub name: String,
    /// Frame as `channels x height x width`.
    pub frame: String,
    /// Number of classes.
    pub classes: usize,
    /// Trained values.
    pub parameters: usize,
    /// Multiply-accumulates of one step.
    pub multiply_accumulates: u64,
    /// Values carried between steps.
    pub state_elements: usize,
    /// First step whose logits can depend on the image, whatever the weights.
    pub first_image_step: Option<usize>,
    /// First step whose logits the blank can change in the file's own presentation, if any.
    pub first_blank_step: Option<usize>,
    /// Steps of the minimally unrolled control (the file's own, or the largest over local parameters).
    pub minimal_unroll: Option<usize>,
    /// The same with feedback included.
    pub minimal_unroll_all: Option<usize>,
    /// By layer.
    pub layers: Vec<LayerReport>,
    /// By part of each parameter tensor.
    pub parameter_timing: Vec<ParameterReport>,
}

/// One layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// `layer3`
    pub name: String,
    /// Output as `channels x height x width`.
    pub output: String,
    /// Kind of the cell, if any.
    pub cell: Option<String>,
    /// Trained values.
    pub parameters: usize,
    /// Multiply-accumulates of one step.
    pub multiply_accumulates: u64,
    /// Values carried between steps.
    pub state_elements: usize,
    /// First step at which the output can depend on the image, whatever the weights.
    pub first_image_step: Option<usize>,
}

/// When a parameter takes effect.
#[derive(Clone, Debug, Serialize)]
pub struct ParameterReport {
    /// Path of the tensor; with the input it multiplies in brackets where there are several.
    pub name: String,
    /// Whether it carries feedback.
    pub feedback: bool,
    /// Whether it carries a skip.
    pub skip: bool,
    /// Smallest T at which it can change the logits of step T, all biases zero.
    pub first_step: Option<usize>,
}

impl Report {
    /// Counts and analyses an architecture.
    pub fn new(architecture: &Architecture) -> Result<Self, ArchitectureError> {
        let graph = architecture.lower()?;
        let cost = Cost::new(&graph);
        let timing = Timing::new(&graph);
        let layers =
            (0..graph.layers.len()).map(|layer| layer_report(architecture, &graph, &cost, &timing, layer)).collect();
        let parameter_timing = timing
            .parameters
            .iter()
            .map(|part| {
                let tensor = &graph.parameters[part.parameter.0].name;
                let name = part.part.as_ref().map_or(tensor.clone(), |source| format!("{tensor}[{source}]"));
                ParameterReport { name, feedback: part.feedback, skip: part.skip, first_step: part.first_step }
            })
            .collect();
        Ok(Self {
            name: architecture.name.clone(),
            frame: graph.frame.to_string(),
            classes: graph.classes(),
            parameters: cost.parameters,
            multiply_accumulates: cost.multiply_accumulates(),
            state_elements: cost.state_elements,
            first_image_step: timing.first_image_step,
            first_blank_step: timing.first_blank_step(&architecture.presentation),
            minimal_unroll: architecture.minimal_unroll.or_else(|| timing.minimal_unroll(false)),
            minimal_unroll_all: timing.minimal_unroll(true),
            layers,
            parameter_timing,
        })
    }

    /// What the user should know before running the presentation, one sentence each.
    pub fn warnings(&self, presentation: &convrnn_graph::Presentation) -> Vec<String> {
        let mut warnings = Vec::new();
        match self.first_image_step {
            Some(first) if first > presentation.steps => warnings.push(format!(
                "the image cannot reach the logits: {} steps, but the first image-driven logits come at step {first}",
                presentation.steps
            )),
            Some(first)
                if presentation.image_steps < presentation.steps
                    && presentation.image_steps + first > presentation.steps =>
            {
                warnings.push(format!(
                    "the blank cannot reach the logits: it starts at step {} and needs until step {}, but the run ends at {}",
                    presentation.image_steps + 1,
                    presentation.image_steps + first,
                    presentation.steps
                ));
            }
            Some(_) => {}
            None => warnings.push("the logits never depend on the image".into()),
        }
        if let Some(needed) = self.minimal_unroll_all.filter(|&needed| needed > presentation.steps) {
            warnings.push(format!(
                "some parameters cannot change the last logits while biases are zero: they need {needed} steps, the run has {}",
                presentation.steps
            ));
        }
        warnings
    }
}

fn layer_report(
    architecture: &Architecture,
    graph: &StepGraph,
    cost: &Cost,
    timing: &Timing,
    layer: usize,
) -> LayerReport {
    let name = graph.layers[layer].clone();
    let prefix = format!("{name}.");
    let tap = graph.taps.iter().position(|tap| tap.name == format!("{name}.output"));
    LayerReport {
        output: tap.map_or(String::new(), |tap| graph.nodes[graph.taps[tap].node.0].shape.to_string()),
        cell: architecture.layers[layer].cell.as_ref().map(|cell| cell.kind().to_owned()),
        parameters: {
            let own = graph.parameters.iter().filter(|parameter| parameter.name.starts_with(&prefix));
            own.filter(|parameter| parameter.group.is_trained()).map(|parameter| parameter.elements()).sum()
        },
        multiply_accumulates: cost.layers[layer],
        state_elements: graph
            .states
            .iter()
            .filter(|state| state.layer == layer)
            .map(|state| state.shape.elements())
            .sum(),
        first_image_step: tap.and_then(|tap| timing.first_tap_steps[tap]),
        name,
    }
}
