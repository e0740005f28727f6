//! Programs that were verified when the image that holds them was built.

use crate::error::{LoadError, LoadErrorKind};
use crate::prelude::assert_fits;
use crate::program::Program;

/// A verified program in the image. `include_program!` of the runtime makes it, and the compiler has then
/// verified all that [`Program::new_checked`] verifies, so that [`Program::built_in`] need not.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn(Program<'static>);

impl BuiltIn {
    /// For `include_program!` alone, which has verified bytes with this checksum. Bytes that nobody has verified cannot make
    /// a kernel leave its memory, but they can make a session compute nonsense, or nothing.
    ///
    /// # Panics
    ///
    /// So the build stops, if the bytes are others.
    #[doc(hidden)]
    pub const fn assume_verified(bytes: &'static [u8], checksum: u32) -> Self {
        assert_fits(bytes, usize::MAX);
        let program = Program::at(bytes);
        let is_it = program.prelude().total_size as usize == bytes.len() && program.prelude().crc == checksum;
        assert!(is_it, "the program's file has changed while it was compiled: build again");
        Self(program)
    }

    /// The program's bytes.
    pub const fn bytes(&self) -> &'static [u8] {
        self.0.bytes()
    }
}

impl Program<'static> {
    /// The view of a program that was verified when the image was built. That its bytes are still those is checked by
    /// their CRC.
    pub fn built_in(BuiltIn(program): BuiltIn) -> Result<Self, LoadError> {
        match crate::crc32::program_checksum(program.bytes()) {
            checksum if checksum == program.prelude().crc => Ok(program),
            checksum => Err(LoadError::new(LoadErrorKind::Checksum, checksum)),
        }
    }
}
