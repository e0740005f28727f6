//! Replays a trace on every engine and says how far the answers lie apart, and where they part.
//!
//! The trace is what libtorch computed: frames, labels, the logits of every step and, for a few images, the value of every
//! node. Three things are asked, each with a limit that docs/VALIDATION.md derives:
//!
//! 1. of the trace: do the checkpoint's weights make every recorded value of the recorded operands?
//! 2. of a float engine: does every operation give what its weights make of its own operands, and do the logits lie within
//!    a tolerance of the trace's, relative to their range, or within what rounding alone makes of them?
//! 3. of an int8 engine: is its accuracy that of the trace within a fraction of a point, and its error bounded?

mod agreement;
mod divergence;
mod identity;
pub mod limits;
mod operations;
mod ranges;
mod report;
mod sensitivity;
mod table;
#[cfg(test)]
mod tests;

pub use agreement::Agreement;
pub use divergence::{Divergence, Operations, Whose};
pub use identity::Identity;
pub use report::{EngineReport, TraceReport, Verdict, exit_code};
pub use table::{footer, header, row, trace_lines};

use crate::engines::{Engine, EngineError, EngineKind, Image, Network, Numerics, Reference, guarded};
use agreement::largest_difference;
use convrnn_graph::StepGraph;
use convrnn_models::{Checkpoint, Trace};
use rayon::prelude::*;

/// Points of top-1 (percent) that an int8 engine may lose against the trace.
pub const INTEGER_POINTS: f64 = 0.3;

/// Part of the range of the trace's logits by which an int8 logit may differ before the error is called large.
pub const LARGE_INTEGER_ERROR: f64 = 0.1;

/// Part of that range beyond which an int8 engine fails, whatever its accuracy on the trace's images is.
pub const LARGEST_INTEGER_ERROR: f64 = 0.25;

/// Percentages are sums of binary fractions: 0.3 points exactly must pass.
const ROUNDING: f64 = 1e-9;

/// How to validate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest difference of the logits, relative to their range, for float engines.
    pub tolerance: f64,
    /// Images for float engines; int8 engines take all of the trace.
    pub images: usize,
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

/// Judges the trace itself: whether it is of the checkpoint's weights, and whether these make the values that it holds.
pub fn examine(identity: Identity, network: &Network<'_>, trace: &Trace) -> TraceReport {
    TraceReport { recorded: trace.recorded, identity, operations: divergence::of_trace(network, trace) }
}

/// Runs one engine on the trace's images and judges it; `examined` is what [`examine`] gave for the same trace.
pub fn validate(
    kind: EngineKind,
    network: &Network<'_>,
    trace: &Trace,
    examined: &TraceReport,
    options: &Options,
) -> EngineReport {
    let mut report = EngineReport::new(kind);
    if let Some(feature) = kind.left_out() {
        report.verdict = Verdict::LeftOut;
        report.error = Some(EngineError::LeftOut { engine: kind.name(), feature }.to_string());
        return report;
    }
    let images = match kind.numerics() {
        Numerics::Float => options.images.min(trace.images()),
        Numerics::Integer => trace.images(),
    };
    let judged = compare(kind, network, trace, images).and_then(|agreement| {
        match kind.numerics() {
            Numerics::Integer => judge_integers(&mut report, network, trace, examined, &agreement)?,
            Numerics::Float => judge_floats(&mut report, kind, network, trace, examined, &agreement, options)?,
        }
        report.agreement = Some(agreement);
        Ok(())
    });
    if let Err(error) = judged {
        report.verdict = if kind.is_own() { Verdict::Failed } else { Verdict::EngineFailed };
        report.error = Some(error.to_string());
    }
    report
}

/// Whether top-1 is more than [`INTEGER_POINTS`] below the trace's and the 95 % interval of the difference leaves out zero;
/// none where it is below, but the interval holds zero.
fn loses_accuracy(agreement: &Agreement) -> Option<bool> {
    let lost = agreement.trace_top1 - agreement.top1;
    match lost > INTEGER_POINTS + ROUNDING {
        false => Some(false),
        true => (lost > agreement.interval).then_some(true),
    }
}

/// An int8 engine must decide as well as the trace, as far as the images can tell, and stay near its logits. A trace that
/// cannot judge says nothing of it.
fn judge_integers(
    report: &mut EngineReport,
    network: &Network<'_>,
    trace: &Trace,
    examined: &TraceReport,
    agreement: &Agreement,
) -> Result<(), EngineError> {
    if !examined.can_judge() {
        report.verdict = Verdict::NotJudged;
        report.divergence = examined.operations.divergence.clone();
        return Ok(());
    }
    let loses = loses_accuracy(agreement);
    let error = agreement.relative_difference;
    if loses == Some(true) || error > LARGEST_INTEGER_ERROR {
        report.verdict = Verdict::Failed;
    }
    if loses.is_none() {
        report.notes.push(format!(
            "{} images cannot tell a loss of {INTEGER_POINTS} points of top-1 from none: record more in the trace \
             (`convrnn-train trace --images`)",
            agreement.images
        ));
    }
    if error > LARGE_INTEGER_ERROR {
        report.notes.push(format!(
            "its largest error is {error:.2} of the range of the logits, and more than {LARGE_INTEGER_ERROR} is large: \
             see `convrnn-export program --report` for the values that lose most, and calibrate with images as the network \
             will see them"
        ));
    }
    let exceeded = ranges::exceeded(network, trace)?;
    if !exceeded.is_empty() {
        report.notes.push(format!(
            "values of the recorded images leave the range that calibration gave them: {}. Calibrate with images like these \
             (--calibration)",
            exceeded.join(", ")
        ));
    }
    Ok(())
}

/// A float engine must be right in every operation, which is known of any trace, and near the trace in its logits.
fn judge_floats(
    report: &mut EngineReport,
    kind: EngineKind,
    network: &Network<'_>,
    trace: &Trace,
    examined: &TraceReport,
    agreement: &Agreement,
    options: &Options,
) -> Result<(), EngineError> {
    let is_near = agreement.relative_difference <= options.tolerance;
    let mut images: Vec<usize> = (0..trace.recorded).collect();
    if !is_near && agreement.image >= trace.recorded || images.is_empty() {
        images.push(agreement.image);
    }
    let operations = divergence::of_engine(kind, network, trace, &images)?;
    let own = operations.divergence.clone();
    report.operations = Some(operations);
    if own.is_some() {
        report.verdict = Verdict::Failed;
        report.divergence = own;
    } else if !examined.can_judge() {
        report.verdict = Verdict::NotJudged;
        report.divergence = examined.operations.divergence.clone();
        report.notes.push("each of its operations is right, on what it made of the frames itself".to_owned());
    } else if !is_near {
        explain(report, network, trace, examined, agreement, options);
    }
    Ok(())
}

/// Every operation is right, in the trace and in the engine, and yet the logits differ: says what is known of it.
fn explain(
    report: &mut EngineReport,
    network: &Network<'_>,
    trace: &Trace,
    examined: &TraceReport,
    agreement: &Agreement,
    options: &Options,
) {
    let image = agreement.image;
    let values = trace.description.preprocessing.normalize(trace.frame(image));
    let range = agreement.absolute_difference / agreement.relative_difference;
    let rounding = sensitivity::of_logits(network, &values);
    let allowed = rounding.max(options.tolerance * range);
    let part = |difference: f64| difference / range;
    if agreement.absolute_difference <= rounding {
        report.notes.push(format!(
            "its logits differ by more than {:e} of their range, but every operation is right to rounding, and rounding alone \
             can move them by {:.1e} of it: this network amplifies rounding{}",
            options.tolerance,
            part(rounding),
            other_answers(agreement)
        ));
        return;
    }
    let reference = match Reference::new(network).run(Image { pixels: trace.frame(image), values: &values }) {
        Ok(logits) => logits,
        Err(error) => {
            report.verdict = Verdict::Failed;
            return report.notes.push(error.to_string());
        }
    };
    let expected: Vec<f32> =
        (1..=reference.len()).flat_map(|step| trace.logits_at(image, step).iter().copied()).collect();
    let from_trace = largest_difference(&reference.concat(), &expected);
    report.verdict = if from_trace <= allowed { Verdict::Failed } else { Verdict::NotJudged };
    let about = format!("image {image}, where rounding explains {:.1e} of the range", part(allowed));
    report.notes.push(match from_trace <= allowed {
        true => format!(
            "on {about}, the trace agrees with the f64 reference and this engine does not, though each of its operations is \
             right when it gives the values of all: its form of the whole model is not"
        ),
        false => format!(
            "on {about}, the trace differs from the f64 reference on the checkpoint's weights by {:.1e} of it: {}",
            part(from_trace),
            examined.identity.cause()
        ),
    });
}

/// `, and 22.0 % of the answers at the last step are others than the trace's: …`; nothing where all are the same.
fn other_answers(agreement: &Agreement) -> String {
    let other = 100.0 - agreement.agreement_by_step.last().copied().unwrap_or(100.0);
    match other > 0.0 {
        true => format!(
            ", and {other:.1} % of the answers at the last step are others than the trace's. No f32 engine can be relied on to \
             repeat another's answers here; look for weights of unusual size, or train with a lower learning rate"
        ),
        false => String::new(),
    }
}

/// Spreads the images over threads, each with an engine of its own.
fn compare(kind: EngineKind, network: &Network<'_>, trace: &Trace, images: usize) -> Result<Agreement, EngineError> {
    let threads = rayon::current_num_threads().clamp(1, images);
    // Older traces list images as the data set does, often by class.
    let order = trace.order();
    let tally = |thread: usize| -> Result<agreement::Tally, EngineError> {
        let mut engine = kind.build(network)?;
        let mut tally = agreement::Tally::new(trace, engine.first_step());
        for &image in order[..images].iter().skip(thread).step_by(threads) {
            let logits = run(engine.as_mut(), trace, image)?;
            tally.add(trace, image, &logits);
        }
        Ok(tally)
    };
    let part = |thread: usize| match kind.is_own() {
        true => tally(thread),
        false => guarded(kind.name(), || tally(thread)),
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
