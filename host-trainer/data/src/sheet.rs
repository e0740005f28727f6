//! Pictures of a data set for reports: a grid of images with their labels.

use std::path::Path;

use font8x8::UnicodeFonts;
use image::{ImageEncoder, ImageFormat, Rgb, RgbImage};

use super::dataset::Picture;
use super::error::{DataError, Result};

const GAP: u32 = 6;
const TEXT_HEIGHT: u32 = 12;
/// Images are enlarged by a whole factor to at least this many pixels a side.
const SHOWN_SIDE: usize = 84;
const BACKGROUND: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([20, 20, 20]);

/// Draws a PNG grid of images, enlarged by a whole factor without smoothing, with the name of
/// each one's class below it, and returns its bytes. Names beyond ASCII show `?`; long ones are cut.
///
/// # Errors
/// [`DataError::Invalid`] where `images` and `labels` differ in number or a label has no name.
pub fn contact_sheet(images: &[Picture], labels: &[usize], names: &[String], columns: usize) -> Result<Vec<u8>> {
    if images.is_empty()
        || images.len() != labels.len()
        || columns == 0
        || labels.iter().any(|&label| label >= names.len())
    {
        return Err(DataError::Invalid {
            what: "images of a contact sheet",
            expected: format!("at least one image and column, a label for each, all below {} names", names.len()),
            found: format!(
                "{} images, {} labels up to {:?}, {columns} columns",
                images.len(),
                labels.len(),
                labels.iter().max()
            ),
        });
    }
    let side = |extent: fn(&Picture) -> usize| images.iter().map(extent).max().unwrap_or(1).max(1);
    let (height, width) = (side(|picture| picture.shape.height), side(|picture| picture.shape.width));
    let factor = SHOWN_SIDE.div_ceil(height.max(width)) as u32;
    let cell = (width as u32 * factor + GAP, height as u32 * factor + TEXT_HEIGHT + GAP);
    let columns = columns.min(images.len());
    let rows = images.len().div_ceil(columns) as u32;
    let mut sheet = RgbImage::from_pixel(columns as u32 * cell.0 + GAP, rows * cell.1 + GAP, BACKGROUND);
    for (number, (picture, &label)) in images.iter().zip(labels).enumerate() {
        let left = GAP + (number % columns) as u32 * cell.0;
        let top = GAP + (number / columns) as u32 * cell.1;
        paste(&mut sheet, picture, left, top, factor);
        write_text(&mut sheet, &names[label], left, top + height as u32 * factor + 2, cell.0 - GAP);
    }
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(sheet.as_raw(), sheet.width(), sheet.height(), image::ExtendedColorType::Rgb8)
        .map_err(|error| DataError::Invalid {
            what: "contact sheet",
            expected: format!("{:?} can be encoded", ImageFormat::Png),
            found: error.to_string(),
        })?;
    Ok(bytes)
}

/// Writes [`contact_sheet`] with ten columns to a file, under a temporary name and then renamed.
///
/// # Errors
/// As [`contact_sheet`], and [`DataError::Io`].
pub fn write_contact_sheet(path: &Path, images: &[Picture], labels: &[usize], names: &[String]) -> Result<()> {
    let bytes = contact_sheet(images, labels, names, 10)?;
    let temporary = path.with_extension("png.part");
    std::fs::write(&temporary, bytes).map_err(|error| DataError::io("write", &temporary, error))?;
    std::fs::rename(&temporary, path).map_err(|error| DataError::io("rename to its final name", path, error))
}

fn paste(sheet: &mut RgbImage, picture: &Picture, left: u32, top: u32, factor: u32) {
    let channels = picture.shape.channels;
    for (at, pixel) in picture.pixels.chunks_exact(channels).enumerate() {
        let colour = if channels == 1 { Rgb([pixel[0]; 3]) } else { Rgb([pixel[0], pixel[1], pixel[2]]) };
        let (row, column) = ((at / picture.shape.width) as u32, (at % picture.shape.width) as u32);
        for y in 0..factor {
            for x in 0..factor {
                sheet.put_pixel(left + column * factor + x, top + row * factor + y, colour);
            }
        }
    }
}

fn write_text(sheet: &mut RgbImage, text: &str, left: u32, top: u32, width: u32) {
    for (place, character) in text.chars().take((width / 8) as usize).enumerate() {
        let character = if character.is_ascii() { character } else { '?' };
        let Some(glyph) = font8x8::BASIC_FONTS.get(character) else {
            continue;
        };
        for (row, bits) in glyph.iter().enumerate() {
            for column in (0..8).filter(|column| bits & (1 << column) != 0) {
                sheet.put_pixel(left + place as u32 * 8 + column, top + row as u32, INK);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::ImageShape;
    use super::*;

    #[test]
    fn the_sheet_is_a_png_that_shows_the_pixels() {
        let picture =
            |value: u8| Picture { shape: ImageShape { channels: 1, height: 28, width: 28 }, pixels: vec![value; 784] };
        let names = vec!["zero".to_string(), "a very long name".to_string()];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        write_contact_sheet(&path, &[picture(10), picture(200)], &[0, 1], &names).unwrap();
        let sheet = image::open(&path).unwrap().into_rgb8();
        assert_eq!(sheet.dimensions(), (2 * (84 + GAP) + GAP, 84 + TEXT_HEIGHT + 2 * GAP));
        assert_eq!(sheet.get_pixel(GAP + 5, GAP + 5), &Rgb([10; 3]));
        assert_eq!(sheet.get_pixel(GAP + 84 + GAP + 5, GAP + 5), &Rgb([200; 3]));
        assert!(
            (GAP..GAP + 40).any(|x| (GAP + 84..GAP + 96).any(|y| sheet.get_pixel(x, y) == &INK)),
            "the label is written"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
        assert!(contact_sheet(&[picture(0)], &[2], &names, 3).is_err());
    }
}
