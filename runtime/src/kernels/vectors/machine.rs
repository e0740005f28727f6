//! One text for every width of vectors, compiled for the instructions of each.

use super::floats::Floats;
use super::integers::Integers;

/// Most lanes of any vector.
pub(crate) const MOST_LANES: usize = 16;

/// Work that can be done with vectors of any width.
#[allow(unsafe_code)]
pub(crate) trait Kernel {
    /// Does it. To be `#[inline(always)]`, and all that it calls: only so is it compiled for the
    /// instructions.
    ///
    /// # Safety
    /// The processor has the instructions of the vectors.
    unsafe fn run<I: Integers, F: Floats>(self);
}

/// A processor with vectors: whoever has one knows that the instructions are there.
pub(crate) trait Machine: Copy {
    /// Does the work with the widest vectors; false without vectors, and then nothing is done.
    fn dispatch(self, kernel: impl Kernel) -> bool;
}
