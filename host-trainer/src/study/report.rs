//! The tables and the figure of a study.

use super::execute::{Row, StudyOutcome};
use super::figure::figure;
use super::file::Study;
use super::statistics::{Estimate, paired_differences};
use super::tables::{results_csv, summary_csv, trials_csv};
use crate::error::{Result, TrainerError};
use crate::plots::scatter;
use crate::selection::MeasuredSplit;
use convrnn_models::files::write_whole;
use serde::Serialize;
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
    /// The images that accuracies are of: `test`, or `validation` of data without a test split.
    pub split: &'static str,
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
    let split = final_split(rows).name();
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
                split,
                accuracy: Estimate::of(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>(), (0.0, 1.0)),
                difference: Estimate::of(&paired_differences(&values, &reference), (-1.0, 1.0))
                    .filter(|_| !is_reference),
            });
        }
    }
    summary
}

/// The figure's name, without `.svg` and `.csv`.
const FIGURE: &str = "accuracy-against-parameters";

/// Writes `trials.csv`, `results.csv`, `summary.csv` and, where any run has a result, `accuracy-against-parameters.svg`.
///
/// # Errors
/// Files that cannot be written.
pub fn write(study: &Study, done: &StudyOutcome, folder: &Path) -> Result<()> {
    let summary = summarize(study, &done.rows);
    if study.tuning.is_some() {
        write_whole(&folder.join("trials.csv"), trials_csv(study, done).as_bytes())?;
    }
    write_whole(&folder.join("results.csv"), results_csv(study, &done.rows).as_bytes())?;
    write_whole(&folder.join("summary.csv"), summary_csv(study, &summary, final_split(&done.rows)).as_bytes())?;
    match figure(study, &summary, final_split(&done.rows)) {
        Some(figure) => scatter::write(&figure, folder, FIGURE),
        None => remove_figure(folder),
    }
}

/// Removes a figure that shows what is no longer so: axes without a point, as earlier versions drew, or runs that were deleted.
fn remove_figure(folder: &Path) -> Result<()> {
    for path in ["svg", "csv"].map(|kind| folder.join(format!("{FIGURE}.{kind}"))) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrainerError::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Which images the figures of the runs are of.
pub(super) fn final_split(rows: &[Row]) -> MeasuredSplit {
    rows.iter().find_map(|row| Some(row.outcome.measured()?.split)).unwrap_or(MeasuredSplit::Test)
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
        assert_eq!([a.split, b.split], ["test"; 2]);
        for split in MeasuredSplit::ALL {
            let expected = "architecture,setting,parameters,steps,runs,failed,KEY,KEY_standard_deviation,KEY_low_95,KEY_high_95,\
                reference,pairs,KEY_difference,KEY_difference_standard_deviation,KEY_difference_low_95,KEY_difference_high_95";
            let text = summary_csv(&study, &summary, split);
            let key = format!("{}_accuracy", split.key());
            let difference = expected.replace("KEY_difference", &format!("{key}_difference"));
            assert_eq!(text.lines().next().unwrap(), difference.replace("KEY", &key));
            let figure = figure(&study, &summary, split).unwrap();
            assert_eq!(figure.vertical, format!("{} accuracy at the last step [%]", split.name()));
            assert_eq!(figure.columns.1, format!("{key}_percent"));
        }
        let failed = summarize(&study, &[row("a", 1, None), row("b", 1, None)]);
        assert!(figure(&study, &failed, MeasuredSplit::Test).is_none(), "nothing to draw");
    }
}
