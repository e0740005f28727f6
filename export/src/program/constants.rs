//! The constants section: aligned, each distinct constant once.

use convrnn_format::{ALIGNMENT, NONE};
use std::collections::HashMap;

/// Collects constants. Offsets count from the program's start once the section's start is known.
#[derive(Debug, Default)]
pub(super) struct Constants {
    bytes: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
}

impl Constants {
    /// Adds a constant and gives its offset within the section.
    pub fn add(&mut self, constant: Vec<u8>) -> u32 {
        if let Some(&offset) = self.known.get(&constant) {
            return offset;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        let offset = u32::try_from(self.bytes.len()).unwrap_or(NONE);
        self.bytes.extend_from_slice(&constant);
        self.known.insert(constant, offset);
        offset
    }

    /// The section.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
