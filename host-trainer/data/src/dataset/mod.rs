//! What the trainer sees of a data set: labelled u8 images of one shape.

mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;

use convrnn_models::Decoding;

use super::error::Result;
use super::fingerprint::ImageRecord;
pub use memory::MemoryDataset;

/// The three parts that a data set may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// Images to learn from (a folder called `train` or `training`).
    Train,
    /// Images that choose: the best epoch, the learning rate, the hyper-parameters (a folder called
    /// `val`, `valid` or `validation`).
    Validation,
    /// Images that nothing is chosen on, for the final figure (a folder called `test` or `testing`).
    Test,
}

impl Split {
    /// Every split, in the order of use.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The name used in messages: `train`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

/// Extents of an image, in pixels and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// Bytes of one image: channels x height x width.
    pub fn bytes(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// One image: u8 pixels, rows from the top, channels interleaved (`[height, width, channels]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The extents.
    pub shape: ImageShape,
    /// `shape.bytes()` values.
    pub pixels: Vec<u8>,
}

/// What a data set says of its images beside their pixels.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The shape of every image that [`Dataset::read`] gives.
    pub shape: ImageShape,
    /// Names of the classes, by label.
    pub class_names: Vec<String>,
    /// The class of each image, below the number of class names.
    pub labels: Vec<u32>,
    /// What was done with the alpha and the orientation of image files; nothing where there are none.
    pub decoding: Decoding,
    /// Files that are left out, by reason.
    pub left_out: BTreeMap<String, usize>,
}

impl Contents {
    /// Of images that come from no files, or from files that need no decoding.
    pub fn new(shape: ImageShape, class_names: Vec<String>, labels: Vec<u32>) -> Self {
        Contents { shape, class_names, labels, decoding: Decoding::default(), left_out: BTreeMap::new() }
    }
}

/// A labelled set of images, all of one shape. Reading is from any thread, in any order.
pub trait Dataset: Send + Sync {
    /// Shape, classes and labels; what follows up to [`Dataset::name`] is read from it.
    fn contents(&self) -> &Contents;

    /// Number of images.
    fn len(&self) -> usize {
        self.contents().labels.len()
    }

    /// Whether there is no image; loaders refuse to make such a set.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes, by label.
    fn class_names(&self) -> &[String] {
        &self.contents().class_names
    }

    /// The shape of every image that [`Dataset::read`] gives.
    fn shape(&self) -> ImageShape {
        self.contents().shape
    }

    /// The class of image `index`, below `class_names().len()`.
    ///
    /// # Panics
    /// If `index` is not below `len()`.
    fn label(&self, index: usize) -> usize {
        self.contents().labels[index] as usize
    }

    /// What was done with the alpha and the orientation of image files; nothing where there are none.
    fn decoding(&self) -> Decoding {
        self.contents().decoding
    }

    /// Files that are left out, by reason.
    fn left_out(&self) -> BTreeMap<String, usize> {
        self.contents().left_out.clone()
    }

    /// What image `index` is called: its file within the set, or its place where there are no files.
    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    /// Place of image `index` in the split that it comes from, before any part of it was chosen.
    ///
    /// # Panics
    /// If `index` is not below `len()`.
    fn place(&self, index: usize) -> usize {
        index
    }

    /// Writes image `index` into `pixels`, `[height, width, channels]`, `shape().bytes()` long.
    ///
    /// # Errors
    /// Where images are decoded when asked for: [`DataError::Io`], [`DataError::CorruptImage`].
    ///
    /// # Panics
    /// If `index` is not below `len()` or `pixels` has another length.
    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()>;

    /// Image `index` before it was scaled and cropped to `shape()`, where the set still has it;
    /// otherwise the same as [`Dataset::read`]. Sizes may differ from image to image.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    fn original(&self, index: usize) -> Result<Picture> {
        self.image(index)
    }

    /// What statistics and the report before training need of image `index`.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    fn record(&self, index: usize) -> Result<ImageRecord> {
        Ok(ImageRecord::of(&self.image(index)?.pixels, self.shape().channels))
    }

    /// Looks at every image once, where that finds damage and saves work later: where images are decoded when read.
    ///
    /// # Errors
    /// [`DataError::DamagedImages`] with all that cannot be decoded, and those of [`Dataset::read`].
    fn look_at_all(&self) -> Result<()> {
        Ok(())
    }

    /// Image `index` in a buffer of its own.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    fn image(&self, index: usize) -> Result<Picture> {
        let mut pixels = vec![0; self.shape().bytes()];
        self.read(index, &mut pixels)?;
        Ok(Picture { shape: self.shape(), pixels })
    }
}

/// A data set that others share.
pub type SharedDataset = Arc<dyn Dataset>;
