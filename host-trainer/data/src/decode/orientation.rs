//! The orientation that a camera recorded: Exif tag 0x0112 or, where Exif has no such tag, `tiff:Orientation` of XMP, as
//! Pillow's `ImageOps.exif_transpose` reads them.

use std::io::Read;

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;

/// Tag of the orientation.
const ORIENTATION: u16 = 0x0112;
/// Inflated text of a PNG is read up to this size.
const LONGEST_TEXT: u64 = 1 << 24;

/// The orientation out of an Exif block and an XMP packet; none where neither names one. A tag of Exif that holds no
/// orientation counts as one: XMP is not asked then.
pub fn find(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let from_exif = exif.and_then(|block| first_number(block, ORIENTATION));
    let number = from_exif.unwrap_or_else(|| xmp.and_then(from_xmp));
    let orientation = number.and_then(|number| Orientation::from_exif(u8::try_from(number).ok()?));
    orientation.unwrap_or(Orientation::NoTransforms)
}

/// First number that a tag of the first directory of a TIFF or Exif block holds: none where there is no such tag, and none
/// within where it holds a text or bytes. Programs store numbers in every type of whole numbers.
pub fn first_number(block: &[u8], tag: u16) -> Option<Option<i64>> {
    let mut block = block;
    // Some programs write it twice.
    for _ in 0..2 {
        block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    }
    let is_little = match block {
        [b'I', b'I', 42, 0, ..] | [b'I', b'I', 0, 42, ..] => true,
        [b'M', b'M', 0, 42, ..] | [b'M', b'M', 42, 0, ..] => false,
        _ => return None,
    };
    let number = |at: usize, width: usize| -> Option<u64> {
        let bytes = block.get(at..at.checked_add(width)?)?;
        let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        Some(if is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    };
    let directory = number(4, 4)? as usize;
    let entries = (0..number(directory, 2)? as usize).map(|entry| directory + 2 + 12 * entry);
    for at in entries {
        let (found, kind, count) = (number(at, 2)?, number(at + 2, 2)?, number(at + 4, 4)?);
        if found != u64::from(tag) {
            continue;
        }
        // TIFF 6.0, section 2; 13 and 16 are a directory's offset and 64 bits.
        let width = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 => 8,
            _ => continue,
        };
        if count == 0 {
            continue;
        }
        let value = if count * width as u64 > 4 { number(at + 8, 4)? as usize } else { at + 8 };
        let Some(value) = number(value, width) else { continue };
        let is_whole = matches!(kind, 3 | 4 | 6 | 8 | 9 | 13 | 16);
        return Some(if is_whole { i64::try_from(value).ok() } else { None });
    }
    None
}

/// `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
fn from_xmp(packet: &[u8]) -> Option<i64> {
    const KEY: &[u8] = b"tiff:Orientation";
    let places = packet.windows(KEY.len()).enumerate().filter(|(_, window)| *window == KEY);
    let mut digits = places.filter_map(|(at, _)| match &packet[at + KEY.len()..] {
        [b'=', b'"', digit, ..] | [b'>', digit, ..] if digit.is_ascii_digit() => Some(i64::from(digit - b'0')),
        _ => None,
    });
    digits.next()
}

/// The Exif block of a PNG, before or behind its pixels: chunk `eXIf`, or else ImageMagick's text `Raw profile type exif`.
pub fn exif_of_png(file: &[u8]) -> Option<Vec<u8>> {
    let mut rest = file.get(8..)?;
    let mut profile = None;
    while let Some(([a, b, c, d, kind @ ..], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some(content) = after.get(..length) else { break };
        if kind == b"eXIf" {
            return Some(content.to_vec());
        }
        profile = raw_profile(kind, content).or(profile);
        // Behind the chunk lies its checksum.
        rest = after.get(length + 4..).unwrap_or_default();
    }
    profile
}

/// The block in a chunk of text. The text is an empty line, `exif`, the number of bytes, and lines of hexadecimal digits.
fn raw_profile(kind: &[u8; 4], content: &[u8]) -> Option<Vec<u8>> {
    let content = content.strip_prefix(b"Raw profile type exif\0")?;
    let inflated = |bytes: &[u8]| {
        let mut text = Vec::new();
        ZlibDecoder::new(bytes).take(LONGEST_TEXT).read_to_end(&mut text).ok()?;
        Some(text)
    };
    let text = match (kind, content) {
        (b"tEXt", text) => text.to_vec(),
        (b"zTXt", [0, text @ ..]) => inflated(text)?,
        // The language and the translated keyword, each up to a zero, stand before the text.
        (b"iTXt", [is_deflated, _, rest @ ..]) => {
            let text = rest.splitn(3, |&byte| byte == 0).nth(2)?;
            if *is_deflated == 0 { text.to_vec() } else { inflated(text)? }
        }
        _ => return None,
    };
    let lines = text.split(|&byte| byte == b'\n').skip(3).flatten();
    let digits: Option<Vec<u8>> = lines
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|&byte| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Little end first, with one entry.
    fn block(kind: u16, count: u32, value: [u8; 4]) -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01".to_vec();
        block.extend(kind.to_le_bytes());
        block.extend(count.to_le_bytes());
        block.extend(value);
        block.extend([0; 4]);
        block
    }

    #[test]
    fn xmp_counts_where_exif_is_silent() {
        assert_eq!(find(None, Some(b"<x tiff:Orientation=\"6\"/>")), Orientation::Rotate90);
        assert_eq!(find(None, Some(b"<tiff:Orientation>3</tiff:Orientation>")), Orientation::Rotate180);
        assert_eq!(find(None, Some(b"tiff:Orientation='8' tiff:Orientation=\"6\"")), Orientation::Rotate90);
        let exif = block(3, 1, [8, 0, 0, 0]);
        assert_eq!(find(Some(&exif), Some(b"tiff:Orientation=\"6\"")), Orientation::Rotate270);
        for silent in [&b""[..], b"tiff:Orientation", b"tiff:Orientation=\"", b"tiff:Orientation=\"9\"", b"II*\0"] {
            assert_eq!(find(Some(silent), Some(silent)), Orientation::NoTransforms);
        }
    }

    /// What Pillow 13 does with each: numbers of every whole type turn the picture, bytes and texts do not, and whatever the
    /// tag holds, XMP is asked only where there is none.
    #[test]
    fn an_orientation_of_another_type_is_read_as_pillow_does() {
        let xmp = Some(&b"tiff:Orientation=\"3\""[..]);
        for (kind, count, value, expected) in [
            (3, 1, [6, 0, 0, 0], Orientation::Rotate90),
            (3, 2, [6, 0, 8, 0], Orientation::Rotate90),
            (4, 1, [6, 0, 0, 0], Orientation::Rotate90),
            (6, 1, [6, 0, 0, 0], Orientation::Rotate90),
            (8, 1, [6, 0, 0, 0], Orientation::Rotate90),
            (9, 1, [6, 0, 0, 0], Orientation::Rotate90),
            (13, 1, [6, 0, 0, 0], Orientation::Rotate90),
            (1, 1, [6, 0, 0, 0], Orientation::NoTransforms),
            (2, 2, [b'6', 0, 0, 0], Orientation::NoTransforms),
            (7, 1, [6, 0, 0, 0], Orientation::NoTransforms),
            (3, 1, [9, 0, 0, 0], Orientation::NoTransforms),
            (4, 1, [6, 1, 0, 0], Orientation::NoTransforms),
            (3, 0, [6, 0, 0, 0], Orientation::Rotate180),
            (99, 1, [6, 0, 0, 0], Orientation::Rotate180),
        ] {
            assert_eq!(find(Some(&block(kind, count, value)), xmp), expected, "type {kind}, {count} values {value:?}");
        }
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\0";
        assert_eq!(find(Some(big), None), Orientation::Rotate270);
        assert_eq!(find(Some(&[b"Exif\0\0Exif\0\0", &big[..]].concat()), None), Orientation::Rotate270);
        for length in 0..big.len() - 4 {
            assert_eq!(find(Some(&big[..length]), None), Orientation::NoTransforms, "{length} bytes");
        }
    }

    #[test]
    fn a_text_of_a_png_may_hold_exif() {
        let exif = [b"Exif\0\0", &block(3, 1, [6, 0, 0, 0])[..]].concat();
        let digits: String = exif.iter().map(|byte| format!("{byte:02x}")).collect();
        let (start, end) = digits.split_at(20);
        let text = format!("\nexif\n{:8}\n{start}\n{end}\n", exif.len());
        let mut zipped = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut zipped, text.as_bytes()).unwrap();
        let zipped = zipped.finish().unwrap();
        let png = |chunks: &[(&[u8; 4], &[&[u8]])]| {
            let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
            for (kind, parts) in chunks {
                let content = parts.concat();
                file.extend((content.len() as u32).to_be_bytes());
                file.extend(*kind);
                file.extend(content);
                file.extend([0; 4]);
            }
            file
        };
        let key = b"Raw profile type exif\0";
        for chunk in [
            (b"tEXt", &[&key[..], text.as_bytes()][..]),
            (b"zTXt", &[&key[..], &[0], &zipped]),
            (b"iTXt", &[&key[..], &[0, 0], b"en\0key\0", text.as_bytes()]),
            (b"iTXt", &[&key[..], &[1, 0, 0, 0], &zipped]),
        ] {
            let file = png(&[(b"IDAT", &[b"pixels"]), chunk]);
            assert_eq!(exif_of_png(&file).unwrap(), exif);
            assert_eq!(find(exif_of_png(&file).as_deref(), None), Orientation::Rotate90);
            let own = png(&[chunk, (b"eXIf", &[b"own"])]);
            assert_eq!(exif_of_png(&own).unwrap(), b"own", "the chunk of its own counts");
        }
        for wrong in ["", "\nexif\n 3\n45x", "\nexif\n 3\n456"] {
            let found = exif_of_png(&png(&[(b"tEXt", &[key, wrong.as_bytes()])]));
            assert_eq!(find(found.as_deref(), None), Orientation::NoTransforms, "{wrong:?}");
        }
        assert_eq!(exif_of_png(b"\x89PNG\r\n\x1a\n\0\0\xff\xffeXIf"), None);
    }
}
