//! The memory of the part. The build script writes the linker's layout from the same numbers.

/// Flash, from address 0.
pub const FLASH_BYTES: usize = 1024 * 1024;

/// RAM, from address 0x2000_0000. The machine offers 4 MB; this is what a common Cortex-M4 part has.
pub const RAM_BYTES: usize = 192 * 1024;
