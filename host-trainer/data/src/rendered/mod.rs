//! A data set that the program renders itself: digits among fragments of other digits, behind
//! bars and blobs, in noise.
//!
//! A digit of about two thirds of the image stands near the middle, rotated, slanted, bent and of
//! any thickness and brightness. Pieces of other digits in the same ink lie around and under it,
//! occluders hide parts of it. To tell the class one has to group the strokes that belong together
//! and complete what is hidden, which recurrent nets do better than feedforward nets of their size
//! (Spoerer, McClure and Kriegeskorte 2017 use digits with such debris for that reason).
//!
//! Image `i` of a split depends on nothing but the options' seed and drawing parameters, the split
//! and `i`: the number of images, threads and the machine change nothing. Its class is
//! `i mod classes`, so every stretch of the set is balanced.

pub mod glyphs;
pub(super) mod scene;

use rayon::prelude::*;

use super::dataset::{ImageShape, MemoryDataset, Split};
use super::error::{DataError, Result};
use super::random::{Purpose, Stream};

/// What is drawn, and how hard it is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderedOptions {
    /// Digits 0 to `classes - 1`; 2 to 10.
    pub classes: u32,
    /// Side of the square image in pixels; 16 to 128.
    pub size: usize,
    /// Number of training images.
    pub train: usize,
    /// Number of validation images; 0 for no validation split.
    pub validation: usize,
    /// Number of test images.
    pub test: usize,
    /// Names the random streams.
    pub seed: u64,
    /// Fragments of other digits an image; up to 32.
    pub clutter: u32,
    /// Bars and blobs over the digit; up to 16.
    pub occluders: u32,
    /// Standard deviation of the pixel noise in gray levels; up to 100.
    pub noise: u32,
    /// Largest shift from the middle in percent of the side; up to 30.
    pub shift: u32,
    /// Largest rotation in degrees, nearly; up to 60.
    pub rotation: u32,
    /// Strength of the bending in percent; up to 60.
    pub warp: u32,
}

impl Default for RenderedOptions {
    fn default() -> Self {
        RenderedOptions {
            classes: 10,
            size: 28,
            train: 20_000,
            validation: 0,
            test: 4_000,
            seed: 1,
            clutter: 3,
            occluders: 2,
            noise: 16,
            shift: 8,
            rotation: 15,
            warp: 20,
        }
    }
}

impl RenderedOptions {
    /// Checks every option's range.
    ///
    /// # Errors
    /// [`DataError::Invalid`] that names the option.
    pub fn check(&self) -> Result<()> {
        let ranges: [(&'static str, u64, u64, u64); 11] = [
            ("option `classes` of the rendered set", u64::from(self.classes), 2, 10),
            ("option `size` of the rendered set", self.size as u64, 16, 128),
            ("option `train` of the rendered set", self.train as u64, 1, 10_000_000),
            ("option `validation` of the rendered set", self.validation as u64, 0, 10_000_000),
            ("option `test` of the rendered set", self.test as u64, 1, 10_000_000),
            ("option `clutter` of the rendered set", u64::from(self.clutter), 0, 32),
            ("option `occluders` of the rendered set", u64::from(self.occluders), 0, 16),
            ("option `noise` of the rendered set", u64::from(self.noise), 0, 100),
            ("option `shift` of the rendered set", u64::from(self.shift), 0, 30),
            ("option `rotation` of the rendered set", u64::from(self.rotation), 0, 60),
            ("option `warp` of the rendered set", u64::from(self.warp), 0, 60),
        ];
        for (what, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(DataError::Invalid {
                    what,
                    expected: format!("{low} to {high}"),
                    found: value.to_string(),
                });
            }
        }
        Ok(())
    }

    /// The class of image `index`.
    pub fn label(&self, index: usize) -> usize {
        index % self.classes as usize
    }

    /// Draws image `index` of a split into `pixels`, `size` x `size` gray levels.
    ///
    /// # Panics
    /// If the options do not pass [`RenderedOptions::check`].
    pub fn draw(&self, split: Split, index: usize, pixels: &mut [u8]) {
        let purpose = match split {
            Split::Train => Purpose::RenderTrain,
            Split::Validation => Purpose::RenderValidation,
            Split::Test => Purpose::RenderTest,
        };
        let mut stream = Stream::new(self.seed, purpose, index as u64, 0);
        scene::draw(&mut stream, self, self.label(index), pixels);
    }

    /// Renders one split into memory, on all threads.
    ///
    /// # Errors
    /// [`DataError::Invalid`] as in [`RenderedOptions::check`], or for a split of 0 images.
    pub fn render(&self, split: Split) -> Result<MemoryDataset> {
        self.check()?;
        let count = match split {
            Split::Train => self.train,
            Split::Validation => self.validation,
            Split::Test => self.test,
        };
        let shape = ImageShape { channels: 1, height: self.size, width: self.size };
        let mut pixels = vec![0; count * shape.bytes()];
        pixels
            .par_chunks_exact_mut(shape.bytes())
            .enumerate()
            .for_each(|(index, image)| self.draw(split, index, image));
        let labels = (0..count).map(|index| self.label(index) as u32).collect();
        MemoryDataset::new(shape, (0..self.classes).map(|class| class.to_string()).collect(), pixels, labels)
    }
}

#[cfg(test)]
mod tests;
