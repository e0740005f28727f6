//! Parts of a data set: random samples, and a validation part held out of training.

mod hold_out;
mod share;

use convrnn_models::sampling::balanced;

use super::dataset::{Contents, Dataset, Picture, SharedDataset};
use super::error::{DataError, Result};
use super::fingerprint::ImageRecord;
use super::random::{Purpose, Stream};
pub use share::Share;

/// Some of the images of another data set, in a given order.
#[derive(Clone)]
pub struct Subset {
    inner: SharedDataset,
    indices: Vec<usize>,
    contents: Contents,
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
        Ok(Subset::of(inner, indices))
    }

    fn of(inner: SharedDataset, indices: Vec<usize>) -> Self {
        let all = inner.contents();
        let labels = indices.iter().map(|&index| all.labels[index]).collect();
        let contents =
            Contents { labels, class_names: all.class_names.clone(), left_out: all.left_out.clone(), ..*all };
        Subset { inner, indices, contents }
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

    /// `count` images drawn without replacement, every class in its share and every class at least once where `count`
    /// allows; the same for the same seed. Every leading part shows the classes alike ([`balanced`]), and the images of
    /// a smaller count lead those of a larger one.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when `count` is 0 or larger than the set.
    pub fn stratified(inner: SharedDataset, count: usize, seed: u64) -> Result<Self> {
        check_count(inner.len(), count)?;
        let mut indices: Vec<usize> = (0..inner.len()).collect();
        Stream::new(seed, Purpose::Subset, 1, 0).shuffle(&mut indices);
        let labels: Vec<usize> = indices.iter().map(|&index| inner.label(index)).collect();
        let chosen = balanced(&labels).into_iter().take(count).map(|place| indices[place]).collect();
        Subset::new(inner, chosen)
    }

    /// The same images in the order of the whole set.
    pub fn in_order(mut self) -> Self {
        self.indices.sort_unstable();
        Subset::of(self.inner, self.indices)
    }
}

fn check_count(length: usize, count: usize) -> Result<()> {
    if count == 0 || count > length {
        return Err(DataError::Invalid {
            what: "number of images to draw",
            expected: format!("1 to {length}"),
            found: count.to_string(),
        });
    }
    Ok(())
}

fn split_indices(length: usize, count: usize, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    check_count(length, count)?;
    let mut indices: Vec<usize> = (0..length).collect();
    Stream::new(seed, Purpose::Subset, 0, 0).shuffle(&mut indices);
    let rest = indices.split_off(count);
    Ok((indices, rest))
}

impl Dataset for Subset {
    fn contents(&self) -> &Contents {
        &self.contents
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(self.indices[index])
    }

    fn place(&self, index: usize) -> usize {
        self.inner.place(self.indices[index])
    }

    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<()> {
        self.inner.read(self.indices[index], pixels)
    }

    fn original(&self, index: usize) -> Result<Picture> {
        self.inner.original(self.indices[index])
    }

    fn record(&self, index: usize) -> Result<ImageRecord> {
        self.inner.record(self.indices[index])
    }

    /// Looks at the whole set only where most of it is wanted.
    fn look_at_all(&self) -> Result<()> {
        if 2 * self.len() >= self.inner.len() { self.inner.look_at_all() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
