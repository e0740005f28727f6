//! Image folders: `train/<class>/*.jpg`, `val/<class>/*.jpg`, `test/<class>/*.jpg`, on disk or in an archive.

mod classes;
mod layout;
mod options;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::dataset::{Contents, Dataset, ImageShape, Picture, Split};
use super::decode::decode;
use super::error::{DataError, Result};
use super::files::{Listing, SharedListing};
use super::fingerprint::ImageRecord;
use super::geometry::{centre, crop_into, scale_short_side};
use super::kinds::{self, Kind};
use super::survey::Survey;
use classes::Classified;
use layout::{Layout, LeftOutCounts, reason};
pub use options::{FolderOptions, WHITE};

/// One split of an image folder; images are decoded when they are read.
#[derive(Debug)]
pub struct FolderDataset {
    options: FolderOptions,
    contents: Contents,
    listing: SharedListing,
    /// Bytes of a name before the data set begins.
    root_length: usize,
    /// Places in the list.
    files: Vec<u32>,
    /// What is known of each image once all have been looked at.
    survey: OnceLock<Vec<ImageRecord>>,
    /// What this is, for what is kept between starts.
    aspect: String,
}

/// Which splits a list has images of. Nothing is decoded.
pub fn splits(listing: &Listing) -> BTreeSet<Split> {
    Layout::of(listing).splits()
}

impl FolderDataset {
    /// Lists one split of a folder or archive and decodes an image to learn the shape where no size is given.
    ///
    /// # Errors
    /// [`DataError::Missing`], [`DataError::Io`], [`DataError::Format`] as in the listing; others as
    /// [`FolderDataset::of_listing`].
    pub fn open(path: &Path, split: Split, options: FolderOptions) -> Result<Self> {
        Self::of_listing(&Arc::new(Listing::open(path)?), split, options)
    }

    /// One split of what has been listed.
    ///
    /// Classes are the folders' names in byte order, empty ones too: those of the training split where there is
    /// one, so that labels of all splits agree.
    ///
    /// # Errors
    /// [`DataError::TwoFolders`] where a split has two folders; [`DataError::Split`] where the split has no images,
    /// [`DataError::ExtraClasses`] where it holds classes that training lacks; [`DataError::DamagedImages`] where no image can be decoded; [`DataError::Invalid`] for the options.
    pub fn of_listing(listing: &SharedListing, split: Split, options: FolderOptions) -> Result<Self> {
        options.check()?;
        let layout = Layout::of(listing);
        layout.check_folders()?;
        let Classified { files, labels, class_names, left_out } = Classified::of(listing, &layout, split)?;
        let set = FolderDataset {
            options,
            contents: Contents { left_out, ..unshaped(&options, class_names, labels) },
            root_length: layout.root_length(),
            listing: Arc::clone(listing),
            files,
            survey: OnceLock::new(),
            aspect: format!("{} {options:?}", split.name()),
        };
        set.with_shape()
    }

    /// Lists every image of a folder or archive, whatever folders they lie in, without classes.
    ///
    /// # Errors
    /// As [`FolderDataset::of_listing`].
    pub fn unlabelled(listing: &SharedListing, options: FolderOptions) -> Result<Self> {
        options.check()?;
        let (mut files, mut left_out) = (Vec::new(), LeftOutCounts::new());
        for index in 0..listing.len() {
            match kinds::of(listing.name(index)) {
                Kind::Image => files.push(index as u32),
                other => *left_out.entry(reason(&other, None)).or_default() += 1,
            }
        }
        for left in listing.left_out() {
            *left_out.entry(left.reason.clone()).or_default() += 1;
        }
        if files.is_empty() {
            return Err(DataError::Split {
                path: listing.path().to_path_buf(),
                wanted: "images",
                expected: format!("files of {}", kinds::IMAGE_EXTENSIONS.join(", ")),
                found: "none".into(),
                hint: "give another folder",
            });
        }
        let set = FolderDataset {
            options,
            contents: Contents { left_out, ..unshaped(&options, vec!["not labelled".into()], vec![0; files.len()]) },
            listing: Arc::clone(listing),
            root_length: 0,
            files,
            survey: OnceLock::new(),
            aspect: format!("unlabelled {options:?}"),
        };
        set.with_shape()
    }

    /// The shape asked for, or that of the first image that can be decoded.
    fn with_shape(mut self) -> Result<Self> {
        if let Some(size) = self.options.size {
            self.contents.shape = ImageShape { channels: self.options.channels, height: size, width: size };
            return Ok(self);
        }
        let mut damaged = Vec::new();
        for index in 0..self.len() {
            match self.decoded(index) {
                Ok(picture) => {
                    self.contents.shape = picture.shape;
                    return Ok(self);
                }
                Err(DataError::CorruptImage { file, reason }) => damaged.push((file, reason)),
                Err(other) => return Err(other),
            }
        }
        Err(DataError::damaged(damaged, self.len()))
    }

    /// Looks at every image. What was found out about an archive is kept for the next start.
    ///
    /// # Errors
    /// Those of reading that are not damage: [`DataError::Io`], [`DataError::ImageSize`].
    pub fn survey(&self) -> Result<Survey> {
        let aspect = format!("{} {} images", self.aspect, self.len());
        Survey::of(self, self.listing.archive_state(), &aspect)
    }

    /// Goes on without images that cannot be decoded, and counts them.
    ///
    /// # Errors
    /// As [`FolderDataset::survey`]; [`DataError::DamagedImages`] where nothing would be left.
    pub fn without_damaged(mut self) -> Result<Self> {
        let Survey { records, damaged } = self.survey()?;
        if damaged.len() == self.len() {
            return Err(self.damage(damaged));
        }
        let lost: BTreeSet<usize> = damaged.iter().map(|(index, _)| *index).collect();
        let kept: Vec<usize> = (0..self.len()).filter(|index| !lost.contains(index)).collect();
        self.files = kept.iter().map(|&index| self.files[index]).collect();
        self.contents.labels = kept.iter().map(|&index| self.contents.labels[index]).collect();
        self.survey = OnceLock::from(kept.iter().map(|&index| records[index]).collect::<Vec<_>>());
        if !lost.is_empty() {
            self.contents.left_out.insert("damaged images".into(), lost.len());
        }
        Ok(self)
    }

    fn damage(&self, damaged: Vec<(usize, String)>) -> DataError {
        let files = damaged.into_iter().map(|(index, reason)| (self.listing.file(self.files[index] as usize), reason));
        DataError::damaged(files.collect(), self.len())
    }

    fn decoded(&self, index: usize) -> Result<Picture> {
        let index = self.files[index] as usize;
        let (bytes, file) = (self.listing.read(index)?, self.listing.file(index));
        decode(&bytes, self.options.channels, &self.options.decoding, &file)
    }
}

/// Contents whose height and width are not known yet.
fn unshaped(options: &FolderOptions, class_names: Vec<String>, labels: Vec<u32>) -> Contents {
    let shape = ImageShape { channels: options.channels, height: 0, width: 0 };
    Contents { decoding: options.decoding, ..Contents::new(shape, class_names, labels) }
}

impl Dataset for FolderDataset {
    fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The path below the place where the data set begins.
    fn name(&self, index: usize) -> String {
        self.listing.name(self.files[index] as usize)[self.root_length..].to_string()
    }

    fn record(&self, index: usize) -> Result<ImageRecord> {
        match self.survey.get() {
            Some(records) => Ok(records[index]),
            None => Ok(ImageRecord::of(&self.image(index)?.pixels, self.shape().channels)),
        }
    }

    fn look_at_all(&self) -> Result<()> {
        if self.survey.get().is_none() {
            let Survey { records, damaged } = self.survey()?;
            if !damaged.is_empty() {
                return Err(self.damage(damaged));
            }
            let _ = self.survey.set(records);
        }
        Ok(())
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()> {
        let (mut picture, shape) = (self.decoded(index)?, self.shape());
        if let Some(size) = self.options.size {
            picture = scale_short_side(picture, self.options.short.unwrap_or(size));
        }
        let ImageShape { height, width, .. } = picture.shape;
        if self.options.size.is_none() && picture.shape != shape {
            return Err(DataError::ImageSize {
                file: self.listing.file(self.files[index] as usize),
                expected: format!("{} x {}, as the first image", shape.height, shape.width),
                found: format!("{height} x {width}"),
            });
        }
        let (top, left) = (centre(height, shape.height), centre(width, shape.width));
        crop_into(&picture, top, left, shape, &[0; 3][..shape.channels], pixels);
        Ok(())
    }

    fn original(&self, index: usize) -> Result<Picture> {
        self.decoded(index)
    }
}

#[cfg(test)]
mod tests;
