//! Parts of a data set: random samples, and a validation part held out of training.

use std::sync::Arc;

use super::dataset::{Dataset, ImageShape, Picture, SharedDataset};
use super::error::{DataError, Result};
use super::random::{Purpose, Stream};

/// Some of the images of another data set, in a given order.
#[derive(Clone)]
pub struct Subset {
    inner: SharedDataset,
    indices: Vec<usize>,
}

impl Subset {
    /// The images at `indices`.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when an index is past the end or there is none.
    pub fn new(inner: SharedDataset, indices: Vec<usize>) -> Result<Self> {
        let length = inner.len();
        if indices.is_empty() || indices.iter().any(|&index| index >= length) {
            return Err(DataError::Invalid {
                what: "indices of a subset",
                expected: format!("at least one, all below {length}"),
                found: format!("{} indices, the largest {:?}", indices.len(), indices.iter().max()),
            });
        }
        Ok(Subset { inner, indices })
    }

    /// `count` images drawn without replacement, in the order of the set; the same for the same
    /// seed. Files often list images class by class, so a leading part would miss classes.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when `count` is 0 or larger than the set.
    pub fn sample(inner: SharedDataset, count: usize, seed: u64) -> Result<Self> {
        let (mut chosen, _) = split_indices(inner.len(), count, seed)?;
        chosen.sort_unstable();
        Subset::new(inner, chosen)
    }

    /// Splits a set into (the rest, `count` held out), disjoint, the same for the same seed: for
    /// a validation part when the test part must stay unseen.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when either part would be empty.
    pub fn hold_out(inner: SharedDataset, count: usize, seed: u64) -> Result<(Self, Self)> {
        let (mut held_out, mut rest) = split_indices(inner.len(), count, seed)?;
        held_out.sort_unstable();
        rest.sort_unstable();
        Ok((Subset::new(Arc::clone(&inner), rest)?, Subset::new(inner, held_out)?))
    }
}

fn split_indices(length: usize, count: usize, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    if count == 0 || count > length {
        return Err(DataError::Invalid {
            what: "number of images to draw",
            expected: format!("1 to {length}"),
            found: count.to_string(),
        });
    }
    let mut indices: Vec<usize> = (0..length).collect();
    Stream::new(seed, Purpose::Subset, 0, 0).shuffle(&mut indices);
    let rest = indices.split_off(count);
    Ok((indices, rest))
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn class_names(&self) -> &[String] {
        self.inner.class_names()
    }

    fn shape(&self) -> ImageShape {
        self.inner.shape()
    }

    fn label(&self, index: usize) -> usize {
        self.inner.label(self.indices[index])
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(self.indices[index])
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()> {
        self.inner.read(self.indices[index], pixels)
    }

    fn original(&self, index: usize) -> Result<Picture> {
        self.inner.original(self.indices[index])
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::MemoryDataset;
    use super::*;

    fn counting(images: u32) -> MemoryDataset {
        let shape = ImageShape { channels: 1, height: 1, width: 2 };
        let pixels = (0..2 * images).map(|value| value as u8).collect();
        let labels = (0..images).map(|index| index % 3).collect();
        MemoryDataset::new(shape, vec!["a".into(), "b".into(), "c".into()], pixels, labels).unwrap()
    }

    #[test]
    fn hold_out_is_a_partition_and_repeats() {
        let set: SharedDataset = Arc::new(counting(60));
        let (rest, held) = Subset::hold_out(Arc::clone(&set), 20, 5).unwrap();
        let mut all: Vec<usize> = rest.indices.iter().chain(&held.indices).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        assert_eq!(Subset::hold_out(Arc::clone(&set), 20, 5).unwrap().1.indices, held.indices);
        assert_ne!(Subset::hold_out(Arc::clone(&set), 20, 6).unwrap().1.indices, held.indices);
        assert_eq!(held.image(3).unwrap(), set.image(held.indices[3]).unwrap());
        assert_eq!(held.label(3), set.label(held.indices[3]));
        assert_eq!(held.name(3), held.indices[3].to_string());
        assert!(Subset::sample(set, 61, 0).is_err());
    }
}
