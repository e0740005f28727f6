//! The working memory.

use crate::task::Sibling;
use convrnn_format::{BufferRecord, MAXIMUM_SIBLINGS, assert_fits};

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
    before: Piece<'a>,
    after: Piece<'a>,
    /// What lies between outputs that are written at the same time.
    between: &'a [Piece<'a>],
}

/// Some bytes of the arena, and the first one's place in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Piece<'a> {
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Piece<'a> {
    /// Some bytes that begin at a place in the arena.
    #[inline(always)]
    fn part(&self, start: usize, length: usize) -> Option<&'a [u8]> {
        let start = start.checked_sub(self.start)?;
        self.bytes.get(start..start.wrapping_add(length))
    }
}

impl<'a> Surroundings<'a> {
    /// The bytes of another buffer. Verification proved that it lies wholly on one side; if it did
    /// not, it would be empty.
    pub fn get(&self, buffer: &BufferRecord) -> &'a [u8] {
        let (start, length) = (buffer.offset as usize, buffer.length as usize);
        if let Some(bytes) = self.after.part(start, length) {
            return bytes;
        }
        if let Some(bytes) = self.before.part(start, length) {
            return bytes;
        }
        let mut between = self.between.iter().filter_map(|piece| piece.part(start, length));
        between.next().or_else(|| self.shared.get(buffer.range())).unwrap_or(&[])
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
    let before = Piece { bytes: before, start: first };
    let after = Piece { bytes: after, start: range.end };
    Some((output, Surroundings { shared: &[], before, after, between: &[] }))
}

/// Pieces that lie around several outputs.
pub(crate) type Pieces<'a> = [Piece<'a>; MAXIMUM_SIBLINGS + 1];

/// Splits a part of an arena into the outputs of several siblings, which have none yet, and the pieces around them. None
/// where they share bytes.
pub(crate) fn carve<'a>(
    mut part: &'a mut [u8],
    mut first: usize,
    siblings: &mut [Sibling<'a>],
    pieces: &mut Pieces<'a>,
) -> Option<()> {
    let mut pieces = pieces.iter_mut();
    for _ in 0..siblings.len() {
        // The lowest of those that are left; verified outputs have bytes.
        let left = siblings.iter_mut().filter(|sibling| sibling.output.is_empty());
        let next = left.min_by_key(|sibling| sibling.target.offset)?;
        let range = next.target.range();
        let (before, rest) = part.split_at_mut_checked(range.start.checked_sub(first)?)?;
        let (output, rest) = rest.split_at_mut_checked(next.target.length as usize)?;
        *pieces.next()? = Piece { bytes: before, start: first };
        next.output = output;
        (part, first) = (rest, range.end);
    }
    *pieces.next()? = Piece { bytes: part, start: first };
    Some(())
}

impl<'a> Surroundings<'a> {
    /// What lies around several outputs.
    pub(crate) fn between(pieces: &'a [Piece<'a>]) -> Self {
        Self { shared: &[], before: Piece::default(), after: Piece::default(), between: pieces }
    }
}

/// Copies one buffer to another; both have one length and share no byte.
pub(crate) fn copy(arena: &mut [u8], from: &BufferRecord, to: &BufferRecord) {
    if let Some((target, around)) = isolate(arena, to) {
        for (target, source) in target.iter_mut().zip(around.get(from)) {
            *target = *source;
        }
    }
}
