//! What a run is about to learn from: one table of splits, classes and images, what was left out and why, and warnings.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use serde::Serialize;

use super::dataset::{Dataset, SharedDataset};
use super::error::{DataError, Result};
use super::words::counted;

/// A class of fewer images is warned of.
const FEW: usize = 5;
/// With more classes than this the table has one line a split.
const LISTED: usize = 20;
/// Names in one warning.
const NAMED: usize = 5;

/// The images of every split, counted and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataReport {
    /// By split.
    pub splits: Vec<SplitReport>,
    /// What a user should know before training.
    pub warnings: Vec<String>,
}

/// One split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitReport {
    /// Its name: `train`, `validation`, `held-out`, ...
    pub split: String,
    /// Number of images.
    pub images: usize,
    /// Class names with their numbers of images.
    pub classes: Vec<(String, usize)>,
    /// Files that are left out, by reason.
    pub left_out: BTreeMap<String, usize>,
}

impl DataReport {
    /// Counts and compares. Sets that decode when read are decoded once, and remember what statistics need.
    ///
    /// # Errors
    /// [`DataError::DamagedImages`] with the damaged files of all splits; others as [`Dataset::read`].
    pub fn of(splits: &[(&str, SharedDataset)]) -> Result<Self> {
        let (mut damaged, mut images) = (Vec::new(), 0);
        for (_, set) in splits {
            match set.look_at_all() {
                Ok(()) => images += set.len(),
                Err(DataError::DamagedImages { files, images: of }) => {
                    // Parts of one set each tell of all its files.
                    if !damaged.starts_with(&files) {
                        damaged.extend(files);
                    }
                    images += of;
                }
                Err(other) => return Err(other),
            }
        }
        if !damaged.is_empty() {
            return Err(DataError::damaged(damaged, images));
        }
        let mut warnings = Vec::new();
        let reports: Vec<SplitReport> = splits.iter().map(|(split, set)| count(split, &**set)).collect();
        for report in &reports {
            warn_of_few(report, &mut warnings);
        }
        warn_of_equal(splits, &mut warnings)?;
        Ok(DataReport { splits: reports, warnings })
    }

    /// The table, then a line for each warning.
    pub fn text(&self) -> String {
        let mut rows = vec![["split", "class", "images", "left out"].map(String::from).to_vec()];
        for report in &self.splits {
            rows.extend(report.rows());
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        let mut text = String::new();
        for row in &rows {
            let line =
                format!("{:<3$}  {:<4$}  {:>5$}  ", row[0], row[1], row[2], widths[0], widths[1], widths[2]) + &row[3];
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }
}

impl SplitReport {
    fn rows(&self) -> Vec<Vec<String>> {
        let left_out: Vec<String> = self.left_out.iter().map(|(reason, count)| counted(*count, reason)).collect();
        let left_out = left_out.join(", ");
        let row = |split: &str, class: String, images: usize, left_out: &str| {
            vec![split.to_string(), class, images.to_string(), left_out.to_string()]
        };
        let split = &self.split;
        if self.classes.len() > LISTED {
            let counts = || self.classes.iter().map(|(_, images)| *images);
            let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
            let most = counted(most, "images");
            let classes = match self.classes.iter().all(|(_, images)| *images == least) {
                true => format!("{} classes of {most}", self.classes.len()),
                false => format!("{} classes of {least} to {most}", self.classes.len()),
            };
            return vec![row(split, classes, self.images, &left_out)];
        }
        let mut rows = vec![row(split, counted(self.classes.len(), "classes"), self.images, &left_out)];
        rows.extend(self.classes.iter().map(|(class, images)| row("", class.clone(), *images, "")));
        rows
    }
}

fn count(split: &str, set: &dyn Dataset) -> SplitReport {
    let mut images = vec![0; set.class_names().len()];
    (0..set.len()).for_each(|index| images[set.label(index)] += 1);
    let classes = set.class_names().iter().cloned().zip(images).collect();
    SplitReport { split: split.into(), images: set.len(), classes, left_out: set.left_out() }
}

fn warn_of_few(report: &SplitReport, warnings: &mut Vec<String>) {
    let named = |classes: &[&(String, usize)]| {
        let mut names: Vec<String> = classes.iter().take(NAMED).map(|(name, _)| format!("`{name}`")).collect();
        if classes.len() > NAMED {
            names.push(format!("{} more", classes.len() - NAMED));
        }
        names.join(", ")
    };
    let split = &report.split;
    let empty: Vec<&(String, usize)> = report.classes.iter().filter(|(_, images)| *images == 0).collect();
    if !empty.is_empty() {
        warnings.push(format!("{split}: no images of {}", named(&empty)));
    }
    let few: Vec<&(String, usize)> = report.classes.iter().filter(|(_, images)| (1..FEW).contains(images)).collect();
    if !few.is_empty() {
        warnings.push(format!("{split}: fewer than {FEW} images of {}", named(&few)));
    }
}

/// Images that are the same within a split or in two, and sets without anything to see.
fn warn_of_equal(splits: &[(&str, SharedDataset)], warnings: &mut Vec<String>) -> Result<()> {
    // The first image of each fingerprint: its split and index.
    let mut first: HashMap<u64, (usize, u32)> = HashMap::new();
    for (number, (split, set)) in splits.iter().enumerate() {
        // Images seen before, by the split of the first one, with one pair of names each.
        let mut repeats: BTreeMap<usize, (usize, String, bool)> = BTreeMap::new();
        let (mut lowest, mut highest) = (u8::MAX, u8::MIN);
        for index in 0..set.len() {
            let record = set.record(index)?;
            (lowest, highest) = (lowest.min(record.lowest), highest.max(record.highest));
            let Some(&(other, of)) = first.get(&record.fingerprint) else {
                first.insert(record.fingerprint, (number, index as u32));
                continue;
            };
            let twin = &splits[other].1;
            let pair = || format!("`{}` and `{}`", twin.name(of as usize), set.name(index));
            let repeat = repeats.entry(other).or_insert_with(|| (0, pair(), false));
            repeat.0 += 1;
            if !repeat.2 && twin.class_names()[twin.label(of as usize)] != set.class_names()[set.label(index)] {
                // An image with two labels is worth naming before others.
                (repeat.1, repeat.2) = (pair(), true);
            }
        }
        if lowest == highest {
            warnings.push(format!("{split}: every pixel of every image is {lowest}: there is nothing to learn from"));
            continue;
        }
        for (other, (count, pair, differ)) in repeats {
            let labels = if differ { ", of different classes" } else { "" };
            let what = match (other == number, count) {
                (true, 1) => "1 image repeats another of it:".to_owned(),
                (true, _) => format!("{count} images repeat others of it, such as"),
                (false, 1) => format!("1 image is in {} as well:", splits[other].0),
                (false, _) => format!("{count} images are in {} as well, such as", splits[other].0),
            };
            warnings.push(format!("{split}: {what} {pair}{labels}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::dataset::{ImageShape, MemoryDataset};
    use super::*;

    fn set(classes: usize, images: &[(u8, u32)]) -> SharedDataset {
        let shape = ImageShape { channels: 1, height: 1, width: 2 };
        let names = (0..classes).map(|class| format!("class {class}")).collect();
        let pixels = images.iter().flat_map(|&(level, _)| [level, 7]).collect();
        let labels = images.iter().map(|&(_, label)| label).collect();
        Arc::new(MemoryDataset::new(shape, names, pixels, labels).unwrap())
    }

    #[test]
    fn the_table_counts_and_the_warnings_name() {
        let train: Vec<(u8, u32)> = (0..6).map(|level| (level, 0)).chain([(10, 1), (11, 1), (3, 1)]).collect();
        let report = DataReport::of(&[("train", set(3, &train)), ("test", set(3, &[(4, 0), (90, 0)]))]).unwrap();
        let text = report.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "split  class      images  left out");
        assert_eq!(lines[1], "train  3 classes       9");
        assert_eq!(lines[2], "       class 0         6");
        assert_eq!(lines[4], "       class 2         0");
        assert_eq!(
            report.warnings,
            [
                "train: no images of `class 2`",
                "train: fewer than 5 images of `class 1`",
                "test: no images of `class 1`, `class 2`",
                "test: fewer than 5 images of `class 0`",
                "train: 1 image repeats another of it: `3` and `8`, of different classes",
                "test: 1 image is in train as well: `4` and `0`",
            ]
        );
    }

    #[test]
    fn what_is_one_is_singular() {
        let left_out = [("damaged images", 1), ("hidden files", 2)].map(|(reason, count)| (reason.to_string(), count));
        let split = SplitReport {
            split: "train".into(),
            images: 7,
            classes: vec![("cat".into(), 7)],
            left_out: left_out.into_iter().collect(),
        };
        let text = DataReport { splits: vec![split], warnings: Vec::new() }.text();
        let line = text.lines().nth(1).unwrap();
        assert_eq!(line, "train  1 class       7  1 damaged image, 2 hidden files");
    }

    #[test]
    fn many_classes_take_one_line_and_flat_sets_are_told() {
        let train: Vec<(u8, u32)> = (0..30).map(|class| (7, class)).collect();
        let report = DataReport::of(&[("train", set(30, &train))]).unwrap();
        assert_eq!(report.text().lines().nth(1).unwrap(), "train  30 classes of 1 image      30");
        let flat = "train: every pixel of every image is 7: there is nothing to learn from";
        assert!(report.warnings.contains(&flat.to_string()), "{:?}", report.warnings);
        let few = "train: fewer than 5 images of `class 0`, `class 1`, `class 2`, `class 3`, `class 4`, 25 more";
        assert!(report.warnings.contains(&few.to_string()), "{:?}", report.warnings);
    }
}
