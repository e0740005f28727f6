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

/// The arena around one buffer that is being written: what lies before it and after it. Where layers
/// run at once, that is the layer's own region, and states and frame lie in the part that all share.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    shared: &'a [u8],
    before: &'a [u8],
    before_start: usize,
    after: &'a [u8],
    after_start: usize,
}

impl<'a> Surroundings<'a> {
    /// The bytes of another buffer. Verification proved that it lies wholly on one side; if it did
    /// not, it would be empty.
    pub fn get(&self, buffer: &BufferRecord) -> &'a [u8] {
        let range = buffer.range();
        let part = |bytes: &'a [u8], first: usize| {
            let start = range.start.checked_sub(first)?;
            bytes.get(start..start.wrapping_add(buffer.length as usize))
        };
        if let Some(bytes) = part(self.after, self.after_start) {
            return bytes;
        }
        part(self.before, self.before_start).or_else(|| part(self.shared, 0)).unwrap_or(&[])
    }
}

impl<'a> Surroundings<'a> {
    /// The same beside the part of the arena that all layers share, from its first byte on.
    pub(crate) fn beside(self, shared: &'a [u8]) -> Self {
        Self { shared, ..self }
    }
}

/// Splits an arena into one buffer to write and everything around it.
pub(crate) fn isolate<'a>(arena: &'a mut [u8], buffer: &BufferRecord) -> Option<(&'a mut [u8], Surroundings<'a>)> {
    split(arena, 0, buffer)
}

/// Splits a part of an arena, whose first byte is the arena's byte `first`, likewise.
pub(crate) fn split<'a>(
    part: &'a mut [u8],
    first: usize,
    buffer: &BufferRecord,
) -> Option<(&'a mut [u8], Surroundings<'a>)> {
    let range = buffer.range();
    let (before, rest) = part.split_at_mut_checked(range.start.checked_sub(first)?)?;
    let (output, after) = rest.split_at_mut_checked(buffer.length as usize)?;
    let around = Surroundings { shared: &[], before, before_start: first, after, after_start: range.end };
    Some((output, around))
}

/// Copies one buffer to another; both have one length and share no byte.
pub(crate) fn copy(arena: &mut [u8], from: &BufferRecord, to: &BufferRecord) {
    if let Some((target, around)) = isolate(arena, to) {
        for (target, source) in target.iter_mut().zip(around.get(from)) {
            *target = *source;
        }
    }
}
