//! The bytes of a collection: records of a header and a program.
//!
//! ```text
//! u32  length of the program in bytes, little endian
//! u32  0
//! 8 bytes of 0
//! the program, then zeros to a multiple of 16 bytes
//! ```
//!
//! So every program starts at a multiple of 16 bytes where the collection does.

use convrnn_runtime::format::ALIGNMENT;

/// Bytes before each program.
pub const HEADER_BYTES: usize = 16;

const _: () = assert!(HEADER_BYTES.is_multiple_of(ALIGNMENT));

/// The header of a program of so many bytes.
pub fn header(length: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = length.to_le_bytes();
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// The length of the program behind a header.
pub fn program_length(header: &[u8; HEADER_BYTES]) -> u32 {
    let [a, b, c, d, ..] = *header;
    u32::from_le_bytes([a, b, c, d])
}

/// Bytes that a program of so many bytes takes with the zeros behind it; the largest number there is where that does
/// not fit one.
pub fn padded_length(length: u32) -> usize {
    (length as usize).checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX)
}

/// The programs of a collection; none, and then an end, where the bytes end within a record.
#[derive(Clone, Copy, Debug)]
pub struct Programs<'a> {
    rest: &'a [u8],
}

impl<'a> Programs<'a> {
    /// All of them.
    pub fn new(collection: &'a [u8]) -> Self {
        Self { rest: collection }
    }
}

impl<'a> Iterator for Programs<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Option<&'a [u8]>> {
        let rest = core::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let Some((header, rest)) = rest.split_first_chunk() else { return Some(None) };
        let length = program_length(header);
        let Some((padded, rest)) = rest.split_at_checked(padded_length(length)) else { return Some(None) };
        self.rest = rest;
        Some(padded.get(..length as usize))
    }
}
