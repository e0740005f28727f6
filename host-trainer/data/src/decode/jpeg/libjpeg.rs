//! libjpeg (mozjpeg's copy, built from source without its assembly): the decoder that Pillow and the viewers use.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, Read};
use std::panic::AssertUnwindSafe;

use image::{DynamicImage, GrayImage, RgbImage};
use mozjpeg::ColorSpace;
use mozjpeg::Decompress;
use mozjpeg_sys::{jpeg_common_struct, jpeg_error_mgr};

use super::header::Header;

thread_local! {
    /// The first warning of this thread's decoder that says that image data are missing or damaged.
    static DAMAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Warnings after which pixels are made up. Not so: an unknown version of JFIF, an unusual order of progressive scans, and stray
/// bytes before a marker, which say nothing of pixels between segments, and behind a scan that its codes may have been damaged:
/// Pillow and every viewer show such a file, and so it is read here.
const DAMAGES: [&str; 5] =
    ["premature end", "Premature end", "bad Huffman code", "bad arithmetic code", "instead of RST"];

/// Decodes a JPEG as Pillow does: accurate integer DCT, smooth upsampling of chroma, CMYK by Adobe's convention
/// (stored inverted) to RGB as `255 - k` less its share of the ink.
///
/// # Errors
/// libjpeg's reason; also where it would fill what is missing with gray and go on.
pub fn decode(bytes: &[u8], header: &Header<'_>) -> Result<DynamicImage, String> {
    DAMAGE.set(None);
    let is_cut_short = Cell::new(false);
    let whole = AssertUnwindSafe(|| read(ClosedFile { rest: bytes, is_cut_short: &is_cut_short }));
    let image = match std::panic::catch_unwind(whole) {
        Ok(read) => read.map_err(|error| error.to_string())?,
        Err(reason) => return Err(reason.downcast::<String>().map_or_else(|_| "libjpeg failed".into(), |text| *text)),
    };
    if let Some(damage) = DAMAGE.take() {
        return Err(damage);
    }
    // Of one scan of Huffman codes every pixel has been seen by now; of several scans the last ones may be missing, and
    // arithmetic codes go on without bytes.
    if is_cut_short.get() && (header.has_several_scans || header.is_arithmetic) {
        return Err("it ends before its last scan is complete".into());
    }
    Ok(image)
}

fn read(file: ClosedFile<'_>) -> std::io::Result<DynamicImage> {
    let decoder = Decompress::builder().with_err(error_manager()).from_reader(file)?;
    let wrong = |text: &str| std::io::Error::other(text.to_string());
    let (wanted, channels) = match decoder.color_space() {
        ColorSpace::JCS_GRAYSCALE => (ColorSpace::JCS_GRAYSCALE, 1),
        ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => (ColorSpace::JCS_CMYK, 4),
        ColorSpace::JCS_YCbCr | ColorSpace::JCS_RGB => (ColorSpace::JCS_RGB, 3),
        _ => return Err(wrong("its components are neither gray, RGB, YCbCr, CMYK nor YCCK")),
    };
    let mut decoder = decoder.to_colorspace(wanted)?;
    let (width, height) = (decoder.width() as u32, decoder.height() as u32);
    let pixels: Vec<u8> = decoder.read_scanlines()?;
    decoder.finish()?;
    let image = match channels {
        1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        3 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
        _ => RgbImage::from_raw(width, height, from_cmyk(&pixels)).map(DynamicImage::ImageRgb8),
    };
    image.ok_or_else(|| wrong("it has fewer pixels than its header says"))
}

/// Inverted CMYK to RGB: with white `w = k` and ink `c' = 255 - c`, red is `w - c' w / 255`, rounded.
fn from_cmyk(pixels: &[u8]) -> Vec<u8> {
    let mut colours = Vec::with_capacity(pixels.len() / 4 * 3);
    for pixel in pixels.chunks_exact(4) {
        let white = u32::from(pixel[3]);
        colours.extend(pixel[..3].iter().map(|&inverted| {
            let ink = (255 - u32::from(inverted)) * white + 128;
            (white - ((((ink >> 8) + ink) >> 8).min(white))) as u8
        }));
    }
    colours
}

/// The bytes of a file with an end-of-image marker behind them, so that one that lacks nothing else is whole.
struct ClosedFile<'a> {
    rest: &'a [u8],
    is_cut_short: &'a Cell<bool>,
}

impl Read for ClosedFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for ClosedFile<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.rest.is_empty() && !self.is_cut_short.replace(true) {
            self.rest = &[0xff, 0xd9];
        }
        Ok(self.rest)
    }

    fn consume(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }
}

/// Errors unwind to [`decode`]; warnings are looked at.
#[expect(unsafe_code, reason = "a C binding")]
fn error_manager() -> jpeg_error_mgr {
    // SAFETY: every field is an optional function, an integer or a raw pointer, for which zeros are valid, and
    // `jpeg_std_error` sets them all.
    let mut manager = unsafe {
        let mut manager: jpeg_error_mgr = std::mem::zeroed();
        mozjpeg_sys::jpeg_std_error(&mut manager);
        manager
    };
    manager.error_exit = Some(leave);
    manager.emit_message = Some(look_at);
    manager
}

extern "C-unwind" fn leave(decoder: &mut jpeg_common_struct) {
    // Not a panic of ours: no message on the terminal.
    std::panic::resume_unwind(Box::new(message(decoder)));
}

extern "C-unwind" fn look_at(decoder: &mut jpeg_common_struct, level: i32) {
    // Below 0 are warnings, the others are traces.
    if level < 0 {
        let text = message(decoder);
        if DAMAGES.iter().any(|damage| text.contains(damage)) {
            DAMAGE.with_borrow_mut(|first| {
                first.get_or_insert(text);
            });
        }
    }
}

/// The text of the message that libjpeg has just stored.
#[expect(unsafe_code, reason = "a C binding")]
fn message(decoder: &mut jpeg_common_struct) -> String {
    // The binding declares a shorter buffer (libjpeg's JMSG_LENGTH_MAX is 200) that is only read, which it is not.
    type Format = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &mut [u8; 200]);
    type Declared = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &[u8; 80]);
    let mut text = [0; 200];
    // SAFETY: `err` points at the manager of `error_manager`, which lives as long as the decoder that calls back; a
    // reference to an array of another length is the same pointer to C, which writes at most 200 bytes.
    unsafe {
        if let Some(format) = (*decoder.err).format_message {
            let format = std::mem::transmute::<Declared, Format>(format);
            format(decoder, &mut text);
        }
    }
    let length = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..length]).into_owned()
}
