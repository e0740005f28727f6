//! What the trainer sees of a data set: labelled u8 images of one shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use convrnn_models::Decoding;
use rayon::prelude::*;

use super::error::{DataError, Result};
use super::fingerprint::ImageRecord;

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

/// A labelled set of images, all of one shape. Reading is from any thread, in any order.
pub trait Dataset: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there is no image; loaders refuse to make such a set.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes, by label.
    fn class_names(&self) -> &[String];

    /// The shape of every image that [`Dataset::read`] gives.
    fn shape(&self) -> ImageShape;

    /// The class of image `index`, below `class_names().len()`.
    ///
    /// # Panics
    /// If `index` is not below `len()`.
    fn label(&self, index: usize) -> usize;

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

    /// What was done with the alpha and the orientation of image files; nothing where there are none.
    fn decoding(&self) -> Decoding {
        Decoding::default()
    }

    /// Files that are left out, by reason.
    fn left_out(&self) -> BTreeMap<String, usize> {
        BTreeMap::new()
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

/// A data set held whole in memory, one byte a value.
#[derive(Debug, Clone)]
pub struct MemoryDataset {
    shape: ImageShape,
    class_names: Vec<String>,
    pixels: Vec<u8>,
    labels: Vec<u32>,
    /// Empty where images are called by their place.
    names: Vec<String>,
    /// Empty where images are at their own place.
    places: Vec<usize>,
    decoding: Decoding,
    left_out: BTreeMap<String, usize>,
}

impl MemoryDataset {
    /// Takes pixels `[n, height, width, channels]` and `n` labels.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when lengths do not fit, a label has no class, or there is no image.
    pub fn new(shape: ImageShape, class_names: Vec<String>, pixels: Vec<u8>, labels: Vec<u32>) -> Result<Self> {
        if labels.is_empty() || shape.bytes() == 0 {
            return Err(DataError::Invalid {
                what: "data set in memory",
                expected: "at least one image of at least one pixel".into(),
                found: format!("{} images of {shape:?}", labels.len()),
            });
        }
        if pixels.len() != labels.len() * shape.bytes() {
            return Err(DataError::Invalid {
                what: "pixels of a data set in memory",
                expected: format!(
                    "{} labels x {} bytes = {}",
                    labels.len(),
                    shape.bytes(),
                    labels.len() * shape.bytes()
                ),
                found: format!("{} bytes", pixels.len()),
            });
        }
        if let Some((index, label)) = labels.iter().enumerate().find(|&(_, &label)| label as usize >= class_names.len())
        {
            return Err(DataError::Invalid {
                what: "label of a data set in memory",
                expected: format!("below {} classes", class_names.len()),
                found: format!("{label} at image {index}"),
            });
        }
        let (names, places) = (Vec::new(), Vec::new());
        let (decoding, left_out) = (Decoding::default(), BTreeMap::new());
        Ok(MemoryDataset { shape, class_names, pixels, labels, names, places, decoding, left_out })
    }

    /// Reads the whole of another data set, on all threads.
    ///
    /// # Errors
    /// [`DataError::DamagedImages`] with all images that cannot be decoded; otherwise the error of the first image, by
    /// index, that cannot be read.
    pub fn read_all(source: &dyn Dataset) -> Result<Self> {
        let shape = source.shape();
        let mut pixels = vec![0; source.len() * shape.bytes()];
        let mut failures: Vec<(usize, DataError)> = pixels
            .par_chunks_exact_mut(shape.bytes())
            .enumerate()
            .filter_map(|(index, image)| source.read(index, image).err().map(|error| (index, error)))
            .collect();
        failures.sort_by_key(|(index, _)| *index);
        let mut damaged = Vec::new();
        for (_, failure) in failures {
            match failure {
                DataError::CorruptImage { file, reason } => damaged.push((file, reason)),
                other => return Err(other),
            }
        }
        if !damaged.is_empty() {
            return Err(DataError::damaged(damaged, source.len()));
        }
        let labels = (0..source.len()).map(|index| source.label(index) as u32).collect();
        let images = MemoryDataset::new(shape, source.class_names().to_vec(), pixels, labels)?.named_as(source)?;
        Ok(MemoryDataset { decoding: source.decoding(), left_out: source.left_out(), ..images })
    }

    /// The same images under the names and places of another set's.
    ///
    /// # Errors
    /// [`DataError::Invalid`] where the other set has another number of images.
    pub fn named_as(self, other: &dyn Dataset) -> Result<Self> {
        if other.len() != self.labels.len() {
            return Err(DataError::Invalid {
                what: "names of a data set in memory",
                expected: format!("{} images", self.labels.len()),
                found: other.len().to_string(),
            });
        }
        let names = (0..other.len()).map(|index| other.name(index)).collect();
        let places = (0..other.len()).map(|index| other.place(index)).collect();
        Ok(MemoryDataset { names, places, ..self })
    }

    /// All pixels, `[n, height, width, channels]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

impl Dataset for MemoryDataset {
    fn len(&self) -> usize {
        self.labels.len()
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
        self.names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }

    fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or(index)
    }

    fn decoding(&self) -> Decoding {
        self.decoding
    }

    fn left_out(&self) -> BTreeMap<String, usize> {
        self.left_out.clone()
    }

    fn record(&self, index: usize) -> Result<ImageRecord> {
        let bytes = self.shape.bytes();
        Ok(ImageRecord::of(&self.pixels[index * bytes..(index + 1) * bytes], self.shape.channels))
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()> {
        let bytes = self.shape.bytes();
        pixels.copy_from_slice(&self.pixels[index * bytes..(index + 1) * bytes]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(n: usize) -> MemoryDataset {
        let shape = ImageShape { channels: 1, height: 1, width: 2 };
        let pixels = (0..2 * n).map(|value| value as u8).collect();
        let labels = (0..n as u32).map(|index| index % 3).collect();
        MemoryDataset::new(shape, vec!["a".into(), "b".into(), "c".into()], pixels, labels).unwrap()
    }

    #[test]
    fn memory_set_checks_lengths_and_labels() {
        let shape = ImageShape { channels: 1, height: 1, width: 2 };
        let names = vec!["a".to_string()];
        assert!(MemoryDataset::new(shape, names.clone(), vec![0; 3], vec![0, 0]).is_err());
        let error = MemoryDataset::new(shape, names, vec![0; 4], vec![0, 1]).unwrap_err().to_string();
        assert!(error.contains("below 1 classes") && error.contains("1 at image 1"), "{error}");
    }

    #[test]
    fn read_all_copies_every_image() {
        let set = counting(10);
        let copy = MemoryDataset::read_all(&set).unwrap();
        assert_eq!(copy.pixels(), set.pixels());
        assert_eq!(copy.labels, set.labels);
    }
}
