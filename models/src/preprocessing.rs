//! From pixels to the frame a network sees.

use convrnn_graph::Shape;
use serde::{Deserialize, Serialize};

/// `value[c] = (pixel[c] / 255 - mean[c]) / standard_deviation[c]`; the training set's mean is then 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// 1 for gray, 3 for colour (red, green, blue).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Mean of pixel / 255 by channel.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel / 255 by channel.
    pub standard_deviation: Vec<f32>,
    /// How image files became pixels.
    #[serde(default, skip_serializing_if = "Decoding::is_plain")]
    pub decoding: Decoding,
}

/// How an image file becomes pixels, as far as there is a choice. The default is what checkpoints without a record of it
/// were trained with: colours as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decoding {
    /// Red, green and blue behind transparent pixels; none: alpha is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<[u8; 3]>,
    /// Whether the orientation that a camera recorded (Exif) is applied.
    #[serde(default)]
    pub apply_orientation: bool,
}

impl Decoding {
    /// Whether colours are taken as they are stored.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl Preprocessing {
    /// Shape of the frame.
    pub fn shape(&self) -> Shape {
        Shape::new(self.channels, self.height, self.width)
    }

    /// The value of one pixel in f32 arithmetic; the only definition of it.
    pub fn value(&self, channel: usize, pixel: u8) -> f32 {
        (f32::from(pixel) / 255.0 - self.mean[channel]) / self.standard_deviation[channel]
    }

    /// Pixels, `[height, width, channels]` interleaved, to values, `[channels, height, width]`.
    pub fn normalize(&self, pixels: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; pixels.len()];
        let positions = self.height * self.width;
        for (position, pixel) in pixels.chunks_exact(self.channels.max(1)).enumerate() {
            for (channel, &byte) in pixel.iter().enumerate() {
                values[channel * positions + position] = self.value(channel, byte);
            }
        }
        values
    }

    /// What does not fit, if anything.
    pub fn check(&self) -> Result<(), String> {
        // Sides first: their product must not overflow.
        if [self.channels, self.height, self.width].iter().any(|&side| side == 0 || side > 65536) {
            return Err(format!("preprocessing has frames of {}, expected sides of 1 to 65536", self.shape()));
        }
        let lengths = (self.mean.len(), self.standard_deviation.len());
        if lengths != (self.channels, self.channels) {
            return Err(format!(
                "preprocessing has {} means and {} standard deviations for frames of {}, expected {} of each",
                lengths.0,
                lengths.1,
                self.shape(),
                self.channels
            ));
        }
        let sane = |value: &f32| value.is_finite();
        if !self.mean.iter().all(sane) || !self.standard_deviation.iter().all(|value| sane(value) && *value > 0.0) {
            return Err(format!(
                "preprocessing has mean {:?} and standard deviation {:?}, expected finite means and positive deviations",
                self.mean, self.standard_deviation
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_pixels_become_planes() {
        let preprocessing = Preprocessing {
            channels: 3,
            height: 1,
            width: 2,
            mean: vec![0.0, 0.5, 1.0],
            standard_deviation: vec![1.0, 0.5, 2.0],
            decoding: Default::default(),
        };
        let values = preprocessing.normalize(&[255, 0, 255, 0, 255, 0]);
        assert_eq!(values, [1.0, 0.0, -1.0, 1.0, 0.0, -0.5]);
    }
}
