//! CRC-32/ISO-HDLC (the one of zip and Ethernet), for programs, states, logits and the protocol.

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

/// The algorithm with one table of 1 KiB.
pub const CRC32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

static SHARED: Crc<u32, Table<1>> = CRC32;

/// The CRC of some bytes.
pub fn checksum(bytes: &[u8]) -> u32 {
    SHARED.checksum(bytes)
}

/// Starts a CRC over bytes that lie in several pieces.
pub fn digest() -> Digest<'static, u32, Table<1>> {
    SHARED.digest()
}

/// The CRC of a program, with its own CRC field taken as zero.
pub fn program_checksum(bytes: &[u8]) -> u32 {
    let (before, after) = bytes.split_at_checked(crate::prelude::CRC_OFFSET).unwrap_or((bytes, &[]));
    let mut digest = digest();
    digest.update(before);
    digest.update(&[0; 4]);
    digest.update(after.get(4..).unwrap_or(&[]));
    digest.finalize()
}
