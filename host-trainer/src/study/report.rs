//! The tables and the figure of a study.

use super::execute::{Row, StudyOutcome};
use super::file::Study;
use super::overrides::value_at;
use super::statistics::{Estimate, paired_differences};
use crate::error::Result;
use crate::plots::scatter::{self, Group, Point, Scatter};
use crate::selection::MeasuredSplit;
use crate::settings::Settings;
use convrnn_models::files::write_whole;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// One architecture and setting over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryRow {
    /// Name of the architecture in the study.
    pub architecture: String,
    /// `plain` or `tuned`.
    pub setting: &'static str,
    /// Trained values.
    pub parameters: usize,
    /// Steps of the presentation.
    pub steps: usize,
    /// Runs that failed; they have no accuracy and are left out below.
    pub failed: usize,
    /// Accuracy of the best epoch's weights at the last time step, over seeds.
    pub accuracy: Option<Estimate>,
    /// Accuracy minus that of the reference with the same setting and seed; none for the reference itself.
    pub difference: Option<Estimate>,
}

/// Summarizes the runs that are done.
pub fn summarize(study: &Study, rows: &[Row]) -> Vec<SummaryRow> {
    let of = |name: &str, setting: &str| -> Vec<&Row> {
        rows.iter().filter(|row| row.member == name && row.setting == setting).collect()
    };
    let accuracies = |rows: &[&Row]| -> Vec<(u64, f64)> {
        rows.iter().filter_map(|row| row.outcome.accuracy().map(|accuracy| (row.seed, accuracy))).collect()
    };
    let mut summary = Vec::new();
    for member in &study.members {
        for setting in ["plain", "tuned"] {
            let rows = of(&member.name, setting);
            if rows.is_empty() {
                continue;
            }
            let values = accuracies(&rows);
            let reference = accuracies(&of(&study.reference, setting));
            let is_reference = member.name == study.reference;
            summary.push(SummaryRow {
                architecture: member.name.clone(),
                setting,
                parameters: member.parameters,
                steps: member.presentation.steps,
                failed: rows.len() - values.len(),
                accuracy: Estimate::of(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>()),
                difference: Estimate::of(&paired_differences(&values, &reference)).filter(|_| !is_reference),
            });
        }
    }
    summary
}

/// Writes `trials.csv`, `results.csv`, `summary.csv` and `accuracy-against-parameters.svg`.
///
/// # Errors
/// Files that cannot be written.
pub fn write(study: &Study, done: &StudyOutcome, folder: &Path) -> Result<()> {
    let summary = summarize(study, &done.rows);
    if study.tuning.is_some() {
        write_whole(&folder.join("trials.csv"), trials_csv(study, done).as_bytes())?;
    }
    write_whole(&folder.join("results.csv"), results_csv(study, &done.rows).as_bytes())?;
    write_whole(&folder.join("summary.csv"), summary_csv(study, &summary).as_bytes())?;
    scatter::write(&figure(study, &summary, final_split(&done.rows)), folder, "accuracy-against-parameters")
}

fn tuned_paths(study: &Study) -> Vec<String> {
    let ranges = study.tuning.as_ref().and_then(|tuning| tuning.ranges().ok()).unwrap_or_default();
    let paths = ranges.into_iter().map(|(path, _)| path);
    ["learning_rate", "optimizer.clip"]
        .map(String::from)
        .into_iter()
        .chain(paths.filter(|path| !is_usual(path)))
        .collect()
}

fn is_usual(path: &str) -> bool {
    matches!(path, "learning_rate" | "optimizer.clip")
}

fn values(paths: &[String], settings: &Settings) -> String {
    paths.iter().map(|path| format!(",{}", cell(value_at(settings, path)))).collect()
}

fn cell(value: Option<toml::Value>) -> String {
    match value {
        Some(toml::Value::Float(value)) => value.to_string(),
        Some(value) => format!("\"{}\"", value.to_string().replace('"', "\"\"")),
        None => String::new(),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn trials_csv(study: &Study, done: &StudyOutcome) -> String {
    let paths = tuned_paths(study);
    let mut text = format!("architecture,trial,chosen,{},hold_out_accuracy,seconds,status\n", paths.join(","));
    for trial in &done.trials {
        let figures = trial.outcome.figures.as_ref();
        let _ = writeln!(
            text,
            "{},{},{}{},{},{},{}",
            trial.member,
            trial.number,
            u8::from(trial.is_chosen),
            values(&paths, &trial.settings),
            number(trial.outcome.accuracy()),
            number(figures.map(|figures| figures.seconds)),
            if figures.is_some() { "done" } else { "exploded" },
        );
    }
    text
}

fn results_csv(study: &Study, rows: &[Row]) -> String {
    let paths = tuned_paths(study);
    let mut text = format!(
        "architecture,setting,seed,parameters,steps,epochs,{},best_epoch,selection_accuracy,{split}_accuracy,{split}_loss,\
         train_accuracy,images_per_second,seconds,status\n",
        paths.join(","),
        split = final_split(rows).key(),
    );
    for row in rows {
        let member = study.members.iter().find(|member| member.name == row.member);
        let (figures, measured) = (row.outcome.figures.as_ref(), row.outcome.measured());
        let figure = |value: fn(&super::Figures) -> f64| number(figures.map(value));
        let _ = writeln!(
            text,
            "{},{},{},{},{},{}{},{},{},{},{},{},{},{},{}",
            row.member,
            row.setting,
            row.seed,
            member.map_or(0, |member| member.parameters),
            member.map_or(0, |member| member.presentation.steps),
            row.settings.epochs,
            values(&paths, &row.settings),
            figures.map_or(String::new(), |figures| figures.epoch.to_string()),
            number(figures.and_then(|figures| figures.selection_accuracy)),
            number(measured.map(|measured| measured.accuracy)),
            number(measured.map(|measured| measured.loss)),
            figure(|figures| figures.train_accuracy),
            figure(|figures| figures.images_per_second),
            figure(|figures| figures.seconds),
            if figures.is_some() { "done" } else { "exploded" },
        );
    }
    text
}

/// Which images the figures of the runs are of.
fn final_split(rows: &[Row]) -> MeasuredSplit {
    rows.iter().find_map(|row| Some(row.outcome.measured()?.split)).unwrap_or(MeasuredSplit::Test)
}

fn summary_csv(study: &Study, summary: &[SummaryRow]) -> String {
    let mut text = String::from(
        "architecture,setting,parameters,steps,runs,failed,mean,standard_deviation,low_95,high_95,\
         reference,pairs,difference,difference_standard_deviation,difference_low_95,difference_high_95\n",
    );
    let four = |estimate: Option<Estimate>| {
        let interval = estimate.and_then(|estimate| estimate.interval);
        [
            estimate.map(|estimate| estimate.mean),
            estimate.and_then(|estimate| estimate.deviation),
            interval.map(|interval| interval.0),
            interval.map(|interval| interval.1),
        ]
        .map(number)
        .join(",")
    };
    let count = |estimate: Option<Estimate>| estimate.map_or(0, |estimate| estimate.count);
    for row in summary {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{}",
            row.architecture,
            row.setting,
            row.parameters,
            row.steps,
            count(row.accuracy),
            row.failed,
            four(row.accuracy),
            study.reference,
            count(row.difference),
            four(row.difference),
        );
    }
    text
}

fn figure(study: &Study, summary: &[SummaryRow], split: MeasuredSplit) -> Scatter {
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
    Scatter {
        title: format!("Accuracy over seeds, 95 % intervals{plain}"),
        horizontal: "parameters (points at one place are set apart)",
        vertical: match split {
            MeasuredSplit::Test => "test accuracy at the last step [%]",
            MeasuredSplit::Validation => "validation accuracy at the last step [%]",
            MeasuredSplit::HeldOut => "held-out accuracy at the last step [%]",
        },
        limits: (0.0, 100.0),
        groups: study.members.iter().map(|member| group(&member.name)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Figures, RunOutcome};
    use super::*;
    use crate::measurement::Measurement;

    #[test]
    fn summaries_are_over_seeds_and_pairs_within_a_setting() {
        let text = "data = \"rendered\"\nseeds = [1, 2, 3]\nreference = \"b\"\n\
            [[architecture]]\nname = \"a\"\narchitecture = \"ff-28\"\n[[architecture]]\nname = \"b\"\narchitecture = \"rgc-28\"\n";
        let study = Study::parse(text, Path::new("study.toml")).unwrap();
        let row = |member: &str, seed, accuracy: Option<f64>| Row {
            member: member.into(),
            setting: "plain",
            seed,
            settings: study.members[0].settings.clone(),
            outcome: RunOutcome {
                failure: None,
                figures: accuracy.map(|accuracy| Figures {
                    measured: Some(Measurement {
                        split: MeasuredSplit::Test,
                        loss: 1.0,
                        accuracy,
                        accuracy_by_step: vec![accuracy],
                    }),
                    epoch: 1,
                    selection_accuracy: None,
                    train_accuracy: 0.5,
                    images_per_second: 1.0,
                    seconds: 1.0,
                }),
            },
        };
        let rows = [
            row("a", 1, Some(0.5)),
            row("a", 2, Some(0.75)),
            row("a", 3, None),
            row("b", 1, Some(0.625)),
            row("b", 2, Some(0.75)),
            row("b", 3, Some(0.875)),
        ];
        let summary = summarize(&study, &rows);
        let [a, b] = &summary[..] else { panic!("two rows") };
        assert_eq!((a.failed, a.accuracy.unwrap().count, a.accuracy.unwrap().mean), (1, 2, 0.625));
        // Differences -0.125 and 0 at seeds 1 and 2.
        let difference = a.difference.unwrap();
        assert_eq!((difference.count, difference.mean), (2, -0.0625));
        assert!((difference.deviation.unwrap() - 0.125 / 2f64.sqrt()).abs() < 1e-12);
        assert_eq!((b.failed, b.accuracy.unwrap().mean, b.difference), (0, 0.75, None));
    }
}
