//! The memory of the machine. The build script writes the linker's layout from the same numbers.

/// Instruction memory, from address 0.
pub const FLASH_BYTES: usize = 512 * 1024;

/// Data memory, from address 0x2000_0000.
pub const RAM_BYTES: usize = 512 * 1024;
