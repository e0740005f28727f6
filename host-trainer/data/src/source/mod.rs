//! The text after `--data`, and how it becomes a data set.
//!
//! | text | means |
//! |---|---|
//! | `mnist:DIR` | the four IDX files of MNIST (or a set of its form), 28 x 28, 10 classes |
//! | `idx:DIR` | IDX files of any size and number of classes |
//! | `cluttered:DIR` | the same digits among pieces of others, behind occluders, in noise |
//! | `folder:PATH` | image folder, or archive of one: `train/<class>/*.jpg`, `val/<class>/*.jpg`, `test/<class>/*.jpg` |
//! | `rendered` | digits that the program renders itself |
//!
//! Options follow, each after a comma: `folder:photos.tar,size=128,channels=3` or
//! `rendered:size=32,noise=30`.

mod folder_source;
mod help;
mod options;
mod path;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::cluttered::ClutteredOptions;
use super::dataset::{Dataset, MemoryDataset, SharedDataset, Split};
use super::error::{DataError, Result};
use super::idx;
use super::rendered::RenderedOptions;
use super::subset::Subset;
use convrnn_models::Decoding;
use folder_source::FolderSource;
pub use help::DATA_HELP;
use options::{Options, nearest};

/// Decoded sets up to this size are held in memory unless `decode=lazy` says otherwise.
const LARGEST_DECODED: usize = 2 << 30;

/// Where a data set comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    kind: Kind,
    train_limit: Option<usize>,
    validation_limit: Option<usize>,
    test_limit: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Mnist(PathBuf),
    Idx(PathBuf),
    Cluttered(PathBuf, ClutteredOptions),
    Folder(FolderSource),
    Rendered(RenderedOptions),
}

const KINDS: [&str; 5] = ["mnist", "idx", "cluttered", "folder", "rendered"];

impl Source {
    /// Reads the text after `--data`; its forms are described at the top of this module.
    ///
    /// # Errors
    /// [`DataError::Source`] that quotes the text, says what is wrong and names the nearest known
    /// word; [`DataError::Invalid`] for options out of range.
    pub fn parse(text: &str) -> Result<Source> {
        let wrong = |reason: String| DataError::Source { text: text.to_string(), reason };
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let (path, given) = match name {
            "rendered" => path::options_only(rest).map_err(wrong)?,
            _ => path::cut(rest).map_err(wrong)?,
        };
        let mut options = Options::new(text, given);
        let need_path = || {
            if path.is_empty() {
                return Err(wrong(format!("a path is missing; write `{name}:PATH`")));
            }
            path::expand(path).map_err(wrong)
        };
        let kind = match name {
            "mnist" => Kind::Mnist(need_path()?),
            "idx" => Kind::Idx(need_path()?),
            "cluttered" => {
                let mut cluttered = ClutteredOptions::default();
                cluttered.seed = options.number("seed", cluttered.seed)?;
                cluttered.clutter = options.number("clutter", cluttered.clutter)?;
                cluttered.occluders = options.number("occluders", cluttered.occluders)?;
                cluttered.noise = options.number("noise", cluttered.noise)?;
                cluttered.shift = options.number("shift", cluttered.shift)?;
                cluttered.check()?;
                Kind::Cluttered(need_path()?, cluttered)
            }
            "folder" => Kind::Folder(FolderSource::parse(need_path()?, &mut options)?),
            "rendered" => Kind::Rendered(rendered_options(&mut options)?),
            _ => {
                let near = nearest(name, &KINDS).map_or(".".into(), |near| format!(", did you mean `{near}`?"));
                return Err(wrong(format!("unknown kind `{name}`{near} Known forms:\n{DATA_HELP}")));
            }
        };
        let source = Source {
            kind,
            train_limit: options.optional("train-limit")?,
            validation_limit: options.optional("validation-limit")?,
            test_limit: options.optional("test-limit")?,
        };
        options.finish()?;
        Ok(source)
    }

    /// Whether the other source is this one with its files in another place. When images are decoded makes no difference.
    pub fn differs_in_place_only(&self, other: &Source) -> bool {
        let mut moved = other.clone();
        match (&mut moved.kind, &self.kind) {
            (Kind::Mnist(path), Kind::Mnist(own))
            | (Kind::Idx(path), Kind::Idx(own))
            | (Kind::Cluttered(path, _), Kind::Cluttered(own, _)) => path.clone_from(own),
            (Kind::Folder(folder), Kind::Folder(own)) => *folder = folder.moved_to(own),
            _ => {}
        }
        moved == *self
    }

    /// This source with the limits of another one.
    pub fn with_limits_of(&self, other: &Source) -> Source {
        Source { kind: self.kind.clone(), ..other.clone() }
    }

    /// Whether the data set has such a split. Files are listed, not decoded.
    ///
    /// # Errors
    /// Those of the listing: a folder or archive that is missing or damaged.
    pub fn has(&self, split: Split) -> Result<bool> {
        match &self.kind {
            Kind::Mnist(folder) | Kind::Idx(folder) | Kind::Cluttered(folder, _) => Ok(idx::has(folder, split)),
            Kind::Folder(folder) => folder.has(split),
            Kind::Rendered(options) => Ok(split != Split::Validation || options.validation > 0),
        }
    }

    /// Whether the images lie in files as they are; otherwise the program draws them.
    pub fn is_in_files(&self) -> bool {
        matches!(self.kind, Kind::Mnist(_) | Kind::Idx(_) | Kind::Folder(_))
    }

    /// Loads one split. Image folders are decoded whole and held in memory where they fit
    /// (2 GiB), unless `decode=lazy` asks for decoding when read.
    ///
    /// # Errors
    /// Those of the loader: missing or damaged archives, a missing split; [`DataError::DamagedImages`] with the damaged
    /// images of all splits, unless `skip-damaged=yes`.
    pub fn load(&self, split: Split) -> Result<SharedDataset> {
        let (limit, whole): (_, SharedDataset) = match split {
            Split::Train => (self.train_limit, self.load_whole(split)?),
            Split::Validation => (self.validation_limit, self.load_whole(split)?),
            Split::Test => (self.test_limit, self.load_whole(split)?),
        };
        let chosen: SharedDataset = match limit {
            Some(limit) => Arc::new(Subset::sample(whole, limit, 0)?),
            None => whole,
        };
        // Drawn around the digits that were chosen: drawing all of them takes a while.
        if let Kind::Cluttered(_, options) = &self.kind {
            return Ok(Arc::new(options.draw(&MemoryDataset::read_all(&*chosen)?, split)?));
        }
        if let Kind::Folder(folder) = &self.kind
            && !folder.lazy
            && chosen.len() * chosen.shape().bytes() <= LARGEST_DECODED
        {
            let read = MemoryDataset::read_all(&*chosen);
            return Ok(Arc::new(read.map_err(|error| folder.with_other_splits(split, error))?));
        }
        Ok(chosen)
    }

    /// Loads one split, or, of an image folder without folders for its splits, every image without classes. Says
    /// whether the images are labelled.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn load_images(&self, split: Split) -> Result<(SharedDataset, bool)> {
        if let Kind::Folder(folder) = &self.kind
            && let Some(images) = folder.open_unlabelled()?
        {
            return Ok((images, false));
        }
        Ok((self.load(split)?, true))
    }

    fn load_whole(&self, split: Split) -> Result<SharedDataset> {
        Ok(match &self.kind {
            Kind::Mnist(folder) => {
                let set = idx::load(folder, split)?;
                let shape = set.shape();
                if (shape.channels, shape.height, shape.width) != (1, 28, 28) || set.class_names().len() != 10 {
                    return Err(DataError::Format {
                        path: folder.clone(),
                        what: "images",
                        expected: "28 x 28 gray, 10 classes".into(),
                        found: format!(
                            "{} x {}, {} channels, {} classes",
                            shape.height,
                            shape.width,
                            shape.channels,
                            set.class_names().len()
                        ),
                        hint: "for other IDX files write `idx:DIR`",
                    });
                }
                Arc::new(set)
            }
            Kind::Idx(folder) | Kind::Cluttered(folder, _) => Arc::new(idx::load(folder, split)?),
            Kind::Folder(folder) => Arc::new(folder.open(split)?),
            Kind::Rendered(options) if split == Split::Validation && options.validation == 0 => {
                return Err(DataError::Split {
                    path: PathBuf::from("rendered"),
                    wanted: split.name(),
                    expected: "option `validation=N`".into(),
                    found: "no such option".into(),
                    hint: "write `rendered:validation=2000`, or choose another split; training holds out training images instead",
                });
            }
            Kind::Rendered(options) => Arc::new(options.render(split)?),
        })
    }
}

/// The text with what a checkpoint records of the decoding of image files, where the text does not say it and it is not
/// what is done anyway: for runs from before there was a choice.
pub fn with_decoding(text: &str, recorded: &Decoding) -> String {
    match Source::parse(text) {
        Ok(Source { kind: Kind::Folder(folder), .. }) => text.to_string() + &folder.missing_options(recorded),
        // What is wrong with it is told when it is loaded.
        _ => text.to_string(),
    }
}

fn rendered_options(options: &mut Options<'_>) -> Result<RenderedOptions> {
    let mut rendered = RenderedOptions::default();
    rendered.classes = options.number("classes", rendered.classes)?;
    rendered.size = options.number("size", rendered.size)?;
    rendered.train = options.number("train", rendered.train)?;
    rendered.validation = options.number("validation", rendered.validation)?;
    rendered.test = options.number("test", rendered.test)?;
    rendered.seed = options.number("seed", rendered.seed)?;
    rendered.clutter = options.number("clutter", rendered.clutter)?;
    rendered.occluders = options.number("occluders", rendered.occluders)?;
    rendered.noise = options.number("noise", rendered.noise)?;
    rendered.shift = options.number("shift", rendered.shift)?;
    rendered.rotation = options.number("rotation", rendered.rotation)?;
    rendered.warp = options.number("warp", rendered.warp)?;
    rendered.check()?;
    Ok(rendered)
}

impl FromStr for Source {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self> {
        Source::parse(text)
    }
}

#[cfg(test)]
mod tests;
