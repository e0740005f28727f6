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

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::cluttered::ClutteredOptions;
use super::dataset::{Dataset, MemoryDataset, SharedDataset, Split};
use super::error::{DataError, Result};
use super::folder::{self, FolderDataset, FolderOptions};
use super::idx;
use super::rendered::RenderedOptions;
use super::subset::Subset;

/// Decoded sets up to this size are held in memory unless `decode=lazy` says otherwise.
const LARGEST_DECODED: usize = 2 << 30;

/// Help for `--data`, one line a form.
pub const DATA_HELP: &str = "\
mnist:DIR        IDX files of MNIST's form (28x28, 10 classes), gzipped or not
idx:DIR          IDX files of any size
cluttered:DIR    digits of such files among pieces of others, behind occluders, in noise
                 options: seed, clutter, occluders, noise, shift
folder:PATH      image folder or .tar, .tar.zst, .tar.gz: train/<class>/*.jpg|png, val/<class>/...,
                 test/<class>/...; also called training; valid, validation; testing
                 options: size=N (crop), short=N (shorter side before the crop), channels=1|3, decode=now|lazy
rendered         digits in clutter, rendered by the program
                 options: classes, size, train, validation, test, seed, clutter, occluders, noise, shift,
                 rotation, warp
every form       train-limit=N, validation-limit=N, test-limit=N: that many images of a split, drawn evenly
                 at random, before anything else (--limit, --hold-out) is drawn from it
options follow after commas: folder:photos.tar,size=128   rendered:size=32,noise=30";

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
    Folder { path: PathBuf, options: FolderOptions, lazy: bool },
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
        let mut parts: Vec<&str> = rest.split(',').collect();
        let mut options = Options { text, known: Vec::new(), given: Vec::new() };
        // Options are taken from the end, so that a path may hold commas.
        let takes_path = name != "rendered";
        while let Some(last) = parts.last() {
            match last.split_once('=') {
                Some((key, value)) if is_key(key) && (parts.len() > 1 || !takes_path) => {
                    options.given.insert(0, (key, value));
                    parts.pop();
                }
                _ => break,
            }
        }
        let path = parts.join(",");
        let need_path = || {
            if path.is_empty() {
                return Err(wrong(format!("a path is missing; write `{name}:PATH`")));
            }
            Ok(PathBuf::from(&path))
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
            "folder" => {
                let mut folder = FolderOptions::default();
                folder.channels = options.number("channels", folder.channels)?;
                folder.size = options.optional("size")?;
                folder.short = options.optional("short")?;
                let lazy = match options.take("decode") {
                    None | Some("now") => false,
                    Some("lazy") => true,
                    Some(other) => {
                        return Err(wrong(format!("decode=`{other}`: expected `now` or `lazy`")));
                    }
                };
                Kind::Folder { path: need_path()?, options: folder, lazy }
            }
            "rendered" => {
                if !path.is_empty() {
                    return Err(wrong(format!("`{path}` is no option; write `rendered:size=28,noise=20`")));
                }
                Kind::Rendered(rendered_options(&mut options)?)
            }
            _ => {
                let near = nearest(name, &KINDS).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
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
            (Kind::Folder { path, lazy, .. }, Kind::Folder { path: own, lazy: is_lazy, .. }) => {
                path.clone_from(own);
                *lazy = *is_lazy;
            }
            _ => {}
        }
        moved == *self
    }

    /// Whether the data set has such a split. Files are listed, not decoded.
    ///
    /// # Errors
    /// Those of the listing: a folder or archive that is missing or damaged.
    pub fn has(&self, split: Split) -> Result<bool> {
        match &self.kind {
            Kind::Mnist(folder) | Kind::Idx(folder) | Kind::Cluttered(folder, _) => Ok(idx::has(folder, split)),
            Kind::Folder { path, .. } => Ok(folder::splits(path)?.contains(&split)),
            Kind::Rendered(options) => Ok(split != Split::Validation || options.validation > 0),
        }
    }

    /// Loads one split. Image folders are decoded whole and held in memory where they fit
    /// (2 GiB), unless `decode=lazy` asks for decoding when read.
    ///
    /// # Errors
    /// Those of the loader: missing or damaged files, a missing split, corrupt images.
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
        if let Kind::Folder { lazy: false, .. } = self.kind
            && chosen.len() * chosen.shape().bytes() <= LARGEST_DECODED
        {
            return Ok(Arc::new(MemoryDataset::read_all(&*chosen)?));
        }
        Ok(chosen)
    }

    /// Loads one split, or, of an image folder without folders for its splits, every image without classes. Says
    /// whether the images are labelled.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn load_images(&self, split: Split) -> Result<(SharedDataset, bool)> {
        match (self.load(split), &self.kind) {
            (Err(DataError::Split { .. }), Kind::Folder { path, options, .. })
                if Split::ALL.iter().all(|&split| FolderDataset::open(path, split, *options).is_err()) =>
            {
                Ok((Arc::new(FolderDataset::open_unlabelled(path, *options)?), false))
            }
            (loaded, _) => Ok((loaded?, true)),
        }
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
            Kind::Folder { path, options, .. } => Arc::new(FolderDataset::open(path, split, *options)?),
            Kind::Rendered(options) if split == Split::Validation && options.validation == 0 => {
                return Err(DataError::Split {
                    path: PathBuf::from("rendered"),
                    wanted: split.name(),
                    expected: "option `validation=N`".into(),
                    found: "no such option".into(),
                    hint: "write `rendered:validation=2000`, or hold out training images (--hold-out 10%)",
                });
            }
            Kind::Rendered(options) => Arc::new(options.render(split)?),
        })
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
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

fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.is_empty() {
        return None;
    }
    let near = known.iter().map(|&candidate| (strsim::damerau_levenshtein(word, candidate), candidate)).min()?;
    (near.0 <= 3).then_some(near.1)
}

/// Options given as `key=value`, taken one by one; what is left at the end is unknown.
struct Options<'a> {
    text: &'a str,
    known: Vec<&'static str>,
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Options<'a> {
    fn take(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.push(key);
        let at = self.given.iter().position(|(given, _)| *given == key)?;
        Some(self.given.remove(at).1)
    }

    fn optional<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Result<Option<T>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        value.parse().map(Some).map_err(|error| DataError::Source {
            text: self.text.to_string(),
            reason: format!("option `{key}`: expected a whole number, found `{value}` ({error})"),
        })
    }

    fn number<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str, default: T) -> Result<T> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    fn finish(self) -> Result<()> {
        let Some((key, _)) = self.given.first() else {
            return Ok(());
        };
        let reason = if self.known.contains(key) {
            format!("option `{key}` is given twice")
        } else {
            let near = nearest(key, &self.known).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            format!("unknown option `{key}`{near} Known here: {}", self.known.join(", "))
        };
        Err(DataError::Source { text: self.text.to_string(), reason })
    }
}

impl FromStr for Source {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self> {
        Source::parse(text)
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
