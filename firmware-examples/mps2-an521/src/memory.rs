//! The memory of the machine, by its secure addresses. The build script writes the linker's layout from the same
//! numbers.

/// Instruction memory, from address 0x1000_0000.
pub const FLASH_BYTES: usize = 1024 * 1024;

/// Data memory that both cores reach, from address 0x3800_0000. The machine offers 4 MB.
pub const RAM_BYTES: usize = 512 * 1024;
