//! `convrnn-train compare`.

use super::hints::Speaker;
use super::progress::Progress;
use super::table::{format, grouped};
use super::train::stop_on_ctrl_c;
use super::{Arguments, print, to_json};
use crate::data::Share;
use crate::error::Result;
use crate::selection::{Selection, TEST_WARNING};
use crate::study::statistics::Estimate;
use crate::study::{
    Figures, Row, RunOutcome, Study, StudyEvent, SummaryRow, execute, has_something_to_draw, summarize,
};
use crate::training::Flow;
use clap::{Args, CommandFactory};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A study is given as a file, or by the options under "Without a study file".
#[derive(Debug, Args)]
#[command(after_long_help = STUDY_HELP)]
pub struct Compare {
    /// Study file (.toml); see below.
    #[arg(required_unless_present = "architectures")]
    study: Option<PathBuf>,
    /// Folder of the study. Runs in it that are done are skipped, and those that were interrupted go on;
    /// studies/<name of the file> if not given.
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print the summary as JSON instead of a table.
    #[arg(long)]
    json: bool,

    /// Architectures with commas between, from `convrnn-train list` or files.
    #[arg(long, value_delimiter = ',', conflicts_with = "study", requires = "data", help_heading = OPTIONS)]
    architectures: Vec<String>,
    /// Data set, as for `convrnn-train train`.
    #[arg(long, value_name = "SOURCE", conflicts_with = "study", help_heading = OPTIONS)]
    data: Option<String>,
    /// Classes to tell apart: channels of the last layer of every architecture; as each says if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "study", help_heading = OPTIONS)]
    classes: Option<u16>,
    /// Seeds with commas between.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4,5", conflicts_with = "study", help_heading = OPTIONS)]
    seeds: Vec<u64>,
    /// Architecture that differences are measured against; the first one if not given.
    #[arg(long, value_name = "NAME", conflicts_with = "study", help_heading = OPTIONS)]
    reference: Option<String>,
    /// A hyper-parameter by its name in training.toml, for instance epochs=5. May be given several times.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "study", help_heading = OPTIONS)]
    set: Vec<String>,
    /// Trials of other hyper-parameters for each architecture; 0 tunes nothing.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "study", help_heading = OPTIONS)]
    trials: usize,
    /// Epochs of a trial.
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with = "study", help_heading = OPTIONS)]
    trial_epochs: usize,
    /// Training images held out to choose the best trial by: so many, or a share of them.
    #[arg(long, value_name = "IMAGES|P%", default_value = "1000", conflicts_with = "study", help_heading = OPTIONS)]
    hold_out: Share,
    /// What trials draw: KEY=LOW..HIGH (log-uniform), or a list KEY=[A,B]. May be given several times.
    #[arg(long, value_name = "KEY=RANGE", default_value = "learning_rate=0.005..0.5", conflicts_with = "study", help_heading = OPTIONS)]
    range: Vec<String>,
}

const OPTIONS: &str = "Without a study file";

const STUDY_HELP: &str = r#"A study file:
  data = "rendered:size=28,train=8000,test=2000"
  seeds = [1, 2, 3, 4, 5]
  classes = 10                     # channels of every last layer; as each architecture says if not given
  reference = "rgc-28"             # differences are against this one; the first architecture if not given

  [settings]                       # for all architectures, by the names in a run's training.toml
  epochs = 5
  batch = 64
  learning_rate = 0.05
  optimizer.clip = 0.1
  schedule = { kind = "cosine" }

  [tuning]                         # leave out to tune nothing
  trials = 6                       # for each architecture; the first has the settings above
  epochs = 3
  hold_out = 1000                  # training images to choose by, or a share ("10%")
  [tuning.ranges]
  learning_rate = { low = 0.01, high = 0.3 }    # log-uniform
  optimizer.clip = [0.1, 0.7]                   # one of a list

  [[architecture]]
  architecture = "rgc-28"          # from `convrnn-train list`, or a file beside the study file

  [[architecture]]
  name = "rgc-minimal"             # label and folder
  architecture = "rgc-28"
  unroll = "minimal"               # or minimal-all; or steps = 8, image_steps = 8

  [[architecture]]
  name = "ff-matched"
  architecture = "ff-28"
  like = "rgc-28"                  # brought to as many parameters, by = "wider" or "deeper"
  settings.learning_rate = 0.1     # for this architecture only

Written into the folder: runs/<architecture>/{trial,plain,tuned}-<number>, trials.csv, results.csv, summary.csv,
accuracy-against-parameters.svg and .csv; columns and axes name the split that was measured. Intervals of 95 % over seeds are Student's on the scale of log-odds, so that they
stay within 0 and 100 % (Korn and Graubard 1998).

Which images choose the best epoch is a setting: the validation split where the data set has one, or else a tenth of the training
images, held out: selection = { kind = "automatic" }; others are { kind = "held-out", share = "5%" }, { kind = "test" } (with a
warning) and { kind = "last" }, the last epoch. Accuracy is that of the best epoch's weights at the last time step, measured once
on the test split when the run has ended; data without a test split are measured on the validation split, and held-out images
choose.

A run whose loss explodes fails; the others go on, and the command then ends with exit code 1 and says which failed. Trials
that fail are not chosen, and that is all."#;

impl Compare {
    pub fn run(self) -> Result<ExitCode> {
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_ctrl_c(&stop)?;
        let study = match &self.study {
            Some(path) => Study::read(path)?,
            None => Study::parse(&self.text(), Path::new("options"))?,
        };
        if study.members.iter().any(|member| member.settings.selection == Selection::Test) {
            eprintln!("warning: {}", self.in_own_words(TEST_WARNING));
        }
        let folder = self.output.clone().unwrap_or_else(|| {
            let name = self.study.as_deref().and_then(Path::file_stem).unwrap_or("study".as_ref());
            Path::new("studies").join(name)
        });
        let progress = Progress::new(0);
        let mut failed = None;
        let done = execute(&study, &folder, &mut |event| {
            match event {
                StudyEvent::Run { number, runs, label, epochs, event } => {
                    progress.show_part(&format!("run {number}/{runs} {label}: "), *epochs, event);
                }
                StudyEvent::Done { number, runs, label, outcome, is_skipped } => {
                    let line = self.line(*number, *runs, label, outcome, *is_skipped);
                    // With --json standard output holds the answer only.
                    progress.suspend(|| match self.json {
                        true if std::io::stderr().is_terminal() => eprint!("{line}"),
                        true => {}
                        false => failed = failed.take().or(print(&line).err()),
                    });
                }
            }
            if stop.load(Ordering::Relaxed) { Flow::Stop } else { Flow::Continue }
        });
        progress.finish();
        let done = done?;
        if let Some(error) = failed {
            return Err(error);
        }
        if done.is_interrupted {
            eprintln!("interrupted; saved in {}; the same command goes on from here", folder.display());
            return Ok(ExitCode::from(130));
        }
        let summary = summarize(&study, &done.rows);
        match self.json {
            true => print(&to_json(&summary))?,
            false => print(&text(&study, &summary, &folder))?,
        }
        if !has_something_to_draw(&summary) {
            eprintln!("nothing to draw: no run has a result");
        }
        let failures = self.failures(&done.rows);
        for failure in &failures {
            eprintln!("failed: {failure}");
        }
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The options as a study file.
    fn text(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = format!("data = {}\n", quoted(self.data.as_deref().unwrap_or_default()));
        text += &format!("seeds = {:?}\n", self.seeds);
        text += &self.classes.map_or(String::new(), |classes| format!("classes = {classes}\n"));
        text += &self.reference.as_ref().map_or(String::new(), |name| format!("reference = {}\n", quoted(name)));
        text += "[settings]\n";
        text += &self.set.iter().map(|set| format!("{set}\n")).collect::<String>();
        if self.trials > 0 {
            text += &format!(
                "[tuning]\ntrials = {}\nepochs = {}\nhold_out = \"{}\"\n[tuning.ranges]\n",
                self.trials, self.trial_epochs, self.hold_out
            );
            for range in &self.range {
                let (key, values) = range.split_once('=').unwrap_or((range, ""));
                text += &match values.split_once("..") {
                    Some((low, high)) => format!("{key} = {{ low = {low}, high = {high} }}\n"),
                    None => format!("{key} = {values}\n"),
                };
            }
        }
        for name in &self.architectures {
            text += &format!("[[architecture]]\narchitecture = {}\n", quoted(name));
        }
        text
    }

    fn line(&self, number: usize, runs: usize, label: &str, outcome: &RunOutcome, is_skipped: bool) -> String {
        let what = match (&outcome.figures, &outcome.failure) {
            (Some(Figures { measured: Some(measured), epoch, seconds, .. }), _) => format!(
                "{} accuracy {:.2} % at the last step, loss {:.4}, best epoch {epoch}, {seconds:.0} s",
                measured.split.name(),
                100.0 * measured.accuracy,
                measured.loss,
            ),
            (Some(figures), _) => format!("nothing measured, {:.0} s", figures.seconds),
            (None, Some(failure)) => self.in_own_words(failure),
            (None, None) => "no result".into(),
        };
        format!("run {number}/{runs} {label}: {what}{}\n", if is_skipped { " (done before)" } else { "" })
    }

    /// The runs that have no result, with the reason.
    fn failures(&self, rows: &[Row]) -> Vec<String> {
        let failure = |row: &Row| {
            let reason = row.outcome.failure.as_deref().filter(|_| row.outcome.figures.is_none())?;
            Some(format!("{} {}-{}: {}", row.member, row.setting, row.seed, self.in_own_words(reason)))
        };
        rows.iter().filter_map(failure).collect()
    }

    /// What training said, with the keys of a study file instead of options.
    fn in_own_words(&self, text: &str) -> String {
        match Arguments::command().find_subcommand("compare") {
            Some(command) => Speaker { command, has_study_file: self.study.is_some() }.reworded(text),
            None => text.to_owned(),
        }
    }
}

fn text(study: &Study, summary: &[SummaryRow], folder: &Path) -> String {
    let interval = |estimate: Option<Estimate>, show: fn(f64) -> String| match estimate.and_then(|e| e.interval) {
        Some((low, high)) => format!("{} to {}", show(low), show(high)),
        None => "-".into(),
    };
    let against = format!("minus {}", study.reference);
    let accuracy = format!("{} accuracy [%]", summary.first().map_or("test", |row| row.split));
    let header = [
        "architecture",
        "setting",
        "parameters",
        "steps",
        "runs",
        "failed",
        &accuracy,
        "deviation",
        "95 % interval",
        &against,
        "95 % interval",
    ];
    let rows: Vec<Vec<String>> = summary
        .iter()
        .map(|row| {
            let deviation = row.accuracy.and_then(|estimate| estimate.deviation);
            vec![
                row.architecture.clone(),
                row.setting.into(),
                grouped(row.parameters as u64),
                row.steps.to_string(),
                row.accuracy.map_or(0, |estimate| estimate.count).to_string(),
                row.failed.to_string(),
                row.accuracy.map_or("-".into(), |estimate| percent(estimate.mean)),
                deviation.map_or("-".into(), percent),
                interval(row.accuracy, percent),
                row.difference.map_or("-".into(), |estimate| signed(estimate.mean)),
                interval(row.difference, signed),
            ]
        })
        .collect();
    let mut text = format(&header, &rows);
    text += &format!("done: {}\n", folder.display());
    text
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

fn signed(share: f64) -> String {
    format!("{:+.2}", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_of_the_help_is_one() {
        let file: String = STUDY_HELP
            .lines()
            .skip(1)
            .take_while(|line| line.is_empty() || line.starts_with("  "))
            .map(|line| format!("{line}\n"))
            .collect();
        let study = Study::parse(&file, Path::new("help")).unwrap();
        assert_eq!((study.seeds.len(), study.members.len(), study.tuning.unwrap().trials), (5, 3, 6));
    }

    /// The command as given by options of a study.
    fn compare(options: &str) -> Compare {
        let fixed = "convrnn-train compare --architectures ff-28,rgc-28 --data rendered";
        let words = fixed.split_whitespace().chain(options.split_whitespace());
        let matches = Arguments::command().try_get_matches_from(words).unwrap();
        <Compare as clap::FromArgMatches>::from_arg_matches(matches.subcommand_matches("compare").unwrap()).unwrap()
    }

    #[test]
    fn options_become_the_same_study() {
        let compare = compare("--classes 3 --seeds 1,2 --set epochs=2 --trials 1");
        let study = Study::parse(&compare.text(), Path::new("options")).unwrap();
        assert_eq!(
            (study.seeds, study.members.len(), study.tuning.unwrap().hold_out),
            (vec![1, 2], 2, crate::data::Share::Images(1000))
        );
        assert!(study.members.iter().all(|member| member.architecture.lower().unwrap().classes() == 3));
    }

    #[test]
    fn failures_are_named_with_the_keys_of_the_study() {
        let row = |seed, failure: Option<&str>| Row {
            member: "rgc".into(),
            setting: "plain",
            seed,
            settings: crate::settings::Settings::default(),
            outcome: RunOutcome { failure: failure.map(str::to_owned), figures: None },
        };
        let found = compare("").failures(&[row(1, None), row(2, Some("it exploded: give a lower --learning-rate"))]);
        assert_eq!(found, ["rgc plain-2: it exploded: give a lower settings.learning_rate"]);
    }
}
