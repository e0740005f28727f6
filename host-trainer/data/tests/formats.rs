//! Image files of every format that is read, beside what Pillow makes of them: as it stores them, and turned by their
//! orientation and composited on white. `corpus/record.py formats` made the files and recorded the pixels.

use std::collections::BTreeMap;
use std::path::Path;

use convrnn_data::decode::decode;
use convrnn_data::files::Listing;
use convrnn_data::{FolderOptions, ImageFile};
use convrnn_models::Decoding;

/// Files whose pixels differ by more than a rounding, and by how much at most.
///
/// - 16 bits: we round to the nearest of 256 levels, Pillow takes the high byte.
/// - JPEG within TIFF: zune-jpeg's arithmetic, which the image library decodes it with, instead of libjpeg's.
const LARGER: [(&str, u8); 4] = [("gray-16.png", 1), ("rgb-16.png", 1), ("rgba-16.png", 2), ("jpeg.tif", 1)];

/// Not read, and why.
const REFUSED: [(&str, &str); 1] = [("palette.tif", "palette")];

fn parts(recorded: &[u8]) -> (usize, usize, &[u8]) {
    let number = |at: usize| u32::from_le_bytes(recorded[at..at + 4].try_into().unwrap()) as usize;
    (number(0), number(4), &recorded[8..])
}

fn kept_or_finished<'a>(contents: &'a BTreeMap<&str, Vec<u8>>, name: &str, suffix: &str) -> &'a [u8] {
    let found = contents.get(format!("{name}.{suffix}").as_str());
    found.unwrap_or_else(|| &contents[format!("{name}.rgb").as_str()])
}

/// Whether a name fits a pattern with one star.
fn is_of(name: &str, pattern: &str) -> bool {
    pattern.split_once('*').is_some_and(|(start, end)| name.starts_with(start) && name.ends_with(end))
}

#[test]
fn every_format_has_pillows_pixels() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/formats.zip");
    let listing = Listing::open(&archive).unwrap();
    let contents: BTreeMap<&str, Vec<u8>> =
        (0..listing.len()).map(|index| (listing.name(index), listing.read(index).unwrap())).collect();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, bytes) in contents.iter().filter(|(name, _)| contents.contains_key(format!("{name}.rgb").as_str())) {
        let file = ImageFile { path: name.into(), entry: None };
        for (suffix, decoding) in [("rgb", FolderOptions::default().decoding), ("kept", Decoding::default())] {
            // Pillow turns a TIFF while it reads it.
            if suffix == "kept" && *name == "orientation-6.tif" {
                continue;
            }
            let (width, height, expected) = parts(kept_or_finished(&contents, name, suffix));
            let picture = match decode(bytes, 3, &decoding, &file) {
                Ok(picture) => picture,
                Err(error) => {
                    let refused =
                        REFUSED.iter().any(|(refused, why)| refused == name && error.to_string().contains(why));
                    if !refused {
                        wrong.push(format!("{error}"));
                    }
                    continue;
                }
            };
            if (picture.shape.width, picture.shape.height) != (width, height) {
                wrong.push(format!("{name}.{suffix}: {:?}, expected {width} x {height}", picture.shape));
                continue;
            }
            let differences = picture.pixels.iter().zip(expected).map(|(ours, theirs)| ours.abs_diff(*theirs));
            let largest = differences.max().unwrap();
            println!("{name:<28} {suffix:<4} largest difference {largest}");
            let limit =
                LARGER.iter().find(|(other, _)| other == name || is_of(name, other)).map_or(0, |(_, limit)| *limit);
            if largest > limit {
                wrong.push(format!("{name}.{suffix}: {largest}"));
            }
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 100, "{compared}");
}
