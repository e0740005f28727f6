use std::io::Cursor;

use convrnn_models::Decoding;
use image::{DynamicImage, GrayImage, ImageFormat, LumaA, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::folder::FolderOptions;

fn file(name: &str) -> ImageFile {
    ImageFile { path: name.into(), entry: None }
}

fn usual(bytes: &[u8], channels: usize) -> Result<Picture> {
    decode(bytes, channels, &FolderOptions::default().decoding, &file("x"))
}

fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

#[test]
fn bytes_that_are_no_image_are_refused_with_the_file() {
    let file = ImageFile { path: "set.tar".into(), entry: Some("train/cat/7.jpg".into()) };
    for bytes in [&b""[..], b"hello, world", &[0xff, 0xd8], &[0xff, 0xd8, 0xff, 0xe0, 0, 16], &[0xff, 0xd8, 0xff, 0xd9]]
    {
        let error = decode(bytes, 3, &Decoding::default(), &file).unwrap_err().to_string();
        assert!(error.starts_with("set.tar: entry `train/cat/7.jpg`: image cannot be decoded"), "{error}");
    }
}

#[test]
fn a_png_comes_back_exactly_and_as_gray() {
    let pixels: Vec<u8> = (0..2 * 3 * 3).map(|value| value * 13).collect();
    let mut bytes = written(RgbImage::from_raw(3, 2, pixels.clone()).unwrap(), ImageFormat::Png);
    let picture = usual(&bytes, 3).unwrap();
    assert_eq!(picture.shape, ImageShape { channels: 3, height: 2, width: 3 });
    assert_eq!(picture.pixels, pixels);
    assert_eq!(usual(&bytes, 1).unwrap().pixels.len(), 6);
    // Without its last chunk, which holds nothing, it is whole; with fewer bytes than that it is not.
    bytes.truncate(bytes.len() - 12);
    assert_eq!(usual(&bytes, 3).unwrap().pixels, pixels);
    for length in [bytes.len() - 4, bytes.len() / 2] {
        assert!(usual(&bytes[..length], 3).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn a_truncated_jpeg_is_refused_and_not_filled_with_gray() {
    let pixels: Vec<u8> = (0..64 * 64 * 3).map(|value: u32| (value.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let bytes = written(RgbImage::from_raw(64, 64, pixels).unwrap(), ImageFormat::Jpeg);
    let whole = usual(&bytes, 3).unwrap();
    assert_eq!(whole.shape, ImageShape { channels: 3, height: 64, width: 64 });
    for length in [bytes.len() / 4, bytes.len() / 2, bytes.len() - 100] {
        let error = decode(&bytes[..length], 3, &Decoding::default(), &file("x.jpg")).unwrap_err().to_string();
        assert!(error.starts_with("x.jpg: image cannot be decoded") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_gray_jpeg_has_three_equal_channels_or_one() {
    let bytes = written(GrayImage::from_fn(16, 8, |x, _| image::Luma([x as u8 * 8])), ImageFormat::Jpeg);
    let (one, three) = (usual(&bytes, 1).unwrap(), usual(&bytes, 3).unwrap());
    assert_eq!(three.shape, ImageShape { channels: 3, height: 8, width: 16 });
    for (gray, colour) in one.pixels.iter().zip(three.pixels.chunks_exact(3)) {
        assert_eq!(colour, [*gray; 3]);
    }
}

#[test]
fn alpha_shows_the_background_asked_for() {
    // Black ink of four strengths.
    let drawn = RgbaImage::from_fn(4, 1, |x, _| Rgba([0, 0, 0, x as u8 * 85]));
    let bytes = written(drawn, ImageFormat::Png);
    for (background, expected) in [
        (Some([255; 3]), [255, 170, 85, 0]),
        (Some([0; 3]), [0; 4]),
        (Some([100; 3]), [100, 67, 33, 0]),
        (None, [0; 4]),
    ] {
        let decoding = Decoding { background, apply_orientation: true };
        assert_eq!(decode(&bytes, 1, &decoding, &file("x.png")).unwrap().pixels, expected);
    }
    let half = image::ImageBuffer::from_pixel(1, 1, LumaA([200u16 * 257, 128 * 257]));
    let bytes = written(half, ImageFormat::Png);
    let decoding = Decoding { background: Some([10, 20, 30]), apply_orientation: false };
    // (200 * 128 + background * 127) / 255, rounded.
    assert_eq!(decode(&bytes, 3, &decoding, &file("x.png")).unwrap().pixels, [105, 110, 115]);
}

/// A file that libjpeg refuses or warns of leaves nothing behind for the next one on the same thread.
#[test]
fn one_damaged_file_does_not_condemn_the_next() {
    // Gray with sampling 2x2: goes to libjpeg.
    let mut bytes = written(GrayImage::from_pixel(24, 24, image::Luma([90])), ImageFormat::Jpeg);
    let frame = bytes.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
    bytes[frame + 11] = 0x22;
    let whole = usual(&bytes, 1).unwrap();
    assert!(whole.pixels.iter().all(|value| value.abs_diff(90) <= 1));
    for damaged in [&bytes[..bytes.len() - 6], &bytes[..frame + 30], &bytes[..60]] {
        assert!(usual(damaged, 1).is_err());
        assert_eq!(usual(&bytes, 1).unwrap(), whole);
    }
}
