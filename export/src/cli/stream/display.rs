//! Class scores as they arrive: bars on a terminal, a line a step elsewhere.

use convrnn_export::stream::{Observed, best};
use std::io::{self, Write};

/// Width of a full bar.
const BAR: usize = 40;
/// Most classes that get a bar.
const BARS: usize = 20;

/// Where scores go.
pub struct Display<'a> {
    class_names: &'a [String],
    mode: Mode,
    drawn: usize,
    failure: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Silent,
    Lines,
    Bars,
}

impl<'a> Display<'a> {
    /// Nothing is shown.
    pub fn silent() -> Self {
        Self { class_names: &[], mode: Mode::Silent, drawn: 0, failure: None }
    }

    /// One line a step.
    pub fn lines(class_names: &'a [String]) -> Self {
        Self { class_names, mode: Mode::Lines, drawn: 0, failure: None }
    }

    /// Bars that move, for terminals.
    pub fn bars(class_names: &'a [String]) -> Self {
        Self { class_names, mode: Mode::Bars, drawn: 0, failure: None }
    }

    /// Shows one step. What goes wrong is told by [`Self::finish`].
    pub fn show(&mut self, observed: &Observed<'_>) {
        let text = match self.mode {
            Mode::Silent => return,
            Mode::Lines => self.line(observed),
            Mode::Bars => self.picture(observed),
        };
        if self.failure.is_none() {
            let mut output = io::stdout().lock();
            self.failure = output.write_all(text.as_bytes()).and_then(|()| output.flush()).err();
        }
    }

    /// The first failure to write, if there was one.
    pub fn finish(self) -> io::Result<()> {
        self.failure.map_or(Ok(()), Err)
    }

    fn name(&self, class: usize) -> &str {
        self.class_names.get(class).map_or("?", String::as_str)
    }

    fn heading(&self, observed: &Observed<'_>) -> String {
        let scores = &observed.scores.scores;
        let class = best(scores);
        let score = scores.get(class).copied().unwrap_or(0.0);
        let label = observed.label.and_then(|label| usize::try_from(label).ok());
        let label = label.map_or(String::new(), |label| format!(", label {}", self.name(label)));
        let host = observed.difference.map_or("same as host".into(), |what| format!("DIFFERS FROM HOST: {what}"));
        format!(
            "image {}/{} step {}/{}: {} {score:.3}{label}; {host}; {} missed",
            observed.image + 1,
            observed.images,
            observed.scores.step,
            observed.steps,
            self.name(class),
            observed.scores.missed,
        )
    }

    fn line(&self, observed: &Observed<'_>) -> String {
        let mut text = self.heading(observed);
        text.push('\n');
        text
    }

    /// Draws over what was drawn before. The bars are the softmax of the scores.
    fn picture(&mut self, observed: &Observed<'_>) -> String {
        let scores = &observed.scores.scores;
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = scores.iter().map(|score| (score - largest).exp()).sum();
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        text.push_str(&format!("\x1b[2K{}\n", self.heading(observed)));
        let shown = scores.len().min(BARS);
        for (class, score) in scores.iter().enumerate().take(shown) {
            let share = (score - largest).exp() / total;
            let filled = (share * BAR as f32).round().clamp(0.0, BAR as f32) as usize;
            let bar = format!("{}{}", "█".repeat(filled), " ".repeat(BAR - filled));
            text.push_str(&format!("\x1b[2K  {:<14.14} {bar} {score:>9.3}\n", self.name(class)));
        }
        self.drawn = shown + 1;
        text
    }
}
