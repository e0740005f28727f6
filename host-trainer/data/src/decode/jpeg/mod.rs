//! JPEG by two decoders: a fast one for ordinary files, libjpeg for all others.
//!
//! zune-jpeg is fast, in Rust, and right for what cameras and encoders write by default. It puts wrong pixels together
//! where components come in scans of their own and chroma is subsampled vertically, refuses files that libjpeg (and so
//! Pillow and every viewer) reads, and does not tell of a progressive file whether scans are missing. So a file goes to
//! zune-jpeg only if its header is ordinary (`Header::is_ordinary`), and libjpeg has the last word on what zune-jpeg
//! refuses.

mod header;
mod libjpeg;

use image::{DynamicImage, RgbImage};
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Decoded, LONGEST_SIDE, orientation};
use header::Header;

/// Decodes a JPEG.
///
/// # Errors
/// What libjpeg says of a file whose image data are missing or damaged, or that is no JPEG.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let header = Header::read(bytes)?;
    if header.width > LONGEST_SIDE || header.height > LONGEST_SIDE {
        let (width, height) = (header.width, header.height);
        return Err(format!("it has {width} x {height} pixels, more than {LONGEST_SIDE} a side"));
    }
    let orientation = orientation::find(header.exif, header.xmp);
    let fast = if header.is_ordinary() { decode_fast(bytes) } else { None };
    let image = match fast {
        Some(image) => image,
        None => libjpeg::decode(bytes, &header)?,
    };
    Ok(Decoded { image, orientation })
}

/// zune-jpeg in strict mode: otherwise it fills what is missing of a truncated file with gray and says nothing. With an
/// end marker behind the place where it was cut, it does so in strict mode too: the last pixels are then all the same,
/// and libjpeg is asked.
fn decode_fast(bytes: &[u8]) -> Option<DynamicImage> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(LONGEST_SIDE as usize)
        .set_max_height(LONGEST_SIDE as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().ok()?;
    let (width, height) = decoder.dimensions()?;
    let image = RgbImage::from_raw(width as u32, height as u32, pixels)?;
    (!ends_flat(&image)).then_some(DynamicImage::ImageRgb8(image))
}

/// Whether the last pixels, up to 4 x 4 within the last block, are one colour.
fn ends_flat(image: &RgbImage) -> bool {
    let visible = |extent: u32| ((extent - 1) % 8 + 1).min(4);
    let (width, height) = image.dimensions();
    let last = image.get_pixel(width - 1, height - 1);
    let rows = height - visible(height)..height;
    rows.flat_map(|y| (width - visible(width)..width).map(move |x| (x, y))).all(|(x, y)| image.get_pixel(x, y) == last)
}
