//! The progress bar, on standard error and only on a terminal.

use crate::metrics::EpochMetrics;
use crate::training::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Shows what training does.
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
}

impl Progress {
    /// A bar for a run of `epochs` epochs; hidden where standard error is not a terminal.
    pub fn new(epochs: usize) -> Self {
        let bar = ProgressBar::hidden();
        if std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} batches, {eta} left  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, epochs }
    }

    /// Takes note of an event; gives the line to print, if it is worth one.
    pub fn show(&self, event: &Event) -> Option<String> {
        self.show_part("", self.epochs, event)
    }

    /// The same for one of several runs, named by a prefix.
    pub fn show_part(&self, prefix: &str, epochs: usize, event: &Event) -> Option<String> {
        match event {
            Event::Batch { epoch, batch, batches, loss, accuracy } => {
                self.bar.set_length(*batches as u64);
                self.bar.set_prefix(format!("{prefix}epoch {epoch}/{epochs}"));
                self.bar.set_message(format!("loss {loss:.4}, accuracy {:.2} %", 100.0 * accuracy));
                self.bar.set_position(*batch as u64);
                None
            }
            Event::Epoch(metrics) => {
                self.bar.reset();
                Some(line(metrics, epochs))
            }
        }
    }

    /// Removes the bar so that a line can be printed.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Removes the bar for good.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn line(metrics: &EpochMetrics, epochs: usize) -> String {
    let measured = metrics.measured.as_ref().map_or(String::new(), |measured| {
        let (name, loss, percent) = (measured.split.name(), measured.loss, 100.0 * measured.accuracy);
        format!("{name} loss {loss:.4}, accuracy {percent:.2} % at the last step; ")
    });
    format!(
        "epoch {}/{epochs}: train loss {:.4}, accuracy {:.2} %; {measured}learning rate {:.5}, {:.0} images/s, {:.0} s",
        metrics.epoch,
        metrics.train_loss,
        100.0 * metrics.train_accuracy,
        metrics.learning_rate,
        metrics.images_per_second,
        metrics.seconds,
    )
}
