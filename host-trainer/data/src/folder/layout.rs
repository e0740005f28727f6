//! What a list of files means: where the data set begins, its splits and classes.
//!
//! - The data set begins at the path given, or below the one folder that holds all images (`cifar10/train/...` in an
//!   archive), or the one within that. A folder named as a split is such a wrapping folder only where all folders within
//!   it are splits again.
//! - There a folder named as a split is one if it holds class folders with images. Anywhere else the name means nothing.
//!   A split has one folder: of `val` and `valid` both with images neither is read.
//! - The folders in it are the classes, compared in Unicode's form NFC: macOS writes `é` as two characters, others as
//!   one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::files::Listing;
use crate::kinds::{self, Kind};

/// Names of the folders of a split.
pub fn folder_names(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &["train", "training"],
        Split::Validation => &["val", "valid", "validation"],
        Split::Test => &["test", "testing"],
    }
}

/// The split that a folder of this name holds.
pub fn split_of(folder: &str) -> Option<Split> {
    Split::ALL.into_iter().find(|&split| folder_names(split).contains(&folder))
}

/// A class name in the form that is compared.
pub fn normal(class: &str) -> Cow<'_, str> {
    if is_nfc(class) { Cow::Borrowed(class) } else { Cow::Owned(class.nfc().collect()) }
}

/// Files that are left out, by reason.
pub type LeftOutCounts = BTreeMap<String, usize>;

/// Where the data set begins in a list.
pub struct Layout<'a> {
    listing: &'a Listing,
    root: String,
}

/// What a file is in the layout.
pub enum Role<'a> {
    /// An image of a class.
    Labelled(Split, &'a str),
    /// Anything else: the split whose folder it is in, if any, and why it is left out.
    LeftOut(Option<Split>, String),
}

impl<'a> Layout<'a> {
    /// Looks for the beginning.
    pub fn of(listing: &'a Listing) -> Self {
        let mut layout = Layout { listing, root: String::new() };
        while let Some(wrapping) = layout.wrapping_folder() {
            layout.root = format!("{}{wrapping}/", layout.root);
        }
        layout
    }

    /// The one folder that holds all images, unless it is a split by itself.
    fn wrapping_folder(&self) -> Option<&'a str> {
        // Sorted: what the first and the last have in common, all have.
        let mut images = (0..self.listing.len()).filter_map(|index| self.image_below(index));
        let first = images.next()?;
        let last = (0..self.listing.len()).rev().find_map(|index| self.image_below(index))?;
        let (folder, _) = first.split_once('/')?;
        if last.split_once('/').is_none_or(|(other, _)| other != folder) {
            return None;
        }
        let within = |image: &'a str| image.split('/').nth(1).is_some_and(|inner| split_of(inner).is_some());
        let holds_splits = split_of(folder).is_none() || (within(first) && images.all(within));
        holds_splits.then_some(folder)
    }

    /// The name of an image below the beginning; none for other files.
    fn image_below(&self, index: usize) -> Option<&'a str> {
        self.name(index).filter(|name| kinds::of(name) == Kind::Image)
    }

    /// The name of a file below the beginning; none for one beside it.
    pub fn name(&self, index: usize) -> Option<&'a str> {
        self.listing.name(index).strip_prefix(self.root.as_str())
    }

    /// Characters of names before the beginning.
    pub fn root_length(&self) -> usize {
        self.root.len()
    }

    /// What file `index` is.
    pub fn role(&self, index: usize) -> Role<'a> {
        let Some(name) = self.name(index) else {
            return Role::LeftOut(None, "files beside the data set's folder".into());
        };
        let (folder, rest) = name.split_once('/').unwrap_or(("", name));
        let split = split_of(folder);
        match (split, kinds::of(name), rest.split_once('/')) {
            (Some(split), Kind::Image, Some((class, _))) => Role::Labelled(split, class),
            (split, kind, _) => Role::LeftOut(split, reason(&kind, split)),
        }
    }

    /// Verifies that no split lies in two folders: which of `val` and `valid` is meant, only the user knows.
    ///
    /// # Errors
    /// [`DataError::TwoFolders`].
    pub fn check_folders(&self) -> Result<()> {
        let mut found: BTreeMap<(Split, &str), usize> = BTreeMap::new();
        for index in 0..self.listing.len() {
            if let (Role::Labelled(split, _), Some(name)) = (self.role(index), self.name(index)) {
                *found.entry((split, name.split('/').next().unwrap_or(name))).or_default() += 1;
            }
        }
        for split in Split::ALL {
            let folders = found.iter().filter(|((other, _), _)| *other == split);
            let folders: Vec<(String, usize)> = folders.map(|((_, name), images)| ((*name).into(), *images)).collect();
            if folders.len() > 1 {
                return Err(DataError::TwoFolders { path: self.listing.path().into(), split: split.name(), folders });
            }
        }
        Ok(())
    }

    /// The splits that have images.
    pub fn splits(&self) -> BTreeSet<Split> {
        (0..self.listing.len())
            .filter_map(|index| match self.role(index) {
                Role::Labelled(split, _) => Some(split),
                Role::LeftOut(..) => None,
            })
            .collect()
    }

    /// Folders of classes of a split, with or without images.
    pub fn class_folders(&self, split: Split) -> impl Iterator<Item = &'a str> {
        self.listing.folders().iter().filter_map(move |folder| {
            let (name, class) = folder.strip_prefix(self.root.as_str())?.split_once('/')?;
            let is_class = split_of(name) == Some(split) && !class.contains('/') && !kinds::is_hidden_part(class);
            is_class.then_some(class)
        })
    }

    /// Links and other entries of the list that are no files: the split whose folder they are in, if any, and why they
    /// are left out.
    pub fn left_out(&self) -> impl Iterator<Item = (Option<Split>, &'a str)> {
        self.listing.left_out().iter().map(|left_out| {
            let name = left_out.name.strip_prefix(self.root.as_str()).unwrap_or(&left_out.name);
            (name.split_once('/').and_then(|(folder, _)| split_of(folder)), left_out.reason.as_str())
        })
    }

    /// Images by folder at the beginning, for messages.
    pub fn images_by_folder(&self) -> BTreeMap<&'a str, usize> {
        let mut folders = BTreeMap::new();
        for name in (0..self.listing.len()).filter_map(|index| self.image_below(index)) {
            *folders.entry(name.split_once('/').map_or(".", |(folder, _)| folder)).or_default() += 1;
        }
        folders
    }
}

/// Why a file is left out.
pub fn reason(kind: &Kind, split: Option<Split>) -> String {
    match kind {
        Kind::Hidden => "hidden files".into(),
        Kind::Other(extension) if extension.is_empty() => "files without an extension".into(),
        Kind::Other(extension) => format!("`.{extension}` files"),
        Kind::Image if split.is_some() => "images outside a class folder".into(),
        Kind::Image => "images outside the splits".into(),
    }
}
