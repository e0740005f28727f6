//! Random changes to training images: scale and crop, pad and crop, flip, colour.
//!
//! Every draw comes from a stream named by (seed, epoch, index of the image), so the same image in
//! the same epoch is changed in the same way on every thread and after every resume.

use super::dataset::{Dataset, ImageShape, Picture};
use super::error::{DataError, Result};
use super::geometry::{crop_into, scale_short_side};
use super::random::{Purpose, Stream};
use super::statistics::PrincipalColours;

/// Which changes are made. The default makes none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Augmentation {
    /// Scales the original so that its shorter side has a random number of pixels in this range
    /// (both ends included), then crops the data set's shape at a random place (He et al. 2016).
    /// The data set should decode when read (`decode=lazy`), else its stored crops are scaled.
    pub short_side: Option<(usize, usize)>,
    /// Shifts by up to this many pixels each way: as if padded on every side, then cropped.
    pub pad: usize,
    /// Mirrors left and right with probability one half. Off for digits, of course.
    pub flip: bool,
    /// Adds one colour an image (Krizhevsky et al. 2012): along each principal axis a normal draw
    /// of standard deviation 0.1 times the deviation of the training colours along that axis.
    pub colours: Option<PrincipalColours>,
    /// Gray level or colour of padding: one value a channel, or none for black.
    pub fill: Vec<u8>,
}

/// Standard deviation of the colour jitter's draws.
const COLOUR_JITTER: f64 = 0.1;

impl Augmentation {
    /// Checks that the settings fit the data set.
    ///
    /// # Errors
    /// [`DataError::Invalid`] that names the setting.
    pub fn check(&self, shape: ImageShape) -> Result<()> {
        let invalid = |what, expected: String, found: String| Err(DataError::Invalid { what, expected, found });
        let longest = shape.height.max(shape.width);
        if let Some((low, high)) = self.short_side
            && (low < longest || high < low || high > 4096)
        {
            return invalid(
                "augmentation `short_side`",
                format!("a range within {longest} (so that the crop fits) and 4096"),
                format!("{low} to {high}"),
            );
        }
        if self.pad > longest {
            return invalid("augmentation `pad`", format!("at most {longest} pixels"), self.pad.to_string());
        }
        if self.colours.is_some() && shape.channels != 3 {
            return invalid("augmentation `colours`", "images of 3 channels".into(), shape.channels.to_string());
        }
        if !self.fill.is_empty() && self.fill.len() != shape.channels {
            return invalid("augmentation `fill`", format!("{} values", shape.channels), self.fill.len().to_string());
        }
        Ok(())
    }

    /// Whether every image stays as it is.
    pub fn is_none(&self) -> bool {
        self.short_side.is_none() && self.pad == 0 && !self.flip && self.colours.is_none()
    }

    /// Writes image `index`, changed, into `pixels` and returns its colour shift in units of
    /// `pixel / 255` (zero where there is no colour jitter).
    ///
    /// # Errors
    /// That of an image that cannot be read.
    pub fn read(
        &self,
        dataset: &dyn Dataset,
        index: usize,
        seed: u64,
        epoch: u64,
        pixels: &mut [u8],
    ) -> Result<[f32; 3]> {
        if self.is_none() {
            dataset.read(index, pixels)?;
            return Ok([0.0; 3]);
        }
        let mut stream = Stream::new(seed, Purpose::Augmentation, epoch, index as u64);
        let shape = dataset.shape();
        if self.short_side.is_some() || self.pad > 0 {
            let picture = self.scaled(dataset, index, &mut stream)?;
            let top = self.offset(&mut stream, picture.shape.height, shape.height);
            let left = self.offset(&mut stream, picture.shape.width, shape.width);
            let fill = if self.fill.is_empty() { &[0; 3][..shape.channels] } else { &self.fill };
            crop_into(&picture, top, left, shape, fill, pixels);
        } else {
            dataset.read(index, pixels)?;
        }
        if self.flip && stream.below(2) == 1 {
            mirror(pixels, shape);
        }
        Ok(self.colours.as_ref().map_or([0.0; 3], |colours| colour_shift(colours, &mut stream)))
    }

    fn scaled(&self, dataset: &dyn Dataset, index: usize, stream: &mut Stream) -> Result<Picture> {
        match self.short_side {
            Some((low, high)) => {
                let short = stream.between(low as i64, high as i64) as usize;
                Ok(scale_short_side(dataset.original(index)?, short))
            }
            None => dataset.image(index),
        }
    }

    /// Where the crop starts: anywhere in the picture with its padding.
    fn offset(&self, stream: &mut Stream, available: usize, wanted: usize) -> isize {
        let pad = self.pad as i64;
        let room = available as i64 - wanted as i64;
        stream.between(-pad, room + pad) as isize
    }
}

fn mirror(pixels: &mut [u8], shape: ImageShape) {
    for row in pixels.chunks_exact_mut(shape.width * shape.channels) {
        for left in 0..shape.width / 2 {
            let right = shape.width - 1 - left;
            for channel in 0..shape.channels {
                row.swap(left * shape.channels + channel, right * shape.channels + channel);
            }
        }
    }
}

fn colour_shift(colours: &PrincipalColours, stream: &mut Stream) -> [f32; 3] {
    let mut shift = [0.0; 3];
    for (axis, deviation) in colours.axes.iter().zip(colours.deviations) {
        let amount = COLOUR_JITTER * stream.normal() * deviation;
        for (sum, part) in shift.iter_mut().zip(axis) {
            *sum += amount * part;
        }
    }
    shift.map(|value| value as f32)
}

#[cfg(test)]
#[path = "augmentation_tests.rs"]
mod tests;
