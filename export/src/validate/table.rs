//! The table as text, a line an engine, printed as engines end.

use super::{
    Divergence, EngineReport, INTEGER_POINTS, LARGE_INTEGER_ERROR, LARGEST_INTEGER_ERROR, Options, TraceReport,
    Verdict, Whose,
};
use crate::engines::{EngineKind, Numerics};

/// The head of the table.
pub fn header() -> String {
    format!(
        "{:<22} {:>6} {:>11} {:>11} {:>5} {:>11} {:>9} {:>7} {:>7}  {}",
        "engine", "images", "largest", "relative", "step", "same class", "last step", "top-1", "trace", "verdict"
    )
}

/// What is known of the trace, before the engines are run.
pub fn trace_lines(trace: &TraceReport) -> String {
    let mut text = trace.identity.sentence();
    let operations = &trace.operations;
    text.push_str(&match (&operations.divergence, trace.recorded) {
        (Some(divergence), _) => format!("\n{}; {}", sentence(divergence), trace.identity.cause()),
        (None, 0) => "\nit records no values of operations, so only logits are compared with it".to_owned(),
        (None, images) => format!(
            "\nits {} values of {images} recorded images are what the checkpoint's weights make of their operands, the worst \
             at {:.0} % of what rounding explains",
            operations.judged,
            100.0 * operations.largest_part
        ),
    });
    text
}

/// One engine's line, and below it where it parts from the trace.
pub fn row(report: &EngineReport) -> String {
    let verdict = report.verdict.name();
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
        text.push_str("\n    ");
        text.push_str(&match divergence.whose {
            Whose::Engine => sentence(divergence),
            // Said of the trace already, once for all engines.
            Whose::Trace => format!(
                "the trace itself is not what the checkpoint's weights make, first at step {}, {} (see above)",
                divergence.step, divergence.node
            ),
        });
    }
    let failed = |error: &String| match report.verdict {
        Verdict::EngineFailed => {
            format!("engine failed: {error}; that says nothing of the network or of the other engines")
        }
        Verdict::Ok | Verdict::Failed | Verdict::NotJudged | Verdict::LeftOut => error.clone(),
    };
    for remark in report.error.as_ref().map(failed).iter().chain(&report.notes) {
        text.push_str(&format!("\n    {remark}"));
    }
    text
}

/// What is wrong with a value, and which tensors to look at.
fn sentence(divergence: &Divergence) -> String {
    let Divergence { image, step, node, operation, absolute_difference, limit, .. } = divergence;
    let whose = match divergence.whose {
        Whose::Trace => "the trace's value",
        Whose::Engine => "its value",
    };
    let of = match divergence.parameters.as_slice() {
        [] => "its operands make".to_owned(),
        parameters => format!("{} make of its operands", parameters.join(", ")),
    };
    format!(
        "at step {step}, {node} ({operation}), image {image}, {whose} differs by {absolute_difference:.2e} from what {of}; \
         rounding explains at most {limit:.2e}"
    )
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
            " and, on {recorded} recorded images, every operation within what rounding its sums to f32 explains"
        ),
    });
    if kinds.iter().any(|kind| kind.numerics() == Numerics::Integer) {
        text.push_str(&format!(
            "; int8 must not lose more than\n{INTEGER_POINTS} points of top-1, as far as the images can tell, and lie within {LARGEST_INTEGER_ERROR} of the range (above \
             {LARGE_INTEGER_ERROR} its error is called large)"
        ));
    }
    text
}
