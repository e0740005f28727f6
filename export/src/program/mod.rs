//! Device programs: from a step graph, in f32 or quantised, to the bytes that the runtime executes.
//!
//! ```text
//! StepGraph, QuantizedGraph --> step::Step      one form for both arithmetics
//!                               order           which operation when
//!                               arena           which tensor where
//!                               pack, constants weights as kernels like to read them
//!                               operation       the record of each operation
//!                               write           bytes, which are loaded again to verify them
//! ```

mod aligned;
mod arena;
mod bands;
mod beginning;
mod constants;
#[cfg(feature = "plots")]
mod drawing;
mod error;
mod integer;
mod operation;
mod order;
mod pack;
mod real;
mod records;
mod report;
mod run;
mod siblings;
mod step;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod write;

pub use aligned::AlignedBytes;
#[cfg(feature = "plots")]
pub use drawing::{ArenaDrawing, DrawnBuffer};
pub use error::ProgramError;
pub use pack::Target;
pub use report::{LayerUse, OperationUse, ProgramReport, SectionUse, StateUse};
pub use run::{RunError, run_presentation};

use convrnn_format::{Plan, Skipping};
use convrnn_graph::passes;
use convrnn_graph::quantize::Quantized;
use convrnn_graph::timing::Timing;
use convrnn_graph::{Parameters, Presentation, StepGraph};
use convrnn_models::Preprocessing;
use std::num::NonZeroUsize;

/// Choices of the exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramOptions {
    /// Order of layers within a step.
    pub plan: Plan,
    /// What weights are packed for.
    pub target: Target,
    /// Whether taps that are no state keep their memory to the end of the step.
    pub keep_taps: bool,
    /// Which work the program has memory to leave out where its result is that of the step before.
    pub skipping: Skipping,
    /// Rows of a layer's output that are computed at once, where that makes the arena smaller; whole maps if none.
    pub band_rows: Option<NonZeroUsize>,
    /// Whether convolutions that read the same are computed at once, where the arena stays as small.
    pub shares_windows: bool,
    /// Whether each layer begins at the step at which the image can first reach it, its states being in the program as
    /// they are then. Logits and taps are the same from there on; before, they are what was last computed.
    pub precompute: bool,
}

impl Default for ProgramOptions {
    fn default() -> Self {
        Self {
            plan: Plan::Sequential,
            target: Target::Portable,
            keep_taps: true,
            skipping: Skipping::None,
            band_rows: None,
            shares_windows: true,
            precompute: false,
        }
    }
}

/// What a program says about its use.
#[derive(Clone, Copy, Debug)]
pub struct ProgramDescription<'a> {
    /// Names of the classes; may be empty.
    pub class_names: &'a [String],
    /// From pixels to frames; without it the program takes no raw pixels.
    pub preprocessing: Option<&'a Preprocessing>,
    /// What was on show in training; gives the blank.
    pub presentation: Presentation,
}

/// A program with f32 arithmetic.
pub fn write_real(
    graph: &StepGraph,
    parameters: &Parameters<f32>,
    description: &ProgramDescription<'_>,
    options: &ProgramOptions,
) -> Result<Vec<u8>, ProgramError> {
    parameters.check(graph)?;
    let mut step = real::lower(graph, parameters, description)?;
    if options.precompute {
        beginning::real(&mut step, passes::precompute(graph, parameters));
    }
    write::write(&step, &Timing::new(graph), description, options)
}

/// A program with int8 arithmetic. `graph` is the float graph that was quantised.
pub fn write_integer(
    graph: &StepGraph,
    quantized: &Quantized,
    description: &ProgramDescription<'_>,
    options: &ProgramOptions,
) -> Result<Vec<u8>, ProgramError> {
    let mut step = integer::lower(&quantized.graph, Some(&quantized.frame_table), description.presentation.blank)?;
    if options.precompute {
        beginning::integer(&mut step, passes::precompute_integers(&quantized.graph));
    }
    write::write(&step, &Timing::new(graph), description, options)
}
