//! From any size to the wanted one: scaling and cropping.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, ImageBufferError, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::dataset::{ImageShape, Picture};

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
    let shape = ImageShape { channels, height: new_height, width: new_width };
    let resample = if channels == 1 { resample::<U8> } else { resample::<U8x3> };
    let pixels = resample(&picture, shape);
    Picture { shape, pixels: pixels.expect("a picture holds channels x height x width bytes") }
}

/// The pixels of another size. Typed, for the two kinds of pixels that there are: the resizer that asks for the kind at
/// run time would be compiled for all thirteen that it knows, which takes minutes.
fn resample<P: PixelTrait>(source: &Picture, target: ImageShape) -> Result<Vec<u8>, ImageBufferError> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let (width, height) = (source.shape.width as u32, source.shape.height as u32);
    let view = TypedImageRef::<P>::from_buffer(width, height, &source.pixels)?;
    let mut pixels = vec![0; target.bytes()];
    let mut scaled = TypedImage::<P>::from_buffer(target.width as u32, target.height as u32, &mut pixels)?;
    // Refused is only a part of the image that lies outside it, and this is the whole.
    Resizer::new().resize_typed(&view, &mut scaled, &options).map_err(|_| ImageBufferError::InvalidBufferSize)?;
    Ok(pixels)
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
