//! Image folders: `train/<class>/*.jpg`, `val/<class>/*.jpg`, `test/<class>/*.jpg`, on disk or in an archive.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::dataset::{Dataset, ImageShape, Picture, Split};
use super::decode::{centre, crop_into, decode, scale_short_side};
use super::error::{DataError, Result};
use super::files::{StoredFile, list};

/// How the images of a folder become one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderOptions {
    /// 3 (RGB, the default) or 1 (luminance).
    pub channels: usize,
    /// Side of the square that images are cropped to; none: all images must already be equal.
    pub size: Option<usize>,
    /// Pixels of the shorter side before the crop; none: `size`.
    pub short: Option<usize>,
}

impl Default for FolderOptions {
    fn default() -> Self {
        FolderOptions { channels: 3, size: None, short: None }
    }
}

/// One split of an image folder; images are decoded when they are read.
#[derive(Debug, Clone)]
pub struct FolderDataset {
    options: FolderOptions,
    shape: ImageShape,
    class_names: Vec<String>,
    files: Vec<StoredFile>,
    labels: Vec<u32>,
}

/// Names of the folders of a split.
fn folder_names(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &["train", "training"],
        Split::Validation => &["val", "valid", "validation"],
        Split::Test => &["test", "testing"],
    }
}

/// The split that a folder of this name holds.
fn split_of(folder: &str) -> Option<Split> {
    Split::ALL.into_iter().find(|&split| folder_names(split).contains(&folder))
}

/// Which splits a folder or archive has images of. Nothing is decoded.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Io`], [`DataError::Format`] as in the listing.
pub fn splits(path: &Path) -> Result<BTreeSet<Split>> {
    let seen = RefCell::new(BTreeSet::new());
    list(path, &|name| {
        if is_image(name) {
            seen.borrow_mut().extend(split_and_class(name).and_then(|(folder, _)| split_of(folder)));
        }
        false
    })?;
    Ok(seen.into_inner())
}

/// Takes `any/train/class/more/file.jpg` apart: the split's folder and the class.
fn split_and_class(name: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = name.split('/').collect();
    let at = parts.iter().position(|part| split_of(part).is_some())?;
    (at + 2 < parts.len()).then(|| (parts[at], parts[at + 1]))
}

/// Whether a file name is that of an image we read; hidden files (`._1.jpg`) are not.
fn is_image(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let extension = file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    !file.starts_with('.') && matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png"))
}

impl FolderDataset {
    /// Lists one split of a folder or archive and decodes its first image to learn the shape.
    ///
    /// Classes are the folders' names in byte order: those of the training split where there is
    /// one, so that labels of all splits agree.
    ///
    /// # Errors
    /// [`DataError::Missing`], [`DataError::Io`], [`DataError::Format`] as in the listing;
    /// [`DataError::Split`] where the split has no images or holds a class that training lacks;
    /// [`DataError::CorruptImage`] for the first image; [`DataError::Invalid`] for the options.
    pub fn open(path: &Path, split: Split, options: FolderOptions) -> Result<Self> {
        check(options)?;
        let seen = RefCell::new((BTreeMap::<String, usize>::new(), BTreeSet::<String>::new()));
        let files = list(path, &|name| {
            let mut seen = seen.borrow_mut();
            if !is_image(name) {
                return false;
            }
            let Some((folder, class)) = split_and_class(name) else {
                *seen.0.entry(name.split('/').next().unwrap_or(name).to_string()).or_default() += 1;
                return false;
            };
            *seen.0.entry(folder.to_string()).or_default() += 1;
            if folder_names(Split::Train).contains(&folder) {
                seen.1.insert(class.to_string());
            }
            folder_names(split).contains(&folder)
        })?;
        let (folders, training_classes) = seen.into_inner();
        if files.is_empty() {
            return Err(no_split(path, split, &folders));
        }
        let classes = if training_classes.is_empty() {
            files.iter().filter_map(|file| split_and_class(&file.name)).map(|(_, class)| class.to_string()).collect()
        } else {
            training_classes
        };
        let class_names: Vec<String> = classes.into_iter().collect();
        let numbers: BTreeMap<&str, u32> =
            class_names.iter().enumerate().map(|(number, name)| (name.as_str(), number as u32)).collect();
        let labels = files
            .iter()
            .map(|file| {
                let class = split_and_class(&file.name).map_or("", |(_, class)| class);
                numbers.get(class).copied().ok_or_else(|| DataError::Split {
                    path: path.to_path_buf(),
                    wanted: split.name(),
                    expected: format!("only classes of the training split ({} of them)", numbers.len()),
                    found: format!("class `{class}`"),
                    hint: "give all splits the same class folders",
                })
            })
            .collect::<Result<Vec<u32>>>()?;
        let first = decode(&files[0].read()?, options.channels, &files[0].file)?.shape;
        let shape = match options.size {
            Some(size) => ImageShape { channels: options.channels, height: size, width: size },
            None => first,
        };
        Ok(FolderDataset { options, shape, class_names, files, labels })
    }

    /// Lists every image of a folder or archive, whatever folders they lie in, without classes.
    ///
    /// # Errors
    /// As [`FolderDataset::open`].
    pub fn open_unlabelled(path: &Path, options: FolderOptions) -> Result<Self> {
        check(options)?;
        let files = list(path, &is_image)?;
        let Some(first) = files.first() else {
            return Err(DataError::Split {
                path: path.to_path_buf(),
                wanted: "images",
                expected: "JPEG or PNG files".into(),
                found: "none".into(),
                hint: "give another folder",
            });
        };
        let shape = match options.size {
            Some(size) => ImageShape { channels: options.channels, height: size, width: size },
            None => decode(&first.read()?, options.channels, &first.file)?.shape,
        };
        let labels = vec![0; files.len()];
        Ok(FolderDataset { options, shape, class_names: vec!["not labelled".into()], files, labels })
    }

    /// Where image `index` lies.
    pub fn file(&self, index: usize) -> &StoredFile {
        &self.files[index]
    }

    fn decoded(&self, index: usize) -> Result<Picture> {
        let file = &self.files[index];
        decode(&file.read()?, self.options.channels, &file.file)
    }
}

fn check(options: FolderOptions) -> Result<()> {
    if !matches!(options.channels, 1 | 3) {
        return Err(DataError::Invalid {
            what: "option `channels` of an image folder",
            expected: "1 (luminance) or 3 (RGB)".into(),
            found: options.channels.to_string(),
        });
    }
    for (what, value) in
        [("option `size` of an image folder", options.size), ("option `short` of an image folder", options.short)]
    {
        if let Some(value) = value.filter(|value| !(1..=4096).contains(value)) {
            return Err(DataError::Invalid { what, expected: "1 to 4096 pixels".into(), found: value.to_string() });
        }
    }
    if let Some(short) = options.short {
        let size = options.size.unwrap_or(usize::MAX);
        if short < size {
            return Err(DataError::Invalid {
                what: "option `short` of an image folder",
                expected: "a `size` beside it that is not larger, so that the crop fits".into(),
                found: format!("short={short}, size={}", options.size.map_or("none".into(), |size| size.to_string())),
            });
        }
    }
    Ok(())
}

fn no_split(path: &Path, split: Split, folders: &BTreeMap<String, usize>) -> DataError {
    let found: Vec<String> =
        folders.iter().take(8).map(|(folder, count)| format!("`{folder}` with {count} images")).collect();
    DataError::Split {
        path: path.to_path_buf(),
        wanted: split.name(),
        expected: format!("JPEG or PNG files in `{}/<class>/`", folder_names(split).join("|")),
        found: if found.is_empty() { "no images".into() } else { found.join(", ") },
        hint: "name the folders so, or give another data source",
    }
}

impl Dataset for FolderDataset {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn shape(&self) -> ImageShape {
        self.shape
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index] as usize
    }

    fn name(&self, index: usize) -> String {
        self.files[index].name.clone()
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()> {
        let mut picture = self.decoded(index)?;
        if let Some(size) = self.options.size {
            picture = scale_short_side(picture, self.options.short.unwrap_or(size));
        }
        let ImageShape { height, width, .. } = picture.shape;
        if self.options.size.is_none() && picture.shape != self.shape {
            return Err(DataError::ImageSize {
                file: self.files[index].file.clone(),
                expected: format!("{} x {}, as `{}`", self.shape.height, self.shape.width, self.files[0].name),
                found: format!("{height} x {width}"),
            });
        }
        let (top, left) = (centre(height, self.shape.height), centre(width, self.shape.width));
        crop_into(&picture, top, left, self.shape, &[0; 3][..self.shape.channels], pixels);
        Ok(())
    }

    fn original(&self, index: usize) -> Result<Picture> {
        self.decoded(index)
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
