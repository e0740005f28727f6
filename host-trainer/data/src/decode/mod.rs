//! From the bytes of an image file to pixels of 8 bits.
//!
//! | file | decoder |
//! |---|---|
//! | JPEG | `jpeg`: libjpeg |
//! | PNG, WebP, BMP, TIFF, GIF (its first frame), PPM | `formats`: the image library |
//!
//! Alpha is composited (`alpha`) and the orientation that a camera recorded is applied (`orientation`) as
//! [`Decoding`] says, which every checkpoint records.

mod alpha;
mod formats;
mod jpeg;
mod orientation;

use convrnn_models::Decoding;
use image::DynamicImage;

use super::dataset::{ImageShape, Picture};
use super::error::{DataError, ImageFile, Result};

/// Images of more pixels a side than this are refused before memory is taken for them.
const LONGEST_SIDE: u32 = 1 << 15;

/// What a file holds, before alpha and orientation are dealt with.
struct Decoded {
    image: DynamicImage,
    /// Exif orientation, 1 (none) to 8.
    orientation: image::metadata::Orientation,
}

/// Decodes an image file to 1 (luminance, Rec. 709) or 3 (RGB) channels of 8 bits. The format is seen from the bytes.
///
/// # Errors
/// [`DataError::CorruptImage`] with the decoder's reason, also for a file cut short: what is missing is never filled.
pub fn decode(bytes: &[u8], channels: usize, decoding: &Decoding, file: &ImageFile) -> Result<Picture> {
    let decoded = if bytes.starts_with(&[0xff, 0xd8]) { jpeg::decode(bytes) } else { formats::decode(bytes) };
    let finished = decoded.map(|Decoded { mut image, orientation }| {
        if decoding.apply_orientation {
            image.apply_orientation(orientation);
        }
        to_picture(alpha::flatten(image, decoding.background), channels)
    });
    finished.map_err(|reason| DataError::CorruptImage {
        file: file.clone(),
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

fn to_picture(image: DynamicImage, channels: usize) -> Picture {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let pixels = if channels == 1 { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() };
    Picture { shape: ImageShape { channels, height, width }, pixels }
}

#[cfg(test)]
mod tests;
