//! Every run of a study, in order: trials, plain runs, tuned runs, architecture by architecture.

use super::file::{Member, Study};
use super::run::{Done, RunOutcome, check_same, exists, final_split, run};
use crate::data::{Share, Source, Split};
use crate::error::{Result, TrainerError};
use crate::evaluation::check_fit;
use crate::selection::{Selection, divide, load_with};
use crate::settings::Settings;
use crate::training::{Event, Flow};
use convrnn_models::files::write_whole;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One try of other hyper-parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Name of the member.
    pub member: String,
    /// From 1.
    pub number: usize,
    /// What it was trained with.
    pub settings: Settings,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Whether the tuned runs use it.
    pub is_chosen: bool,
}

/// One run that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the member.
    pub member: String,
    /// `plain` or `tuned`.
    pub setting: &'static str,
    /// Seed of the run.
    pub seed: u64,
    /// What it was trained with.
    pub settings: Settings,
    /// How it ended.
    pub outcome: RunOutcome,
}

/// How a study ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyOutcome {
    /// Every trial that is done.
    pub trials: Vec<Trial>,
    /// Every run that is done.
    pub rows: Vec<Row>,
    /// Whether an observer stopped it before its end.
    pub is_interrupted: bool,
}

/// What happens during a study.
#[derive(Clone, Debug)]
pub enum StudyEvent<'a> {
    /// Something happened within a run.
    Run {
        /// Number of the run, from 1.
        number: usize,
        /// Runs of the study.
        runs: usize,
        /// The run: `<architecture> <setting>`.
        label: &'a str,
        /// Epochs of the run.
        epochs: usize,
        /// What happened.
        event: &'a Event<'a>,
    },
    /// A run has ended.
    Done {
        /// Number of the run, from 1.
        number: usize,
        /// Runs of the study.
        runs: usize,
        /// The run: `<architecture> <setting>`.
        label: &'a str,
        /// How it ended.
        outcome: &'a RunOutcome,
        /// Whether it had ended before this call.
        is_skipped: bool,
    },
}

struct Execution<'a> {
    study: &'a Study,
    folder: &'a Path,
    observer: &'a mut dyn FnMut(&StudyEvent) -> Flow,
    number: usize,
    runs: usize,
}

/// Trains whatever is not done yet, and writes the tables and the figure after every run that ends.
///
/// # Errors
/// Those of training, except exploding losses, which are outcomes; another process at work in the folder.
pub fn execute(study: &Study, folder: &Path, observer: &mut dyn FnMut(&StudyEvent) -> Flow) -> Result<StudyOutcome> {
    if !folder.exists() {
        check_data(study)?;
    }
    let study = &for_data(study)?;
    std::fs::create_dir_all(folder).map_err(TrainerError::io("create", folder))?;
    let lock = std::fs::File::create(folder.join(".lock")).map_err(TrainerError::io("create", folder))?;
    // A file system without locks is no reason to refuse.
    if let Err(std::fs::TryLockError::WouldBlock) = lock.try_lock() {
        let message = "another process works on this study; wait for it, or give another --output".to_owned();
        return Err(TrainerError::Content { path: folder.into(), message });
    }
    check_begun(study, folder)?;
    write_whole(&folder.join("study.toml"), study.text.as_bytes())?;
    let trials = study.tuning.as_ref().map_or(0, |tuning| tuning.trials);
    let settings = if study.tuning.is_some() { 2 } else { 1 };
    let runs = study.members.len() * (trials + settings * study.seeds.len());
    let mut execution = Execution { study, folder, observer, number: 0, runs };
    let mut done = StudyOutcome { trials: Vec::new(), rows: Vec::new(), is_interrupted: false };
    for member in &study.members {
        if execution.member(member, &mut done)?.is_none() {
            done.is_interrupted = true;
            break;
        }
    }
    super::report::write(study, &done, folder)?;
    Ok(done)
}

/// Verifies that every member can learn from the images, and that trials have some to choose by, before the first one learns.
fn check_data(study: &Study) -> Result<()> {
    let Some(first) = study.members.first() else { return Ok(()) };
    let source = Source::parse(&first.settings.data)?;
    let whole = source.load(Split::Train)?;
    let images = load_with(&source, Arc::clone(&whole), &first.settings)?;
    let measured = source.load(final_split(&source)?.0)?;
    for member in &study.members {
        let graph = member.architecture.lower()?;
        check_fit(&graph, &images.train)?;
        for images in images.selection.iter().map(|selection| &selection.images).chain([&measured]) {
            check_fit(&graph, images)?;
        }
    }
    let Some(tuning) = &study.tuning else { return Ok(()) };
    for member in &study.members {
        let wrong = |message| TrainerError::Content { path: study.origin.clone(), message };
        let settings = tuning.settings(&member.settings, 1).map_err(wrong)?;
        let parts = divide(Arc::clone(&whole), &settings, settings.selection);
        parts.map_err(|error| of_trials(error, study))?;
    }
    Ok(())
}

/// What trials hold out is not what `--hold-out` of a training run is.
fn of_trials(error: TrainerError, study: &Study) -> TrainerError {
    match error {
        TrainerError::Invalid { what: "--hold-out", expected, found, .. } => TrainerError::Content {
            path: study.origin.clone(),
            message: format!(
                "tuning.hold_out: expected {expected}, found {found}; hold out a share of them: hold_out = \"10%\" below \
                 [tuning] in a study file, --hold-out 10% without one; where no class has two images, give more of them"
            ),
        },
        other => other,
    }
}

/// The study with the images that choose settled for its data. Where figures are measured on the validation split, since there
/// is no test split, held-out training images choose.
fn for_data(study: &Study) -> Result<Study> {
    let mut study = study.clone();
    for member in &mut study.members {
        let source = Source::parse(&member.settings.data)?;
        let selection = &mut member.settings.selection;
        *selection = match (*selection, final_split(&source)?.0) {
            (Selection::Automatic { hold_out }, Split::Validation) if hold_out != Share::Images(0) => {
                Selection::HeldOut { share: hold_out, seed: None }
            }
            (selection, _) => selection.resolve(&source)?,
        };
    }
    Ok(study)
}

/// Verifies that the runs in the folder are those of this study, before anything there is written. Tuned runs follow from
/// trials and plain ones.
fn check_begun(study: &Study, folder: &Path) -> Result<()> {
    for member in &study.members {
        let check = |name: String, settings: &Settings| {
            let run = run_folder(folder, member, &name);
            if exists(&run) { check_same(&run, member, settings) } else { Ok(()) }
        };
        for number in 1..=study.tuning.as_ref().map_or(0, |tuning| tuning.trials) {
            let Some(tuning) = &study.tuning else { break };
            let wrong = |message| TrainerError::Content { path: folder.into(), message };
            check(format!("trial-{number}"), &tuning.settings(&member.settings, number).map_err(wrong)?)?;
        }
        for &seed in &study.seeds {
            check(format!("plain-{seed}"), &Study::plain(member, seed))?;
        }
    }
    Ok(())
}

/// Where a run lies in the folder of a study.
fn run_folder(folder: &Path, member: &Member, name: &str) -> PathBuf {
    folder.join("runs").join(&member.name).join(name)
}

impl Execution<'_> {
    /// All runs of a member; none if interrupted.
    fn member(&mut self, member: &Member, done: &mut StudyOutcome) -> Result<Option<()>> {
        let study = self.study;
        let Some(chosen) = self.trials(member, done)? else { return Ok(None) };
        for &seed in &study.seeds {
            let plain = Study::plain(member, seed);
            let Some(outcome) = self.run(member, &format!("plain-{seed}"), &plain)? else { return Ok(None) };
            self.add(done, Row { member: member.name.clone(), setting: "plain", seed, settings: plain, outcome })?;
        }
        let Some((tuning, chosen)) = study.tuning.as_ref().zip(chosen) else { return Ok(Some(())) };
        for &seed in &study.seeds {
            let plain = Study::plain(member, seed);
            let wrong = |message| TrainerError::Content { path: self.folder.into(), message };
            let tuned = tuning.tuned(&plain, chosen).map_err(wrong)?;
            // The same run twice would give the same bits.
            let name = if tuned == plain { "plain" } else { "tuned" };
            let Some(outcome) = self.run(member, &format!("{name}-{seed}"), &tuned)? else { return Ok(None) };
            self.add(done, Row { member: member.name.clone(), setting: "tuned", seed, settings: tuned, outcome })?;
        }
        Ok(Some(()))
    }

    /// Number of the trial with the best accuracy on held-out images, the first of several, if anything is
    /// tuned; the plain one if all failed. None at all if interrupted.
    fn trials(&mut self, member: &Member, done: &mut StudyOutcome) -> Result<Option<Option<usize>>> {
        let Some(tuning) = &self.study.tuning else { return Ok(Some(None)) };
        let mut best = (1, f64::NEG_INFINITY);
        let first = done.trials.len();
        for number in 1..=tuning.trials {
            let wrong = |message| TrainerError::Content { path: self.folder.into(), message };
            let settings = tuning.settings(&member.settings, number).map_err(wrong)?;
            let outcome = self.run(member, &format!("trial-{number}"), &settings);
            let Some(outcome) = outcome.map_err(|error| of_trials(error, self.study))? else { return Ok(None) };
            if let Some(accuracy) = outcome.accuracy().filter(|accuracy| *accuracy > best.1) {
                best = (number, accuracy);
            }
            done.trials.push(Trial { member: member.name.clone(), number, settings, outcome, is_chosen: false });
        }
        done.trials[first + best.0 - 1].is_chosen = true;
        super::report::write(self.study, done, self.folder)?;
        Ok(Some(Some(best.0)))
    }

    fn add(&mut self, done: &mut StudyOutcome, row: Row) -> Result<()> {
        done.rows.push(row);
        super::report::write(self.study, done, self.folder)
    }

    /// One run; none if interrupted.
    fn run(&mut self, member: &Member, name: &str, settings: &Settings) -> Result<Option<RunOutcome>> {
        self.number += 1;
        let (number, runs, label) = (self.number, self.runs, format!("{} {name}", member.name));
        let folder = run_folder(self.folder, member, name);
        let observer = &mut *self.observer;
        let epochs = settings.epochs;
        let is_trial = name.starts_with("trial-");
        let done = run(&folder, member, settings, is_trial, &mut |event| {
            observer(&StudyEvent::Run { number, runs, label: &label, epochs, event })
        })?;
        let (outcome, is_skipped) = match done {
            Done::Interrupted => return Ok(None),
            Done::Before(outcome) => (outcome, true),
            Done::Now(outcome) => (outcome, false),
        };
        let event = StudyEvent::Done { number, runs, label: &label, outcome: &outcome, is_skipped };
        match (self.observer)(&event) {
            Flow::Continue => Ok(Some(outcome)),
            Flow::Stop => Ok(None),
        }
    }
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
