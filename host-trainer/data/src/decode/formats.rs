//! PNG, WebP, BMP, TIFF, GIF and PPM, by the image library.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Decoded, LONGEST_SIDE, orientation};

/// Decodes a file of one of these formats; of several frames the first one.
///
/// # Errors
/// The decoder's reason, or what the bytes begin with where they are of no format that is read.
pub fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let bytes = with_end(bytes);
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let known =
        [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Gif, ImageFormat::Pnm];
    if !reader.format().is_some_and(|format| known.contains(&format)) {
        let start = &bytes[..bytes.len().min(8)];
        return Err(format!(
            "neither JPEG, PNG, WebP, BMP, TIFF, GIF nor PPM; it has {} bytes and starts with {start:02x?}",
            bytes.len()
        ));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let orientation = orientation_of(&mut decoder);
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err("its pixels are floating-point numbers without a range; store it with 8 or 16 bits".into());
    }
    let image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    Ok(Decoded { image, orientation })
}

/// A PNG whose last chunk, which holds nothing, is missing is a whole image: it gets that chunk. Where pixels are missing too,
/// the decoder still says so.
fn with_end(bytes: &[u8]) -> Cow<'_, [u8]> {
    /// Length 0, the name, and the checksum of the name (PNG specification, 11.2.5).
    const END: [u8; 12] = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];
    let is_png = bytes.starts_with(b"\x89PNG\r\n\x1a\n");
    match is_png && !bytes.windows(END.len()).rev().any(|chunk| chunk == END) {
        true => Cow::Owned([bytes, &END[..]].concat()),
        false => Cow::Borrowed(bytes),
    }
}

/// Metadata that cannot be read leave the picture as it is stored; its pixels are still there.
fn orientation_of(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten();
    // TIFF is its own Exif block: the decoder knows the tag.
    if let Ok(found) = decoder.orientation()
        && found != Orientation::NoTransforms
    {
        return found;
    }
    let xmp = decoder.xmp_metadata().ok().flatten();
    orientation::find(exif.as_deref(), xmp.as_deref())
}
