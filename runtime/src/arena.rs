//! The working memory.

use convrnn_format::{BufferRecord, assert_fits};

/// `LENGTH` bytes of working memory at an aligned address. `LENGTH` comes from
/// [`crate::arena_length`], or is what the board can spare; [`Arena::for_program`] then stops the
/// build when a program needs more.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Arena<const LENGTH: usize>([u8; LENGTH]);

impl<const LENGTH: usize> Arena<LENGTH> {
    /// An arena of zeros.
    pub const fn new() -> Self {
        Self([0; LENGTH])
    }

    /// An arena for a program. In a constant or a static this is checked when the firmware is
    /// built: a program that needs more than `LENGTH` bytes does not compile.
    pub const fn for_program(program: &[u8]) -> Self {
        assert_fits(program, LENGTH);
        Self::new()
    }

    /// The bytes.
    pub const fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl<const LENGTH: usize> Default for Arena<LENGTH> {
    fn default() -> Self {
        Self::new()
    }
}

/// The arena around one buffer that is being written: what lies before it and after it.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    before: &'a [u8],
    after: &'a [u8],
    after_start: usize,
}

impl<'a> Surroundings<'a> {
    /// The bytes of another buffer. Verification proved that it lies wholly on one side; if it did
    /// not, it would be empty.
    pub fn get(&self, buffer: &BufferRecord) -> &'a [u8] {
        let range = buffer.range();
        match range.start.checked_sub(self.after_start) {
            None => self.before.get(range).unwrap_or(&[]),
            Some(start) => self.after.get(start..start.wrapping_add(buffer.length as usize)).unwrap_or(&[]),
        }
    }
}

/// Splits an arena into one buffer to write and everything around it.
pub(crate) fn isolate<'a>(arena: &'a mut [u8], buffer: &BufferRecord) -> Option<(&'a mut [u8], Surroundings<'a>)> {
    let range = buffer.range();
    let (before, rest) = arena.split_at_mut_checked(range.start)?;
    let (output, after) = rest.split_at_mut_checked(buffer.length as usize)?;
    Some((output, Surroundings { before, after, after_start: range.end }))
}

/// Copies one buffer to another; both have one length and share no byte.
pub(crate) fn copy(arena: &mut [u8], from: &BufferRecord, to: &BufferRecord) {
    if let Some((target, around)) = isolate(arena, to) {
        for (target, source) in target.iter_mut().zip(around.get(from)) {
            *target = *source;
        }
    }
}
