//! How many steps a run has, and for how many of them the image is on show.

use crate::error::{Result, TrainerError};
use clap::ValueEnum;
use convrnn_graph::Presentation;
use convrnn_models::{Architecture, Report};
use serde::Deserialize;

/// How many steps a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unroll {
    /// As the architecture's presentation says.
    #[default]
    Full,
    /// The smallest number at which every local parameter reaches the logits; image held.
    Minimal,
    /// The same with feedback included.
    MinimalAll,
}

/// The presentation of an architecture: its own, with other numbers of steps where they are given, or the
/// minimal one.
pub fn presentation(
    architecture: &Architecture,
    unroll: Unroll,
    steps: Option<usize>,
    image_steps: Option<usize>,
) -> Result<Presentation> {
    let report = Report::new(architecture)?;
    let steps = match unroll {
        Unroll::Full => return override_steps(architecture.presentation, steps, image_steps),
        Unroll::Minimal => report.minimal_unroll,
        Unroll::MinimalAll => report.minimal_unroll_all,
    };
    let steps = steps.unwrap_or(architecture.presentation.steps);
    Ok(Presentation { blank: architecture.presentation.blank, ..Presentation::held(steps) })
}

/// A presentation with other numbers of steps. A longer run goes on showing the image where it was
/// shown to the end.
pub fn override_steps(
    presentation: Presentation,
    steps: Option<usize>,
    image_steps: Option<usize>,
) -> Result<Presentation> {
    let held = presentation.image_steps == presentation.steps;
    let total = steps.unwrap_or(presentation.steps);
    let shown = image_steps.unwrap_or(if held { total } else { presentation.image_steps.min(total) });
    let presentation = Presentation { steps: total, image_steps: shown, ..presentation };
    presentation.check().map_err(|error| TrainerError::Invalid {
        what: "--steps and --image-steps",
        expected: "at least one step, no more image steps than steps".into(),
        found: format!("{total} and {shown}"),
        hint: error.to_string(),
    })?;
    Ok(presentation)
}
