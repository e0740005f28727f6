//! Studies: architectures compared over seeds, plain and tuned on the same budget.
//!
//! A study's folder holds one run folder for each (architecture, setting, seed), so that whatever is done is
//! skipped and whatever was interrupted goes on:
//!
//! ```text
//! STUDY/study.toml
//! STUDY/runs/<architecture>/trial-<n>/     measured on held-out images, seed of the tuning
//! STUDY/runs/<architecture>/plain-<seed>/  the given hyper-parameters
//! STUDY/runs/<architecture>/tuned-<seed>/  those of the best trial
//! STUDY/trials.csv  results.csv  summary.csv  accuracy-against-parameters.svg
//! ```

mod execute;
mod figure;
mod file;
pub mod overrides;
mod report;
mod run;
pub mod statistics;
mod tables;
mod tuning;

pub use execute::{Row, StudyEvent, StudyOutcome, Trial, execute};
pub use figure::has_something_to_draw;
pub use file::{Member, Study};
pub use report::{SummaryRow, summarize, write};
pub use run::{Done, Figures, RunOutcome};
pub use tuning::{Range, Tuning};
