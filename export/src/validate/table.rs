//! The table as text, a line an engine, printed as engines end.

use super::{Divergence, EngineReport, INTEGER_POINTS, Options, Oracle};
use crate::engines::{EngineKind, Numerics};

/// The head of the table.
pub fn header() -> String {
    format!(
        "{:<22} {:>6} {:>11} {:>11} {:>5} {:>11} {:>9} {:>7} {:>7}  {}",
        "engine", "images", "largest", "relative", "step", "same class", "last step", "top-1", "trace", "verdict"
    )
}

/// One engine's line, and below it where it parts from the trace.
pub fn row(report: &EngineReport) -> String {
    let verdict = if report.passed { "ok" } else { "FAILED" };
    let mut text = match &report.agreement {
        Some(agreement) => {
            let every_step = agreement.agreement_by_step.iter().copied().fold(100.0, f64::min);
            let last_step = agreement.agreement_by_step.last().copied().unwrap_or(0.0);
            format!(
                "{:<22} {:>6} {:>11.2e} {:>11.2e} {:>5} {:>10.2}% {:>8.2}% {:>6.2}% {:>6.2}%  {verdict}",
                report.engine,
                agreement.images,
                agreement.absolute_difference,
                agreement.relative_difference,
                agreement.step,
                every_step,
                last_step,
                agreement.top1,
                agreement.trace_top1,
            )
        }
        None => format!("{:<22} {:>6} {verdict}", report.engine, "-"),
    };
    if let (Numerics::Integer, Some(agreement)) = (report.numerics, &report.agreement) {
        text.push_str(&format!(
            "\n    top-1 {:+.2} ± {:.2} points of the trace's (95 %, paired by image): {} images gained, {} lost",
            agreement.top1 - agreement.trace_top1,
            agreement.interval,
            agreement.gained,
            agreement.lost
        ));
    }
    if let Some(divergence) = &report.divergence {
        text.push_str(&format!("\n    {}", sentence(divergence)));
    }
    for remark in report.error.iter().chain(&report.note) {
        text.push_str(&format!("\n    {remark}"));
    }
    text
}

fn sentence(divergence: &Divergence) -> String {
    let Divergence { image, step, node, operation, absolute_difference, relative_difference, .. } = divergence;
    let oracle = match divergence.oracle {
        Oracle::Trace => "the trace",
        Oracle::Reference => "the f64 reference on the checkpoint's weights",
    };
    let mut text = format!(
        "first differs from {oracle} at step {step}, {node} ({operation}): by {absolute_difference:.2e}, \
         {relative_difference:.2e} of its largest value (image {image})"
    );
    if divergence.reference_differs {
        let weights = divergence.parameters.join(" or ");
        text.push_str("; so does the f64 reference on the checkpoint's weights: ");
        text.push_str(&match weights.is_empty() {
            true => "the checkpoint is not the one that was traced".to_owned(),
            false => format!("{weights} is not as it was traced"),
        });
    }
    text
}

/// What the columns mean and what was asked of each engine; `recorded` counts the trace's images with
/// the values of all nodes.
pub fn footer(options: &Options, recorded: usize, kinds: &[EngineKind]) -> String {
    let mut text = String::from(
        "largest: largest absolute difference of any logit at any step from the trace; relative: the same by the range\n\
         of the trace's logits; same class: images with the trace's predicted class, at the worst step and at the last\n",
    );
    text.push_str(&format!("float engines must lie within {:e} of the range", options.tolerance));
    text.push_str(&match recorded {
        0 => " (the trace records no values of operations to compare)".to_owned(),
        1.. => format!(
            " and, on {recorded} recorded images, every operation within {:e} of its largest value",
            options.value_tolerance()
        ),
    });
    if kinds.iter().any(|kind| kind.numerics() == Numerics::Integer) {
        text.push_str(&format!("; int8 within {INTEGER_POINTS} points of the trace's top-1"));
    }
    text
}
