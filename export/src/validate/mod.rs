//! Replays a trace on every engine and says how far the answers lie apart, and where they part.
//!
//! The trace is what libtorch computed: frames, labels, the logits of every step and, for a few
//! images, the value of every node. Float engines must give its logits within a tolerance relative to
//! their range, and the recorded values within a tighter one relative to the node's largest value; an
//! int8 engine must give its accuracy within a fraction of a point.

mod agreement;
mod divergence;
mod local;
mod table;

pub use agreement::Agreement;
pub use divergence::{Divergence, Oracle};
pub use table::{footer, header, row};

use crate::engines::{Engine, EngineError, EngineKind, Image, Network, Numerics};
use convrnn_graph::StepGraph;
use convrnn_models::{Checkpoint, Trace};
use rayon::prelude::*;
use serde::Serialize;

/// Points of top-1 (percent) by which an int8 engine may lie from the trace.
pub const INTEGER_POINTS: f64 = 0.3;

/// Part of a node's largest value by which a recorded value may differ, at the least: rounding to f32
/// costs some 1e-7 an operation.
const VALUE_TOLERANCE: f64 = 1e-5;

/// Percentages are sums of binary fractions: 0.3 points exactly must pass.
const ROUNDING: f64 = 1e-9;

/// Said where no operation is to blame.
const OTHER_WEIGHTS: &str = "agrees with the f64 reference on the checkpoint's weights: these are not the weights that \
                             were traced (with more recorded images the trace would show which)";

/// How to validate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest difference of the logits, relative to their range, for float engines.
    pub tolerance: f64,
    /// Images for float engines; int8 engines take all of the trace.
    pub images: usize,
}

impl Options {
    /// Largest difference of a recorded value, relative to the largest magnitude its node has in the
    /// run. Below that of the logits, because a weight that acts late, or on few logits, may hardly
    /// move them; never below what rounding costs, unless the logits' own tolerance is.
    pub fn value_tolerance(&self) -> f64 {
        (self.tolerance / 10.0).max(self.tolerance.min(VALUE_TOLERANCE))
    }
}

/// A trace that does not belong to the checkpoint, or cannot be judged by.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ValidateError {
    #[error(
        "the trace is of architecture \"{trace}\", the checkpoint of \"{checkpoint}\": trace this checkpoint with \
         `convrnn-train trace`"
    )]
    Architecture { trace: String, checkpoint: String },
    #[error(
        "the trace and the checkpoint have the same architecture's name, but not the same {what}: trace this \
         checkpoint with `convrnn-train trace`"
    )]
    Description { what: &'static str },
    #[error("the trace holds no images")]
    Empty,
    #[error("the trace's logits hold {0}: it was recorded from a network that had diverged")]
    NotFinite(f32),
}

/// What one engine did.
#[derive(Clone, Debug, Serialize)]
pub struct EngineReport {
    /// Name of the engine.
    pub engine: &'static str,
    /// What it computes with.
    #[serde(skip)]
    pub numerics: Numerics,
    /// Whether the engine answers as it should.
    pub passed: bool,
    /// Comparison with the trace; none if the engine could not run.
    pub agreement: Option<Agreement>,
    /// Where the engine parts from the trace, if it does.
    pub divergence: Option<Divergence>,
    /// Why the engine could not run, if so.
    pub error: Option<String>,
    /// What else is to be said, if anything.
    pub note: Option<String>,
}

/// Verifies that a trace can judge a checkpoint.
pub fn check(checkpoint: &Checkpoint, trace: &Trace, graph: &StepGraph) -> Result<(), ValidateError> {
    if *graph != checkpoint.graph {
        let (trace, checkpoint) = (graph.name.clone(), checkpoint.graph.name.clone());
        return match trace == checkpoint {
            true => Err(ValidateError::Description { what: "layers" }),
            false => Err(ValidateError::Architecture { trace, checkpoint }),
        };
    }
    let (recorded, own) = (&trace.description, &checkpoint.description);
    if recorded.preprocessing != own.preprocessing {
        return Err(ValidateError::Description { what: "preprocessing" });
    }
    if recorded.class_names != own.class_names {
        return Err(ValidateError::Description { what: "class names" });
    }
    if recorded.presentation.blank != own.presentation.blank {
        return Err(ValidateError::Description { what: "blank" });
    }
    if trace.images() == 0 {
        return Err(ValidateError::Empty);
    }
    match trace.logits.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(ValidateError::NotFinite(value)),
        None => Ok(()),
    }
}

/// Runs one engine on the trace's images and judges it.
pub fn validate(kind: EngineKind, network: &Network<'_>, trace: &Trace, options: &Options) -> EngineReport {
    let images = match kind.numerics() {
        Numerics::Float => options.images.min(trace.images()),
        Numerics::Integer => trace.images(),
    };
    match compare(kind, network, trace, images) {
        Err(error) => EngineReport {
            engine: kind.name(),
            numerics: kind.numerics(),
            passed: false,
            agreement: None,
            divergence: None,
            error: Some(error.to_string()),
            note: None,
        },
        Ok(agreement) => {
            let passed = match kind.numerics() {
                Numerics::Float => agreement.relative_difference <= options.tolerance,
                Numerics::Integer => (agreement.top1 - agreement.trace_top1).abs() <= INTEGER_POINTS + ROUNDING,
            };
            let mut report = EngineReport {
                engine: kind.name(),
                numerics: kind.numerics(),
                passed,
                agreement: None,
                divergence: None,
                error: None,
                note: None,
            };
            if kind.numerics() == Numerics::Float {
                let found = match passed {
                    // A weight that is wrong by little may leave the logits within their tolerance.
                    true => {
                        divergence::find_recorded(kind, network, trace, 0..trace.recorded, options.value_tolerance())
                            .and_then(|found| match found {
                                Some(_) => {
                                    divergence::find(kind, network, trace, &agreement, options.value_tolerance())
                                }
                                None => Ok(None),
                            })
                    }
                    false => divergence::find(kind, network, trace, &agreement, options.tolerance),
                };
                match found {
                    Ok(Some(divergence)) => report.divergence = Some(divergence),
                    Ok(None) if passed => {}
                    Ok(None) => report.note = Some(OTHER_WEIGHTS.into()),
                    Err(error) => report.error = Some(error.to_string()),
                }
                report.passed = passed && report.divergence.is_none() && report.error.is_none();
            }
            report.agreement = Some(agreement);
            report
        }
    }
}

/// Spreads the images over threads, each with an engine of its own.
fn compare(kind: EngineKind, network: &Network<'_>, trace: &Trace, images: usize) -> Result<Agreement, EngineError> {
    let threads = rayon::current_num_threads().clamp(1, images);
    // Older traces list images as the data set does, often by class.
    let order = trace.order();
    let part = |thread: usize| -> Result<agreement::Tally, EngineError> {
        let mut engine = kind.build(network)?;
        let mut tally = agreement::Tally::new(trace, engine.first_step());
        for &image in order[..images].iter().skip(thread).step_by(threads) {
            let logits = run(engine.as_mut(), trace, image)?;
            tally.add(trace, image, &logits);
        }
        Ok(tally)
    };
    let parts: Vec<agreement::Tally> = (0..threads).into_par_iter().map(part).collect::<Result<_, _>>()?;
    let whole = parts.into_iter().reduce(agreement::Tally::merge);
    Ok(whole.expect("there is at least one thread").finish())
}

/// Shows one image of the trace to an engine.
fn run(engine: &mut dyn Engine, trace: &Trace, image: usize) -> Result<Vec<Vec<f32>>, EngineError> {
    let pixels = trace.frame(image);
    let values = trace.description.preprocessing.normalize(pixels);
    engine.run(Image { pixels, values: &values })
}
