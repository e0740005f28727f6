//! The figure of a study.

use super::file::Study;
use super::report::SummaryRow;
use crate::plots::scatter::{Group, Point, Scatter};
use crate::selection::MeasuredSplit;

/// Whether any run of a study has an accuracy.
pub fn has_something_to_draw(summary: &[SummaryRow]) -> bool {
    summary.iter().any(|row| row.accuracy.is_some())
}

/// Accuracy against parameters, a colour for each architecture; none where no run has an accuracy.
pub(super) fn figure(study: &Study, summary: &[SummaryRow], split: MeasuredSplit) -> Option<Scatter> {
    if !has_something_to_draw(summary) {
        return None;
    }
    let group = |name: &str| {
        let rows = summary.iter().filter(|row| row.architecture == name);
        let points = rows.filter_map(|row| {
            let accuracy = row.accuracy?;
            let (low, high) = accuracy.interval.unwrap_or((accuracy.mean, accuracy.mean));
            Some(Point {
                label: row.setting,
                horizontal: row.parameters as f64,
                value: 100.0 * accuracy.mean,
                low: 100.0 * low,
                high: 100.0 * high,
                is_filled: row.setting == "tuned" || study.tuning.is_none(),
            })
        });
        Group { name: name.to_owned(), points: points.collect() }
    };
    let plain = if study.tuning.is_some() { "; hollow: plain, filled: tuned" } else { "" };
    Some(Scatter {
        title: format!("Accuracy over seeds, 95 % intervals{plain}"),
        horizontal: "parameters (points at one place are set apart)",
        vertical: format!("{} accuracy at the last step [%]", split.name()),
        columns: ("parameters", format!("{}_accuracy_percent", split.key())),
        limits: (0.0, 100.0),
        groups: study.members.iter().map(|member| group(&member.name)).collect(),
    })
}
