//! How the images of a folder become one shape.

use convrnn_models::Decoding;

use crate::error::{DataError, Result};

/// How the images of a folder become one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderOptions {
    /// 3 (RGB, the default) or 1 (luminance).
    pub channels: usize,
    /// Side of the square that images are cropped to; none: all images must already be equal.
    pub size: Option<usize>,
    /// Pixels of the shorter side before the crop; none: `size`.
    pub short: Option<usize>,
    /// What is done with alpha and orientation: alpha on white, orientation applied.
    pub decoding: Decoding,
}

/// White.
pub const WHITE: [u8; 3] = [255; 3];

impl Default for FolderOptions {
    fn default() -> Self {
        let decoding = Decoding { background: Some(WHITE), apply_orientation: true };
        FolderOptions { channels: 3, size: None, short: None, decoding }
    }
}

impl FolderOptions {
    /// Verifies ranges.
    ///
    /// # Errors
    /// [`DataError::Invalid`] that names the option.
    pub fn check(&self) -> Result<()> {
        if !matches!(self.channels, 1 | 3) {
            return Err(DataError::Invalid {
                what: "option `channels` of an image folder",
                expected: "1 (luminance) or 3 (RGB)".into(),
                found: self.channels.to_string(),
            });
        }
        for (what, value) in
            [("option `size` of an image folder", self.size), ("option `short` of an image folder", self.short)]
        {
            if let Some(value) = value.filter(|value| !(1..=4096).contains(value)) {
                return Err(DataError::Invalid { what, expected: "1 to 4096 pixels".into(), found: value.to_string() });
            }
        }
        if let Some(short) = self.short {
            let size = self.size.unwrap_or(usize::MAX);
            if short < size {
                return Err(DataError::Invalid {
                    what: "option `short` of an image folder",
                    expected: "a `size` beside it that is not larger, so that the crop fits".into(),
                    found: format!("short={short}, size={}", self.size.map_or("none".into(), |size| size.to_string())),
                });
            }
        }
        Ok(())
    }
}
