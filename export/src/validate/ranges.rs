//! Whether the values of a trace stay within the ranges that calibration gave an int8 program.

use crate::engines::{EngineError, Network, Runtime};
use convrnn_models::Trace;

/// Part of a value's elements that may lie outside: ranges are clipped on purpose where that lowers the error.
const CLIPPED: f64 = 0.01;

/// How far beyond its range, as a part of its width, a value must go to be told of.
const BEYOND: f64 = 0.25;

/// Watched values of the trace's recorded images that leave what the program's integers can hold, each as a sentence's
/// part: name, share of the elements, and how far.
pub(super) fn exceeded(network: &Network<'_>, trace: &Trace) -> Result<Vec<String>, EngineError> {
    let graph = network.source.graph;
    let steps = trace.description.presentation.steps;
    let mut found = Vec::new();
    for (name, low, high) in Runtime::integer(network)?.ranges()? {
        let Some(node) = graph.node_named(&name) else { continue };
        let (mut outside, mut all, mut furthest) = (0usize, 0usize, (0.0f64, 0.0f64));
        for image in 0..trace.recorded {
            for step in 1..=steps {
                for &value in trace.value_at(graph, node.0, image, step) {
                    let value = f64::from(value);
                    all += 1;
                    let beyond = (value - high).max(low - value);
                    if beyond > 0.0 {
                        outside += 1;
                        if beyond > furthest.0 {
                            furthest = (beyond, value);
                        }
                    }
                }
            }
        }
        let (beyond, value) = furthest;
        let width = high - low;
        if outside as f64 > CLIPPED * all as f64 && beyond > BEYOND * width {
            let share = 100.0 * outside as f64 / all as f64;
            found.push(format!("{name} ({share:.1} % of its elements, up to {value:.3} of {low:.3} to {high:.3})"));
        }
    }
    Ok(found)
}
