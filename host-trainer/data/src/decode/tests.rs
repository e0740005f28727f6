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

/// A first frame of 2 x 1 pixels at (1, 1) of a canvas of 4 x 3: what Pillow 13 shows around it is its transparent colour, or
/// else its first one, whatever the header calls the background.
#[test]
fn around_a_small_first_frame_of_a_gif_is_what_pillow_shows() {
    let gif = |transparent: Option<u8>, has_own_palette: bool| {
        let colours: [u8; 12] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120];
        let others = [1; 12];
        let mut file = b"GIF89a\x04\0\x03\0\x81\x03\0".to_vec();
        file.extend(if has_own_palette { others } else { colours });
        // A comment, then the transparent colour.
        file.extend(b"!\xfe\x03,,,\0");
        if let Some(transparent) = transparent {
            file.extend([b'!', 0xf9, 4, 1, 0, 0, transparent, 0]);
        }
        file.extend([b',', 1, 0, 1, 0, 2, 0, 1, 0]);
        if has_own_palette {
            file.push(0x81);
            file.extend(colours);
        } else {
            file.push(0);
        }
        // Codes of 3 bits: clear (4), colour 1, colour 2, end (5).
        file.extend([2, 2, 0b1000_1100, 0b0000_1010, 0, b';']);
        file
    };
    let own = [[40, 50, 60], [70, 80, 90]];
    for has_own_palette in [false, true] {
        for (transparent, background, around, frame) in [
            (None, Some([255; 3]), [10, 20, 30], own),
            (None, None, [10, 20, 30], own),
            (Some(3), Some([255; 3]), [255; 3], own),
            (Some(3), None, [100, 110, 120], own),
            (Some(2), Some([255; 3]), [255; 3], [own[0], [255; 3]]),
        ] {
            let decoding = Decoding { background, apply_orientation: true };
            let picture = decode(&gif(transparent, has_own_palette), 3, &decoding, &file("x.gif")).unwrap();
            let mut expected = [around; 12];
            expected[5..7].copy_from_slice(&frame);
            let case = format!("transparent {transparent:?}, background {background:?}, own palette {has_own_palette}");
            assert_eq!(picture.shape, ImageShape { channels: 3, height: 3, width: 4 });
            assert_eq!(picture.pixels, expected.concat(), "{case}");
        }
    }
}

/// A TIFF of one gray pixel with entries beside the usual ones, or in their place.
fn tiff(changed: &[(u16, u16)]) -> Vec<u8> {
    let usual = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 200), (277, 1), (278, 1), (279, 4)];
    let mut entries: std::collections::BTreeMap<u16, u16> = usual.into_iter().collect();
    entries.extend(changed.iter().copied());
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        for part in [tag, 3, 1, 0, value, 0] {
            file.extend(part.to_le_bytes());
        }
    }
    // No further image.
    file.extend([0; 4]);
    file.resize(204, 77);
    file
}

#[test]
fn a_tiff_that_is_not_read_is_called_what_it_is() {
    assert_eq!(usual(&tiff(&[]), 1).unwrap().pixels, [77]);
    for (changed, what) in [
        (
            &[(259, 3), (258, 1)][..],
            "compressed by CCITT Group 3 (fax), which is not read; store it without compression",
        ),
        (&[(259, 2), (258, 1)], "compressed by CCITT's modified Huffman code, "),
        (&[(259, 50_000)], "compressed by Zstandard, which is not read; store it without compression, or with LZW"),
        (&[(259, 34_925)], "compressed by LZMA, "),
        (&[(259, 50_001)], "compressed by WebP, "),
        (&[(259, 6)], "compressed by JPEG of the old style, "),
        (&[(259, 1234)], "compressed by method 1234, "),
        (
            &[(258, 4)],
            "holds gray of 4 bits a channel, which is not read; store it as gray, RGB or RGBA of 8 or 16 bits",
        ),
    ] {
        let error = usual(&tiff(changed), 1).unwrap_err().to_string();
        assert!(
            error.contains(&format!("this TIFF is {what}")) || error.contains(&format!("this TIFF {what}")),
            "{error}"
        );
        assert!(!error.contains("Unknown"), "{error}");
    }
    let with_alpha = written(image::ImageBuffer::from_pixel(1, 1, LumaA([9u8, 8])), ImageFormat::Png);
    assert!(usual(&with_alpha, 1).is_ok());
    for (extra, what) in [(2, "gray with alpha of 8 bits a channel"), (0, "gray with one more channel of 8 bits")] {
        let error = usual(&tiff(&[(277, 2), (338, extra), (279, 2)]), 1).unwrap_err().to_string();
        assert!(error.contains(&format!("this TIFF holds {what}")) && !error.contains("Unknown"), "{error}");
    }
    for start in [b"II\x2b\0\x08\0\0\0", b"MM\0\x2b\0\x08\0\0"] {
        let error = usual(start, 1).unwrap_err().to_string();
        assert!(error.contains("this is a BigTIFF") && error.contains("store it as an ordinary TIFF"), "{error}");
        assert!(!error.contains("neither"), "{error}");
    }
}

#[test]
fn a_png_is_turned_by_the_exif_in_its_text_and_a_tiff_by_its_own() {
    let bytes = written(GrayImage::from_raw(2, 1, vec![1, 2]).unwrap(), ImageFormat::Png);
    // Orientation 6 as 32 bits, in ImageMagick's form.
    let exif = "457869660000\n49492a0008000000010012010400010000000600000000000000";
    let content = format!("Raw profile type exif\0\nexif\n      32\n{exif}\n");
    let mut chunk = b"tEXt".to_vec();
    chunk.extend(content.as_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&chunk);
    let text = [&(content.len() as u32).to_be_bytes()[..], &chunk, &sum.sum().to_be_bytes()].concat();
    // Behind the header, and behind the pixels.
    for at in [33, bytes.len() - 12] {
        let file = [&bytes[..at], &text, &bytes[at..]].concat();
        let picture = usual(&file, 1).unwrap();
        assert_eq!((picture.shape.height, picture.shape.width), (2, 1), "chunk at {at}");
        assert_eq!(super::decode(&file, 1, &Decoding::default(), &self::file("x")).unwrap().shape.width, 2);
    }
    let wide = tiff(&[(256, 2), (274, 6), (279, 2)]);
    assert_eq!(usual(&wide, 1).unwrap().shape, ImageShape { channels: 1, height: 2, width: 1 });
}
