//! What a new run is about to learn from, counted before anything is written.

use crate::data::{DataError, DataReport, SharedDataset, Source, Split};
use crate::error::Result;
use crate::selection::MeasuredSplit;

/// Counts and compares the images of a run, by the names of their splits, and those of the test split where they lie in files:
/// that these are there and whole is better known before training than after. Nothing is chosen by them. A validation split that
/// does not choose is counted as well, with a warning.
///
/// # Errors
/// The damaged files of all splits; other errors of reading.
pub fn data_report(mut splits: Vec<(&str, SharedDataset)>, data: &str) -> Result<DataReport> {
    let source = Source::parse(data)?;
    let is_test_there = splits.iter().any(|(name, _)| *name == Split::Test.name());
    let mut unread = None;
    if !is_test_there && source.is_in_files() && source.has(Split::Test)? {
        match source.load(Split::Test) {
            Ok(images) => splits.push((Split::Test.name(), images)),
            Err(error @ DataError::DamagedImages { .. }) => return Err(error.into()),
            Err(error) => unread = Some(format!("test: {error}")),
        }
    }
    let is_validation_used = splits.iter().any(|(name, _)| *name == Split::Validation.name());
    let is_unused = !is_validation_used && source.is_in_files() && source.has(Split::Validation)?;
    if is_unused {
        splits.push((Split::Validation.name(), source.load(Split::Validation)?));
    }
    let mut report = DataReport::of(&splits)?;
    if is_unused {
        let unused =
            "the validation split chooses nothing here; `convrnn-train eval RUN --split validation` measures it";
        report.warnings.push(unused.into());
    }
    report.warnings.extend(unread);
    // Held-out images are some of the training files: what is left out of these has been counted there.
    for split in report.splits.iter_mut().filter(|split| split.split == MeasuredSplit::HeldOut.name()) {
        split.left_out.clear();
    }
    Ok(report)
}
