//! Real handwritten digits among pieces of other digits, behind bars and blobs, in noise.
//!
//! The digits are those of a set of MNIST's form; everything around them is drawn as in the rendered set. Image `i` depends
//! on nothing but the set, the options, the split and `i`.

use rayon::prelude::*;

use super::dataset::{Dataset, ImageShape, MemoryDataset, Split};
use super::error::{DataError, Result};
use super::random::{Purpose, Stream};
use super::rendered::scene::{Canvas, draw_occluder, noise};

/// What surrounds the digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClutteredOptions {
    /// Names the random streams.
    pub seed: u64,
    /// Pieces of other digits an image; up to 32.
    pub clutter: u32,
    /// Bars and blobs over the digit; up to 16.
    pub occluders: u32,
    /// Standard deviation of the pixel noise in gray levels; up to 100.
    pub noise: u32,
    /// Largest shift of the digit in pixels; up to 14.
    pub shift: u32,
}

impl Default for ClutteredOptions {
    fn default() -> Self {
        ClutteredOptions { seed: 1, clutter: 4, occluders: 2, noise: 16, shift: 3 }
    }
}

impl ClutteredOptions {
    /// Checks every option's range.
    ///
    /// # Errors
    /// [`DataError::Invalid`] that names the option.
    pub fn check(&self) -> Result<()> {
        let ranges = [
            ("option `clutter` of the cluttered set", self.clutter, 32),
            ("option `occluders` of the cluttered set", self.occluders, 16),
            ("option `noise` of the cluttered set", self.noise, 100),
            ("option `shift` of the cluttered set", self.shift, 14),
        ];
        match ranges.into_iter().find(|(_, value, high)| value > high) {
            Some((what, value, high)) => {
                Err(DataError::Invalid { what, expected: format!("0 to {high}"), found: value.to_string() })
            }
            None => Ok(()),
        }
    }

    /// Draws a whole split around its digits, on all threads.
    ///
    /// # Errors
    /// As [`Self::check`]; [`DataError::Invalid`] for digits that are not gray.
    pub fn draw(&self, digits: &MemoryDataset, split: Split) -> Result<MemoryDataset> {
        self.check()?;
        let shape = digits.shape();
        if shape.channels != 1 {
            let (expected, found) = ("1 channel".into(), shape.channels.to_string());
            return Err(DataError::Invalid { what: "digits of the cluttered set", expected, found });
        }
        let mut pixels = vec![0; digits.len() * shape.bytes()];
        let images = pixels.par_chunks_exact_mut(shape.bytes()).enumerate();
        images.try_for_each(|(index, image)| self.draw_one(digits, split, index, image))?;
        let labels = (0..digits.len()).map(|index| digits.label(index) as u32).collect();
        MemoryDataset::new(shape, digits.class_names().to_vec(), pixels, labels)?.named_as(digits)
    }

    fn draw_one(&self, digits: &MemoryDataset, split: Split, index: usize, pixels: &mut [u8]) -> Result<()> {
        let ImageShape { height, width, .. } = digits.shape();
        let purpose = match split {
            Split::Train => Purpose::RenderTrain,
            Split::Validation => Purpose::RenderValidation,
            Split::Test => Purpose::RenderTest,
        };
        let mut stream = Stream::new(self.seed, purpose, index as u64, 1);
        let background = stream.range(0.0, 70.0);
        let ink = stream.range(140.0, 255.0);
        // Share of ink by pixel, 0 to 255.
        let mut cover = vec![0u8; height * width];
        for _ in 0..self.clutter {
            paste_piece(&mut stream, digits, &mut cover)?;
        }
        let shift = i64::from(self.shift);
        let (down, along) = (stream.between(-shift, shift), stream.between(-shift, shift));
        let digit = digits.image(index)?;
        paste(&mut cover, digits.shape(), &digit.pixels, (down, along), |_, _| true);
        let mut canvas = Canvas::new(width.max(height), background);
        for (row, line) in cover.chunks_exact(width).enumerate() {
            for (column, &cover) in line.iter().enumerate() {
                canvas.set(row, column, background + (ink - background) * f64::from(cover) / 255.0);
            }
        }
        let centre = (width as f64 / 2.0 + along as f64, height as f64 / 2.0 + down as f64);
        for _ in 0..self.occluders {
            draw_occluder(&mut stream, &mut canvas, centre, 0.7 * height as f64, background);
        }
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let level = canvas.get(index / width, index % width);
            *pixel = ((level + 0.5).floor() as i32 + noise(&mut stream, self.noise)).clamp(0, 255) as u8;
        }
        Ok(())
    }
}

/// Adds a picture moved by some rows and columns where `keep` says so; the stronger ink wins.
fn paste(
    cover: &mut [u8],
    shape: ImageShape,
    picture: &[u8],
    (down, along): (i64, i64),
    keep: impl Fn(i64, i64) -> bool,
) {
    let (height, width) = (shape.height as i64, shape.width as i64);
    for row in 0..height {
        for column in 0..width {
            let (y, x) = (row + down, column + along);
            if (0..height).contains(&y) && (0..width).contains(&x) && keep(row, column) {
                let cell = &mut cover[(y * width + x) as usize];
                *cell = (*cell).max(picture[(row * width + column) as usize]);
            }
        }
    }
}

/// A round piece of another digit, cut where it has ink, put anywhere.
fn paste_piece(stream: &mut Stream, digits: &MemoryDataset, cover: &mut [u8]) -> Result<()> {
    const TRIES: usize = 32;
    let shape = digits.shape();
    let other = digits.image(stream.below(digits.len()))?;
    let mut anchor = (shape.height / 2, shape.width / 2);
    for _ in 0..TRIES {
        let (row, column) = (stream.below(shape.height), stream.below(shape.width));
        if other.pixels[row * shape.width + column] > 128 {
            anchor = (row, column);
            break;
        }
    }
    let radius = stream.range(0.10, 0.19) * shape.height as f64;
    let (row, column) = (anchor.0 as i64, anchor.1 as i64);
    let target = (stream.below(shape.height) as i64, stream.below(shape.width) as i64);
    let within = |y: i64, x: i64| {
        let (dy, dx) = ((y - row) as f64, (x - column) as f64);
        dy * dy + dx * dx <= radius * radius
    };
    paste(cover, shape, &other.pixels, (target.0 - row, target.1 - column), within);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two "digits": a vertical and a horizontal bar.
    fn digits() -> MemoryDataset {
        let shape = ImageShape { channels: 1, height: 20, width: 20 };
        let bar = |vertical: bool| -> Vec<u8> {
            let place = |index: usize| if vertical { index % 20 } else { index / 20 };
            (0..400).map(|index| if (8..12).contains(&place(index)) { 255 } else { 0 }).collect()
        };
        let pixels = [bar(true), bar(false)].concat();
        MemoryDataset::new(shape, vec!["vertical".into(), "horizontal".into()], pixels, vec![0, 1]).unwrap()
    }

    #[test]
    fn bare_digits_come_back_in_two_levels() {
        let digits = digits();
        let bare = ClutteredOptions { clutter: 0, occluders: 0, noise: 0, shift: 0, seed: 3 };
        let drawn = bare.draw(&digits, Split::Train).unwrap();
        for index in 0..2 {
            let (before, after) = (digits.image(index).unwrap().pixels, drawn.image(index).unwrap().pixels);
            let level = |ink: u8| -> Vec<u8> {
                before.iter().zip(&after).filter(|(before, _)| **before == ink).map(|(_, after)| *after).collect()
            };
            let (background, foreground) = (level(0), level(255));
            assert!(background.windows(2).all(|pair| pair[0] == pair[1]) && background[0] <= 70);
            assert!(foreground.windows(2).all(|pair| pair[0] == pair[1]) && foreground[0] >= 140);
            assert_eq!(drawn.label(index), digits.label(index));
        }
    }

    #[test]
    fn images_depend_on_seed_split_and_options_alone() {
        let digits = digits();
        let options = ClutteredOptions::default();
        let image = |options: &ClutteredOptions, split| options.draw(&digits, split).unwrap().image(1).unwrap().pixels;
        let first = image(&options, Split::Train);
        assert_eq!(first, image(&options, Split::Train));
        assert_ne!(first, image(&options, Split::Test));
        assert_ne!(first, image(&ClutteredOptions { seed: 2, ..options }, Split::Train));
        assert_ne!(first, image(&ClutteredOptions { clutter: 0, ..options }, Split::Train));
        let error = ClutteredOptions { noise: 101, ..options }.draw(&digits, Split::Train).unwrap_err().to_string();
        assert!(error.contains("noise") && error.contains("0 to 100"), "{error}");
    }
}
