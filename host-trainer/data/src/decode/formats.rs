//! PNG, WebP, BMP, TIFF, GIF and PPM, by the image library.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgba};

use super::{Decoded, LONGEST_SIDE, orientation};

/// Decodes a file of one of these formats; of several frames the first one.
///
/// # Errors
/// The decoder's reason, what a TIFF holds that is not read, or what the bytes begin with where they are of no format that
/// is read.
pub fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let bytes = with_end(bytes);
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let known =
        [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Gif, ImageFormat::Pnm];
    let Some(format) = reader.format().filter(|format| known.contains(format)) else {
        return Err(unknown(&bytes));
    };
    let reason = |error: ImageError| match error {
        ImageError::Unsupported(_) if format == ImageFormat::Tiff => unread_tiff(&bytes, &error),
        error => error.to_string(),
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(reason)?;
    let orientation = orientation_of(&mut decoder, format, &bytes);
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err("its pixels are floating-point numbers without a range; store it with 8 or 16 bits".into());
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(reason)?;
    if format == ImageFormat::Gif {
        fill_around_frame(&mut image, &bytes);
    }
    Ok(Decoded { image, orientation })
}

fn unknown(bytes: &[u8]) -> String {
    match bytes {
        [b'I', b'I', 43, 0, ..] | [b'M', b'M', 0, 43, ..] => {
            "this is a BigTIFF (with offsets of 64 bits), which is not read; store it as an ordinary TIFF or as PNG"
                .into()
        }
        _ => format!(
            "neither JPEG, PNG, WebP, BMP, TIFF, GIF nor PPM; it has {} bytes and starts with {:02x?}",
            bytes.len(),
            &bytes[..bytes.len().min(8)]
        ),
    }
}

/// What a TIFF holds that the decoder refuses: its compression or its pixels, in words, and what to store instead.
fn unread_tiff(bytes: &[u8], error: &ImageError) -> String {
    let number = |tag| orientation::first_number(bytes, tag).flatten();
    // TIFF 6.0 and its supplements; the numbers above 30000 are those of libtiff's tiff.h.
    let compression = match number(259).unwrap_or(1) {
        1 | 4 | 5 | 7 | 8 | 32_773 | 32_946 => None,
        2 => Some("CCITT's modified Huffman code".to_string()),
        3 => Some("CCITT Group 3 (fax)".into()),
        6 => Some("JPEG of the old style".into()),
        34_712 => Some("JPEG 2000".into()),
        34_887 => Some("LERC".into()),
        34_925 => Some("LZMA".into()),
        50_000 => Some("Zstandard".into()),
        50_001 => Some("WebP".into()),
        50_002 => Some("JPEG XL".into()),
        other => Some(format!("method {other}")),
    };
    if let Some(compression) = compression {
        return format!(
            "this TIFF is compressed by {compression}, which is not read; store it without compression, or with LZW, \
             Deflate or PackBits"
        );
    }
    let (colours, channels) = match number(262) {
        Some(0 | 1) => ("gray", 1),
        Some(2) => ("RGB", 3),
        Some(3) => ("colours of a palette", 1),
        Some(4) => ("a mask", 1),
        Some(5) => ("CMYK", 4),
        Some(6) => ("YCbCr", 3),
        Some(8..=10) => ("CIE L*a*b*", 3),
        _ => ("colours of an unknown kind", 1),
    };
    let more = match number(277).unwrap_or(1) - channels {
        1 if matches!(number(338), Some(1 | 2)) => " with alpha".to_string(),
        1 => " with one more channel".into(),
        more if more > 1 => format!(" with {more} more channels"),
        _ => String::new(),
    };
    let kind = match number(339) {
        Some(2) => ", signed",
        Some(3) => ", floating-point",
        _ => "",
    };
    let bits = number(258).unwrap_or(1);
    let detail = match error.to_string() {
        // It counts the bits of a pixel, no more.
        text if text.contains("Unknown(") => String::new(),
        text => format!(" ({text})"),
    };
    format!(
        "this TIFF holds {colours}{more} of {bits} bits a channel{kind}, which is not read; store it as gray, RGB or RGBA \
         of 8 or 16 bits, or as PNG{detail}"
    )
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
fn orientation_of(decoder: &mut impl ImageDecoder, format: ImageFormat, bytes: &[u8]) -> Orientation {
    let xmp = decoder.xmp_metadata().ok().flatten();
    let exif = match format {
        // TIFF is its own Exif block.
        ImageFormat::Tiff => return orientation::find(Some(bytes), xmp.as_deref()),
        ImageFormat::Png => orientation::exif_of_png(bytes),
        _ => decoder.exif_metadata().ok().flatten(),
    };
    orientation::find(exif.as_deref(), xmp.as_deref())
}

/// What Pillow shows of a GIF around a first frame that is smaller than its canvas: the transparent colour where the frame
/// names one, else the first colour of its palette. The background colour of the header counts for neither.
fn fill_around_frame(image: &mut DynamicImage, bytes: &[u8]) {
    let (Some(frame), DynamicImage::ImageRgba8(pixels)) = (GifFrame::first(bytes), image) else {
        return;
    };
    for (x, y, pixel) in pixels.enumerate_pixels_mut() {
        if !frame.holds(x, y) {
            *pixel = frame.around;
        }
    }
}

/// Where the first frame of a GIF lies, and what is around it.
struct GifFrame {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    around: Rgba<u8>,
}

impl GifFrame {
    /// From the blocks up to the frame (GIF 89a, sections 18 to 24); none where they end too early.
    fn first(bytes: &[u8]) -> Option<Self> {
        /// Length of a palette by the flags before it.
        fn palette(flags: u8) -> usize {
            if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
        }
        let palette_length = palette(*bytes.get(10)?);
        let mut colours = bytes.get(13..13 + palette_length)?;
        let mut rest = &bytes[13 + palette_length..];
        let mut transparent = None;
        loop {
            match rest {
                [b',', descriptor @ ..] => {
                    let number =
                        |at: usize| Some(u32::from(u16::from_le_bytes(descriptor.get(at..at + 2)?.try_into().ok()?)));
                    let own = palette(*descriptor.get(8)?);
                    if own > 0 {
                        colours = descriptor.get(9..9 + own)?;
                    }
                    let start = 3 * usize::from(transparent.unwrap_or(0));
                    let &[red, green, blue] = colours.get(start..start + 3).unwrap_or(&[0; 3]) else { return None };
                    let alpha = if transparent.is_some() { 0 } else { 255 };
                    let around = Rgba([red, green, blue, alpha]);
                    let (left, top, width, height) = (number(0)?, number(2)?, number(4)?, number(6)?);
                    return Some(GifFrame { left, top, width, height, around });
                }
                [b'!', kind, blocks @ ..] => {
                    // The graphic control extension: flags, two bytes of time, the transparent colour.
                    if let (0xf9, [4..=255, flags, _, _, colour, ..]) = (kind, blocks)
                        && flags & 1 == 1
                    {
                        transparent = Some(*colour);
                    }
                    rest = blocks;
                    while let [length @ 1..=255, ..] = rest {
                        rest = rest.get(1 + usize::from(*length)..)?;
                    }
                    rest = rest.get(1..)?;
                }
                // Zeros between blocks are passed over by Pillow.
                [0, more @ ..] => rest = more,
                _ => return None,
            }
        }
    }

    fn holds(&self, x: u32, y: u32) -> bool {
        (self.left..self.left + self.width).contains(&x) && (self.top..self.top + self.height).contains(&y)
    }
}
