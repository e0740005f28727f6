//! Some images as one buffer, and as a net reads them.

use convrnn_models::Preprocessing;

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

    /// The images as a net reads them, `[n, channels, height, width]`: each pixel's
    /// [`Preprocessing::value`], plus `colour_shift[image][channel] / standard_deviation[channel]`
    /// where there is colour jitter.
    ///
    /// # Panics
    /// If the preprocessing is not for this number of channels.
    pub fn normalized(&self, preprocessing: &Preprocessing) -> Vec<f32> {
        let ImageShape { channels, height, width } = self.shape;
        assert_eq!(preprocessing.channels, channels, "channels of preprocessing and batch");
        let plane = height * width;
        // Each channel has only 256 values.
        let tables: Vec<[f32; 256]> = (0..channels)
            .map(|channel| std::array::from_fn(|level| preprocessing.value(channel, level as u8)))
            .collect();
        let mut values = vec![0.0; self.images.len()];
        for (image, output) in values.chunks_exact_mut(self.shape.bytes()).enumerate() {
            let pixels = &self.images[image * self.shape.bytes()..][..self.shape.bytes()];
            for (channel, table) in tables.iter().enumerate() {
                let output = &mut output[channel * plane..][..plane];
                for (value, pixel) in output.iter_mut().zip(pixels.chunks_exact(channels)) {
                    *value = table[usize::from(pixel[channel])];
                }
                if let Some(shift) = self.colour_shift.get(image * channels + channel) {
                    let shift = shift / preprocessing.standard_deviation[channel];
                    output.iter_mut().for_each(|value| *value += shift);
                }
            }
        }
        values
    }
}
