//! JPEG by libjpeg, whatever the file: the pixels are those of Pillow and of every viewer, and where image data are missing or
//! damaged the decoder says so.
//!
//! zune-jpeg decoded ordinary files at twice the speed. It puts wrong pixels together where components come in scans of their
//! own and chroma is subsampled vertically, and in the last row and column of some sizes that are no multiple of 16; of a
//! file that was cut it makes pixels up. Which files are safe cannot be told from their headers.

mod header;
mod libjpeg;
mod scans;

use super::{Decoded, LONGEST_SIDE, orientation};
use header::Header;

/// Decodes a JPEG.
///
/// # Errors
/// What libjpeg says of a file whose image data are missing or damaged, or that is no JPEG.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let header = Header::read(bytes)?;
    if header.width > LONGEST_SIDE || header.height > LONGEST_SIDE {
        let (width, height) = (header.width, header.height);
        return Err(format!("it has {width} x {height} pixels, more than {LONGEST_SIDE} a side"));
    }
    if header.has_several_scans
        && let Some(component) = scans::incomplete(bytes)
    {
        return Err(format!("it ends before its last scan: coefficients of component {component} are missing"));
    }
    let orientation = orientation::find(header.exif, header.xmp);
    Ok(Decoded { image: libjpeg::decode(bytes, &header)?, orientation })
}
