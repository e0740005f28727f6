//! The tables of a study.

use super::RunOutcome;
use super::execute::{Row, StudyOutcome};
use super::file::Study;
use super::overrides::value_at;
use super::report::{SummaryRow, final_split};
use super::run::Figures;
use super::statistics::Estimate;
use crate::selection::MeasuredSplit;
use crate::settings::Settings;
use std::fmt::Write;

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

/// How a run ended, in a word.
fn status(outcome: &RunOutcome) -> &'static str {
    match (&outcome.figures, &outcome.failure) {
        (Some(_), _) => "done",
        (None, Some(failure)) if failure.starts_with("out of memory") => "out-of-memory",
        (None, _) => "exploded",
    }
}

pub(super) fn trials_csv(study: &Study, done: &StudyOutcome) -> String {
    let paths = tuned_paths(study);
    let mut text = format!("architecture,trial,chosen,{},held_out_accuracy,seconds,status\n", paths.join(","));
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
            status(&trial.outcome),
        );
    }
    text
}

pub(super) fn results_csv(study: &Study, rows: &[Row]) -> String {
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
        let figure = |value: fn(&Figures) -> f64| number(figures.map(value));
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
            status(&row.outcome),
        );
    }
    text
}

pub(super) fn summary_csv(study: &Study, summary: &[SummaryRow], split: MeasuredSplit) -> String {
    let of = |name: &str| {
        let name = format!("{}_{name}", split.key());
        format!("{name},{name}_standard_deviation,{name}_low_95,{name}_high_95")
    };
    let mut text = format!(
        "architecture,setting,parameters,steps,runs,failed,{},reference,pairs,{}\n",
        of("accuracy"),
        of("accuracy_difference")
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
