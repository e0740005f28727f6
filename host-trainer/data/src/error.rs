//! What can go wrong between a data set's bytes and a batch.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::words::counted;

/// An error of the data pipeline. Every message says what failed, where, what was expected and
/// found, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The text after `--data` could not be understood.
    #[error("data source `{text}`: {reason}")]
    Source {
        /// The text as given.
        text: String,
        /// What is wrong with it and which forms are known.
        reason: String,
    },
    /// A file or folder that the source needs is not there.
    #[error("{path}: no such {what}; {hint}", path = path.display())]
    Missing {
        /// What was looked for ("file", "data folder or archive", ...).
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What to do.
        hint: String,
    },
    /// The operating system refused to read or write a file.
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io {
        /// What was tried ("open", "read", "write", ...).
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file's bytes are not what its format says.
    #[error("{path}: {what}: expected {expected}, found {found}; {hint}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The field or property that is wrong.
        what: &'static str,
        /// What it should have been.
        expected: String,
        /// What it was.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// One image file could not be decoded.
    #[error("{file}: image cannot be decoded: {reason}; replace or delete this file", file = file.describe())]
    CorruptImage {
        /// The image file.
        file: ImageFile,
        /// The decoder's reason.
        reason: String,
    },
    /// Image files of a data set that cannot be decoded, all of them.
    #[error(
        "{} of {images} image files cannot be decoded; replace or delete them, or go on without them: {SKIP_DAMAGED}{}",
        files.len(), list_of_damage(files)
    )]
    DamagedImages {
        /// The files and the decoder's reasons, in the order of the data set.
        files: Vec<(ImageFile, String)>,
        /// Image files in all.
        images: usize,
    },
    /// One image has another size than the data set.
    #[error(
        "{file}: expected an image of {expected} (height x width), found {found}; \
         add `,size=N` to the data source to scale and crop all images to N x N", file = file.describe()
    )]
    ImageSize {
        /// The image file.
        file: ImageFile,
        /// Height and width of the data set, as text.
        expected: String,
        /// Height and width of this image, as text.
        found: String,
    },
    /// The data set has no such split.
    #[error("{path}: no `{wanted}` split: expected {expected}, found {found}; {hint}", path = path.display())]
    Split {
        /// The folder or archive.
        path: PathBuf,
        /// The split asked for.
        wanted: &'static str,
        /// Folder names or files that would have held it.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// A split has classes that the training split lacks.
    #[error(
        "{path}: the {split} split cannot be used: expected only classes of the training split ({}), found {} more: {}; the \
         network has no output for what it cannot learn: give the training split images of {}, or take {} out of the \
         {split} split",
        counted(*known, "classes"), classes.len(), list_of_names(classes), pronoun(classes), pronoun(classes),
        path = path.display()
    )]
    ExtraClasses {
        /// The folder or archive.
        path: PathBuf,
        /// The split.
        split: &'static str,
        /// What training lacks.
        classes: Vec<String>,
        /// Classes of the training split.
        known: usize,
    },
    /// A split lies in two folders or more.
    #[error(
        "{path}: the {split} split: expected one folder, found {}; merge them into one, or rename those that are not meant",
        list_of_folders(folders), path = path.display()
    )]
    TwoFolders {
        /// The folder or archive.
        path: PathBuf,
        /// The split.
        split: &'static str,
        /// Names of the folders with their numbers of images.
        folders: Vec<(String, usize)>,
    },
    /// A number given to the pipeline lies outside what can be done.
    #[error("{what}: expected {expected}, found {found}")]
    Invalid {
        /// The setting.
        what: &'static str,
        /// The range or condition.
        expected: String,
        /// The value given.
        found: String,
    },
    /// The thread that prepares batches ended without finishing the epoch.
    #[error("the thread that prepares batches stopped at batch {batch}: {reason}; this is a bug, please report it")]
    WorkerStopped {
        /// The batch that would have come next, counted from the start of the epoch.
        batch: usize,
        /// What it said when it ended.
        reason: String,
    },
}

/// How to go on without damaged files, in every command that reads images.
pub const SKIP_DAMAGED: &str = "write `,skip-damaged=yes` behind the data source";

/// Where an image file lies: on disk, or inside an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageFile {
    /// The file, or the archive that holds it.
    pub path: PathBuf,
    /// The path inside the archive, where there is one.
    pub entry: Option<String>,
}

impl ImageFile {
    /// The path, with the place inside the archive in words.
    pub fn describe(&self) -> String {
        match &self.entry {
            Some(entry) => format!("{}: entry `{entry}`", self.path.display()),
            None => self.path.display().to_string(),
        }
    }
}

/// Damaged files, or classes, that a message names.
const NAMED: usize = 20;

fn list_of_names(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    if names.len() > NAMED {
        list.push(format!("{} others", names.len() - NAMED));
    }
    list.join(", ")
}

fn pronoun(names: &[String]) -> &'static str {
    if names.len() == 1 { "it" } else { "them" }
}

fn list_of_folders(folders: &[(String, usize)]) -> String {
    let one = |(name, images): &(String, usize)| format!("`{name}` with {}", counted(*images, "images"));
    folders.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn list_of_damage(files: &[(ImageFile, String)]) -> String {
    let mut list = String::new();
    for (file, reason) in files.iter().take(NAMED) {
        list += &format!("\n  {}: {reason}", file.describe());
    }
    if files.len() > NAMED {
        list += &format!("\n  and {} more", files.len() - NAMED);
    }
    list
}

impl DataError {
    /// Damaged files, of so many in all.
    pub fn damaged(files: Vec<(ImageFile, String)>, images: usize) -> Self {
        DataError::DamagedImages { files, images }
    }

    /// Wraps an operating system error with what was tried and where.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        DataError::Io { action, path: path.to_path_buf(), source }
    }
}

/// Result of the data pipeline.
pub type Result<T, E = DataError> = std::result::Result<T, E>;
