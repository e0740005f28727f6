//! The memory of the part. The build script writes the linker's layout from the same numbers.

/// Flash, from address 0.
pub const FLASH_BYTES: usize = 1024 * 1024;

/// RAM, from address 0x2000_0000: what a common part has.
#[cfg(not(feature = "conformance"))]
pub const RAM_BYTES: usize = 192 * 1024;

/// RAM, from address 0x2000_0000: what the machine offers.
#[cfg(feature = "conformance")]
pub const RAM_BYTES: usize = 4 * 1024 * 1024;
