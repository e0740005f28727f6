//! The orientation that a camera recorded: Exif tag 0x0112 or, where there is no Exif, `tiff:Orientation` of XMP, as
//! Pillow's `ImageOps.exif_transpose` reads them.

use image::metadata::Orientation;

/// The orientation out of an Exif block (without `Exif\0\0`) and an XMP packet; none where neither names one.
pub fn find(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let from_exif = exif.and_then(Orientation::from_exif_chunk);
    from_exif.or_else(|| xmp.and_then(from_xmp)).unwrap_or(Orientation::NoTransforms)
}

/// `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
fn from_xmp(packet: &[u8]) -> Option<Orientation> {
    const KEY: &[u8] = b"tiff:Orientation";
    let at = packet.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let digit = match packet.get(at..)? {
        [b'=', b'"', digit, ..] | [b'>', digit, ..] => digit,
        _ => return None,
    };
    Orientation::from_exif(digit.wrapping_sub(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_counts_where_exif_is_silent() {
        assert_eq!(find(None, Some(b"<x tiff:Orientation=\"6\"/>")), Orientation::Rotate90);
        assert_eq!(find(None, Some(b"<tiff:Orientation>3</tiff:Orientation>")), Orientation::Rotate180);
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0";
        assert_eq!(find(Some(exif), Some(b"tiff:Orientation=\"6\"")), Orientation::Rotate270);
        for silent in [&b""[..], b"tiff:Orientation", b"tiff:Orientation=\"", b"tiff:Orientation=\"9\"", b"II*\0"] {
            assert_eq!(find(Some(silent), Some(silent)), Orientation::NoTransforms);
        }
    }
}
