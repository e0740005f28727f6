//! From the bytes of a JPEG or PNG to pixels, and from any size to the wanted one.

use std::io::Cursor;

use fast_image_resize::images::{self as resize, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageReader, Limits, RgbImage};
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::dataset::{ImageShape, Picture};
use super::error::{DataError, ImageFile, Result};

/// Images of more pixels a side than this are refused before memory is taken for them.
const LONGEST_SIDE: u32 = 1 << 15;

/// Decodes a JPEG or PNG (seen from its bytes) to 1 (luminance, Rec. 709) or 3 (RGB) channels of
/// 8 bits. Orientation tags are not applied and alpha is dropped, as in torchvision's image folder.
///
/// # Errors
/// [`DataError::CorruptImage`] with the decoder's reason, also for a JPEG cut short.
pub fn decode(bytes: &[u8], channels: usize, file: &ImageFile) -> Result<Picture> {
    let decoded = if bytes.starts_with(&[0xff, 0xd8, 0xff]) { decode_jpeg(bytes) } else { decode_other(bytes) };
    decoded.map(|image| to_picture(image, channels)).map_err(|reason| DataError::CorruptImage {
        file: file.clone(),
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

/// The decoder below the image library's, in strict mode: the library's own setting fills what is
/// missing of a truncated file with gray and says nothing.
fn decode_jpeg(bytes: &[u8]) -> Result<DynamicImage, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(LONGEST_SIDE as usize)
        .set_max_height(LONGEST_SIDE as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no dimensions")?;
    let image = RgbImage::from_raw(width as u32, height as u32, pixels).ok_or("its pixels are not RGB")?;
    Ok(DynamicImage::ImageRgb8(image))
}

fn decode_other(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format().is_none() {
        let start = &bytes[..bytes.len().min(8)];
        return Err(format!("neither JPEG nor PNG; it has {} bytes and starts with {start:02x?}", bytes.len()));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    reader.limits(limits);
    reader.decode().map_err(|error| error.to_string())
}

fn to_picture(image: DynamicImage, channels: usize) -> Picture {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let pixels = if channels == 1 { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() };
    Picture { shape: ImageShape { channels, height, width }, pixels }
}

/// Height and width after scaling so that the shorter side has `short` pixels, rounded to the
/// nearest pixel (half up).
pub fn scaled_extents(height: usize, width: usize, short: usize) -> (usize, usize) {
    let scale = |long: usize, base: usize| ((2 * long * short + base) / (2 * base)).max(1);
    if height <= width { (short, scale(width, height)) } else { (scale(height, width), short) }
}

/// Scales a picture so that its shorter side has `short` pixels, keeping proportions.
///
/// Bilinear with a filter as wide as the reduction (a triangle), so that shrinking does not
/// alias; the same kind of filter as Pillow's and torchvision's default.
pub fn scale_short_side(picture: Picture, short: usize) -> Picture {
    let ImageShape { channels, height, width } = picture.shape;
    let (new_height, new_width) = scaled_extents(height, width, short);
    if (new_height, new_width) == (height, width) {
        return picture;
    }
    let kind = if channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut scaled = resize::Image::new(new_width as u32, new_height as u32, kind);
    let source = ImageRef::new(width as u32, height as u32, &picture.pixels, kind);
    let resized = source.map(|source| Resizer::new().resize(&source, &mut scaled, &options));
    // Refused are only buffers that are too short for their extents, and pixels of another kind.
    assert!(matches!(resized, Ok(Ok(()))), "a picture holds channels x height x width bytes");
    let shape = ImageShape { channels, height: new_height, width: new_width };
    Picture { shape, pixels: scaled.into_vec() }
}

/// Copies the window of `target` whose top left corner is (`top`, `left`) out of `source` into
/// `pixels`. Parts of the window outside the source get `fill` (one value a channel).
pub fn crop_into(source: &Picture, top: isize, left: isize, target: ImageShape, fill: &[u8], pixels: &mut [u8]) {
    let channels = target.channels;
    let width = source.shape.width as isize;
    for (row, line) in pixels.chunks_exact_mut(target.width * channels).enumerate() {
        let y = top + row as isize;
        let first = (-left).clamp(0, target.width as isize);
        let last = (width - left).clamp(first, target.width as isize);
        let inside = y >= 0 && y < source.shape.height as isize && first < last;
        if !inside || first > 0 || last < target.width as isize {
            line.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(fill));
        }
        if inside {
            let start = ((y * width + left + first) as usize) * channels;
            let (first, last) = (first as usize * channels, last as usize * channels);
            line[first..last].copy_from_slice(&source.pixels[start..start + last - first]);
        }
    }
}

/// Where a window of `wanted` pixels starts in the middle of `available`.
pub fn centre(available: usize, wanted: usize) -> isize {
    (available as isize - wanted as isize) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gray(height: usize, width: usize, pixels: Vec<u8>) -> Picture {
        Picture { shape: ImageShape { channels: 1, height, width }, pixels }
    }

    #[test]
    fn bytes_that_are_no_image_are_refused_with_the_file() {
        let file = ImageFile { path: "set.tar".into(), entry: Some("train/cat/7.jpg".into()) };
        for bytes in [&b""[..], b"hello, world", &[0xff, 0xd8, 0xff, 0xe0, 0, 16]] {
            let error = decode(bytes, 3, &file).unwrap_err().to_string();
            assert!(error.starts_with("set.tar: entry `train/cat/7.jpg`: image cannot be decoded"), "{error}");
        }
    }

    #[test]
    fn a_png_comes_back_exactly_and_as_gray() {
        let file = ImageFile { path: "x.png".into(), entry: None };
        let pixels: Vec<u8> = (0..2 * 3 * 3).map(|value| value * 13).collect();
        let image = image::RgbImage::from_raw(3, 2, pixels.clone()).unwrap();
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        let picture = decode(&bytes, 3, &file).unwrap();
        assert_eq!(picture.shape, ImageShape { channels: 3, height: 2, width: 3 });
        assert_eq!(picture.pixels, pixels);
        assert_eq!(decode(&bytes, 1, &file).unwrap().pixels.len(), 6);
        bytes.truncate(bytes.len() / 2);
        assert!(decode(&bytes, 3, &file).is_err());
    }

    #[test]
    fn a_truncated_jpeg_is_refused_and_not_filled_with_gray() {
        let file = ImageFile { path: "x.jpg".into(), entry: None };
        let pixels: Vec<u8> =
            (0..64 * 64 * 3).map(|value: u32| (value.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let image = RgbImage::from_raw(64, 64, pixels).unwrap();
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
        let whole = decode(&bytes, 3, &file).unwrap();
        assert_eq!(whole.shape, ImageShape { channels: 3, height: 64, width: 64 });
        for length in [bytes.len() / 4, bytes.len() / 2, bytes.len() - 100] {
            let error = decode(&bytes[..length], 3, &file).unwrap_err().to_string();
            assert!(error.starts_with("x.jpg: image cannot be decoded") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_gray_jpeg_has_three_equal_channels_or_one() {
        let file = ImageFile { path: "x.jpg".into(), entry: None };
        let image = image::GrayImage::from_fn(16, 8, |x, _| image::Luma([x as u8 * 8]));
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
        let (one, three) = (decode(&bytes, 1, &file).unwrap(), decode(&bytes, 3, &file).unwrap());
        assert_eq!(three.shape, ImageShape { channels: 3, height: 8, width: 16 });
        for (gray, colour) in one.pixels.iter().zip(three.pixels.chunks_exact(3)) {
            assert_eq!(colour, [*gray; 3]);
        }
    }

    #[test]
    fn scaling_keeps_proportions_and_flat_colour() {
        assert_eq!(scaled_extents(192, 256, 128), (128, 171));
        assert_eq!(scaled_extents(300, 200, 100), (150, 100));
        assert_eq!(scaled_extents(1, 1000, 1), (1, 1000));
        let scaled = scale_short_side(gray(20, 30, vec![77; 600]), 8);
        assert_eq!(scaled.shape, ImageShape { channels: 1, height: 8, width: 12 });
        assert!(scaled.pixels.iter().all(|&value| value == 77));
    }

    proptest! {
        /// A crop shows the source inside it and the fill outside it, pixel by pixel.
        #[test]
        fn crop_agrees_with_its_definition(
            height in 1usize..6, width in 1usize..6, channels in prop::sample::select(vec![1usize, 3]),
            rows in 1usize..8, columns in 1usize..8, top in -9isize..9, left in -9isize..9,
        ) {
            let shape = ImageShape { channels, height, width };
            let source = Picture { shape, pixels: (1..=shape.bytes()).map(|value| value as u8).collect() };
            let target = ImageShape { channels, height: rows, width: columns };
            let fill = vec![200u8; channels];
            let mut pixels = vec![0; target.bytes()];
            crop_into(&source, top, left, target, &fill, &mut pixels);
            for row in 0..rows { for column in 0..columns { for channel in 0..channels {
                let (y, x) = (top + row as isize, left + column as isize);
                let inside = y >= 0 && x >= 0 && (y as usize) < height && (x as usize) < width;
                let expected = if inside { source.pixels[(y as usize * width + x as usize) * channels + channel] } else { 200 };
                prop_assert_eq!(pixels[(row * columns + column) * channels + channel], expected);
            }}}
        }
    }
}
