//! The type of the frame and the table from raw pixels to it.

use super::convert::PixelScale;
use super::error::QuantizeError;
use super::histogram::Histogram;
use super::range::from_ends;
use super::types::{FrameTable, QuantizedType};
use crate::shape::Shape;

/// Spans what pixels can be and what was presented (a blank may lie beyond). For one channel the
/// 256 pixel values are then 256 integers.
pub(super) fn frame_type(
    shape: Shape,
    presented: &Histogram,
    pixels: PixelScale<'_>,
) -> Result<QuantizedType, QuantizeError> {
    let PixelScale { mean, standard_deviation } = pixels;
    let sound = mean.iter().all(|x| x.is_finite()) && standard_deviation.iter().all(|&x| x.is_finite() && x > 0.0);
    if (mean.len(), standard_deviation.len()) != (shape.channels, shape.channels) || !sound {
        let (means, deviations) = (mean.len(), standard_deviation.len());
        return Err(QuantizeError::Preprocessing { means, deviations, channels: shape.channels });
    }
    let ends = |pixel: u8| (0..shape.channels).map(move |channel| pixels.value(channel, pixel));
    let low = ends(0).fold(presented.smallest, f64::min);
    let high = ends(255).fold(presented.largest, f64::max);
    Ok(from_ends(shape, low, high))
}

/// 256 entries a channel.
pub(super) fn frame_table(kind: &QuantizedType, pixels: PixelScale<'_>) -> FrameTable {
    let entry = |channel: usize, pixel: u8| kind.quantize(pixels.value(channel, pixel)) as i8;
    let entries = (0..kind.shape.channels).flat_map(|channel| (0..=255).map(move |pixel| entry(channel, pixel)));
    FrameTable { entries: entries.collect() }
}

impl PixelScale<'_> {
    fn value(&self, channel: usize, pixel: u8) -> f64 {
        f64::from((f32::from(pixel) / 255.0 - self.mean[channel]) / self.standard_deviation[channel])
    }
}

impl FrameTable {
    /// Pixels, `[height, width, channels]` interleaved, to integers, `[channels, height, width]`.
    pub fn quantize(&self, pixels: &[u8]) -> Vec<i8> {
        let channels = (self.entries.len() / 256).max(1);
        let positions = pixels.len() / channels;
        let mut frame = vec![0; pixels.len()];
        for (position, pixel) in pixels.chunks_exact(channels).enumerate() {
            for (channel, &byte) in pixel.iter().enumerate() {
                frame[channel * positions + position] = self.entries[channel * 256 + usize::from(byte)];
            }
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_pixels_keep_their_256_values() {
        let pixels = PixelScale { mean: &[0.1307], standard_deviation: &[0.3081] };
        let kind = frame_type(Shape::new(1, 2, 2), &Histogram::new(1), pixels).expect("valid");
        let table = frame_table(&kind, pixels);
        assert!(table.entries.windows(2).all(|pair| pair[1] == pair[0] + 1), "{:?}", table.entries);
        assert_eq!(kind.dequantize(kind.zero_point), 0.0);
        for pixel in 0..=255u8 {
            let error = kind.dequantize(i32::from(table.entries[usize::from(pixel)])) - pixels.value(0, pixel);
            assert!(error.abs() <= 0.51 * kind.scale, "{pixel}: {error}");
        }
    }

    #[test]
    fn colours_become_planes() {
        let pixels = PixelScale { mean: &[0.0, 0.5, 1.0], standard_deviation: &[1.0, 1.0, 1.0] };
        let kind = frame_type(Shape::new(3, 1, 2), &Histogram::new(3), pixels).expect("valid");
        let table = frame_table(&kind, pixels);
        let frame = table.quantize(&[255, 0, 255, 0, 255, 0]);
        let reals: Vec<f64> = frame.iter().map(|&x| kind.dequantize(i32::from(x))).collect();
        for (real, expected) in reals.iter().zip([1.0, 0.0, -0.5, 0.5, 0.0, -1.0]) {
            assert!((real - expected).abs() <= 1.01 * kind.scale, "{reals:?}");
        }
    }

    #[test]
    fn unsound_preprocessing_is_refused() {
        let refused = |mean: &[f32], standard_deviation: &[f32]| {
            frame_type(Shape::new(1, 2, 2), &Histogram::new(1), PixelScale { mean, standard_deviation }).is_err()
        };
        assert!(refused(&[0.0], &[0.0]) && refused(&[f32::NAN], &[1.0]) && refused(&[0.0, 0.0], &[1.0, 1.0]));
    }
}
