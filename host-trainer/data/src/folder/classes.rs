//! The images of one split with their labels.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::layout::{Layout, LeftOutCounts, Role, folder_names, normal};
use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::files::Listing;
use crate::words::counted;

/// What a split holds.
pub struct Classified {
    /// Places in the list.
    pub files: Vec<u32>,
    /// By file.
    pub labels: Vec<u32>,
    /// By label.
    pub class_names: Vec<String>,
    /// Other files of the split, by reason.
    pub left_out: LeftOutCounts,
}

impl Classified {
    /// Sorts the files of a list. Classes are those of the training split where there is one.
    ///
    /// # Errors
    /// [`DataError::Split`] where the split has no images, [`DataError::ExtraClasses`] where it holds classes that training
    /// lacks.
    pub fn of(listing: &Listing, layout: &Layout<'_>, split: Split) -> Result<Self> {
        let mut left_out = LeftOutCounts::new();
        let mut count = |found: Option<Split>, reason: &str| {
            // What belongs to no split is told with the training images.
            if found.unwrap_or(Split::Train) == split {
                *left_out.entry(reason.to_string()).or_default() += 1;
            }
        };
        let mut training = BTreeSet::new();
        let mut files: Vec<u32> = Vec::new();
        // Classes in the order that they are met, and each file's.
        let (mut met, mut classes): (Vec<&str>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        for index in 0..listing.len() {
            match layout.role(index) {
                Role::Labelled(found, class) => {
                    if found == Split::Train && !training.contains(class) {
                        training.insert(class);
                    }
                    if found == split {
                        let number = *numbers.entry(class).or_insert_with(|| {
                            met.push(class);
                            met.len() as u32 - 1
                        });
                        files.push(index as u32);
                        classes.push(number);
                    }
                }
                Role::LeftOut(found, reason) => count(found, &reason),
            }
        }
        layout.left_out().for_each(|(found, reason)| count(found, reason));
        if files.is_empty() {
            return Err(no_split(listing.path(), split, &layout.images_by_folder()));
        }
        let all: BTreeSet<String> = if training.is_empty() {
            met.iter().copied().chain(layout.class_folders(split)).map(|class| normal(class).into_owned()).collect()
        } else {
            training
                .into_iter()
                .chain(layout.class_folders(Split::Train))
                .map(|class| normal(class).into_owned())
                .collect()
        };
        let class_names: Vec<String> = all.into_iter().collect();
        let number = |class: &&str| class_names.binary_search_by(|name| name.as_str().cmp(&normal(class))).ok();
        let numbers: Vec<Option<usize>> = met.iter().map(number).collect();
        let extra: BTreeSet<String> = met
            .iter()
            .zip(&numbers)
            .filter(|(_, number)| number.is_none())
            .map(|(class, _)| normal(class).into_owned())
            .collect();
        if !extra.is_empty() {
            return Err(DataError::ExtraClasses {
                path: listing.path().into(),
                split: split.name(),
                classes: extra.into_iter().collect(),
                known: class_names.len(),
            });
        }
        let numbers: Vec<u32> = numbers.into_iter().flatten().map(|number| number as u32).collect();
        let labels = classes.into_iter().map(|met| numbers[met as usize]).collect();
        Ok(Classified { files, labels, class_names, left_out })
    }
}

fn no_split(path: &Path, split: Split, folders: &BTreeMap<&str, usize>) -> DataError {
    let found: Vec<String> = folders
        .iter()
        .take(8)
        .map(|(folder, count)| format!("`{folder}` with {}", counted(*count, "images")))
        .collect();
    DataError::Split {
        path: path.to_path_buf(),
        wanted: split.name(),
        expected: format!("images in `{}/<class>/`", folder_names(split).join("|")),
        found: if found.is_empty() { "no images".into() } else { found.join(", ") },
        hint: "name the folders so, or give another data source",
    }
}
