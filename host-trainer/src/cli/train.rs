//! `convrnn-train train`.

use super::print;
use super::progress::Progress;
use super::train_options::Train;
use crate::data::counted;
use crate::error::{Result, TrainerError};
use crate::selection::SelectionImages;
use crate::settings::TrainingFile;
use crate::training::{Flow, Outcome, Trainer};
use convrnn_models::Report;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

impl Train {
    pub fn run(self) -> Result<ExitCode> {
        train(|| match &self.resume {
            Some(folder) => Trainer::resume_with(folder, &self.changes()),
            None => self.job()?.start(),
        })
    }
}

/// Trains to the end with progress on the terminal, or until Ctrl-C.
pub(super) fn train(begin: impl FnOnce() -> Result<Trainer>) -> Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_ctrl_c(&stop)?;
    let mut trainer = begin()?;
    if let Some(report) = trainer.data_report() {
        eprint!("{}", report.text());
    }
    let report = Report::new(trainer.architecture())?;
    for warning in report.warnings(&trainer.training().description.presentation) {
        eprintln!("warning: {warning}");
    }
    let TrainingFile { description, settings, .. } = trainer.training();
    for term in settings.loss.terms(description.presentation.steps) {
        if report.first_image_step.is_none_or(|first| term.step < first) {
            eprintln!("warning: the loss counts step {}, before the image can reach the logits", term.step);
        }
    }
    for warning in &trainer.training().warnings {
        eprintln!("warning: {warning}");
    }
    for note in trainer.notes() {
        eprintln!("note: {note}");
    }
    eprintln!("{}", choosing(&trainer));
    let epochs = settings.epochs;
    let folder = trainer.folder().display().to_string();
    eprintln!("run folder: {folder}");
    let progress = Progress::new(epochs);
    let mut failed = None;
    let outcome = trainer.run(&mut |event| {
        if let Some(line) = progress.show(event) {
            progress.suspend(|| failed = failed.take().or(print(&(line + "\n")).err()));
        }
        if stop.load(Ordering::Relaxed) { Flow::Stop } else { Flow::Continue }
    });
    progress.finish();
    let outcome = outcome?;
    if let Some(error) = failed {
        return Err(error);
    }
    match outcome {
        Outcome::Interrupted { epoch, batch } => {
            eprintln!(
                "interrupted after {epoch} of {} and {}; saved in {folder}/last; go on with: convrnn-train train \
                 --resume {folder}",
                counted(epochs, "epochs"),
                counted(batch, "batches")
            );
            Ok(ExitCode::from(130))
        }
        Outcome::Finished => {
            crate::plots::training(&trainer)?;
            print(&format!("done: {folder}, {}{:.0} s\n", accuracies(&trainer), trainer.state().seconds))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What chooses the best epoch.
fn choosing(trainer: &Trainer) -> String {
    let learning = counted(trainer.train_images().len(), "images");
    match trainer.selection() {
        Some(SelectionImages { split, images }) => {
            let what = counted(images.len(), &format!("{} images", split.name()));
            let choose = if images.len() == 1 { "chooses" } else { "choose" };
            format!("{learning} to learn from; {what} {choose} the best epoch")
        }
        None => format!("{learning} to learn from; none choose: the last epoch's weights are the best"),
    }
}

/// Accuracy of the last and the best epoch, where any was measured.
fn accuracies(trainer: &Trainer) -> String {
    let metrics = trainer.metrics();
    let last = metrics.last().and_then(|epoch| epoch.measured.as_ref());
    let best = trainer.state().best(metrics).and_then(|epoch| Some((epoch.epoch, epoch.accuracy()?)));
    match last.zip(best) {
        Some((last, (epoch, accuracy))) => format!(
            "{} accuracy at the last step {:.2} % (best epoch {epoch}: {:.2} %), ",
            last.split.name(),
            100.0 * last.accuracy,
            100.0 * accuracy
        ),
        None => String::new(),
    }
}

/// The first Ctrl-C (or SIGTERM) asks to save and end; the second one ends at once, which leaves the
/// last checkpoint whole.
pub(super) fn stop_on_ctrl_c(stop: &Arc<AtomicBool>) -> Result<()> {
    let stop = Arc::clone(stop);
    let handler = move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping: saving after this batch (Ctrl-C again ends at once)");
    };
    ctrlc::set_handler(handler).map_err(|error| TrainerError::Invalid {
        what: "handler of Ctrl-C",
        expected: "that it can be set".into(),
        found: error.to_string(),
        hint: "another part of the program has set one".into(),
    })
}
