//! Some images as one buffer, and as a net reads them.

use super::dataset::ImageShape;

/// Some images and their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Place of this batch in its epoch, from 0.
    pub number: usize,
    /// Index of each image in the data set.
    pub indices: Vec<usize>,
    /// Shape of each image.
    pub shape: ImageShape,
    /// Pixels, `[n, height, width, channels]`.
    pub images: Vec<u8>,
    /// Classes, `[n]`.
    pub labels: Vec<i64>,
    /// Colour jitter, `[n, channels]`, in units of `pixel / 255`; empty where there is none.
    pub colour_shift: Vec<f32>,
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image; [`super::Batches`] never gives such a batch.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The images as a net reads them, `[n, channels, height, width]`:
    /// `(pixel / 255 + colour_shift[image][channel] - mean[channel]) / std[channel]`.
    ///
    /// # Panics
    /// If `mean` and `std` do not have one value a channel.
    pub fn normalized(&self, mean: &[f32], std: &[f32]) -> Vec<f32> {
        let ImageShape {
            channels,
            height,
            width,
        } = self.shape;
        assert_eq!(
            (mean.len(), std.len()),
            (channels, channels),
            "one mean and one deviation a channel"
        );
        let plane = height * width;
        let mut values = vec![0.0; self.images.len()];
        for (image, output) in values.chunks_exact_mut(self.shape.bytes()).enumerate() {
            let pixels = &self.images[image * self.shape.bytes()..][..self.shape.bytes()];
            for channel in 0..channels {
                let shift = self
                    .colour_shift
                    .get(image * channels + channel)
                    .copied()
                    .unwrap_or(0.0);
                // A table of the 256 possible values: the same bits as computing each.
                let table: [f32; 256] = std::array::from_fn(|level| {
                    (level as f32 / 255.0 + shift - mean[channel]) / std[channel]
                });
                for (value, pixel) in output[channel * plane..][..plane]
                    .iter_mut()
                    .zip(pixels.chunks_exact(channels))
                {
                    *value = table[usize::from(pixel[channel])];
                }
            }
        }
        values
    }
}
