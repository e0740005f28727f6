//! A data set held whole in memory.

use rayon::prelude::*;

use super::{Contents, Dataset, ImageShape};
use crate::error::{DataError, Result};
use crate::fingerprint::ImageRecord;
use crate::words::counted;

/// A data set held whole in memory, one byte a value.
#[derive(Debug, Clone)]
pub struct MemoryDataset {
    contents: Contents,
    pixels: Vec<u8>,
    /// Empty where images are called by their place.
    names: Vec<String>,
    /// Empty where images are at their own place.
    places: Vec<usize>,
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
                found: format!("{} of {shape:?}", counted(labels.len(), "images")),
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
                expected: format!("a number below {}, the number of classes", class_names.len()),
                found: format!("{label} at image {index}"),
            });
        }
        let contents = Contents::new(shape, class_names, labels);
        Ok(MemoryDataset { contents, pixels, names: Vec::new(), places: Vec::new() })
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
        let contents = source.contents().clone();
        let images = MemoryDataset::new(shape, contents.class_names.clone(), pixels, contents.labels.clone())?;
        Ok(MemoryDataset { contents, ..images.named_as(source)? })
    }

    /// The same images under the names and places of another set's.
    ///
    /// # Errors
    /// [`DataError::Invalid`] where the other set has another number of images.
    pub fn named_as(self, other: &dyn Dataset) -> Result<Self> {
        if other.len() != self.len() {
            return Err(DataError::Invalid {
                what: "names of a data set in memory",
                expected: counted(self.len(), "images"),
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

    fn bytes_of(&self, index: usize) -> &[u8] {
        let bytes = self.shape().bytes();
        &self.pixels[index * bytes..(index + 1) * bytes]
    }
}

impl Dataset for MemoryDataset {
    fn contents(&self) -> &Contents {
        &self.contents
    }

    fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }

    fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or(index)
    }

    fn record(&self, index: usize) -> Result<ImageRecord> {
        Ok(ImageRecord::of(self.bytes_of(index), self.shape().channels))
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()> {
        pixels.copy_from_slice(self.bytes_of(index));
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
        assert!(error.contains("below 1, the number of classes") && error.contains("1 at image 1"), "{error}");
    }

    #[test]
    fn read_all_copies_every_image() {
        let set = counting(10);
        let copy = MemoryDataset::read_all(&set).unwrap();
        assert_eq!(copy.pixels(), set.pixels());
        assert_eq!(copy.contents.labels, set.contents.labels);
    }
}
