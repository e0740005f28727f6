//! Convolutions that read the same operands through the same windows.
//!
//! Such convolutions, the gates of a cell for instance, may follow one another as **siblings**: each but the last has the
//! [`OperationRecord::variant`] 1. A backend may lay out the windows once and multiply them with the weights of all;
//! the results are those of one convolution after the other.

use crate::operation::{OperationKind, OperationRecord};
use crate::program::Program;
use core::ops::Range;

impl OperationRecord {
    /// Whether the next operation is a convolution that reads the same operands through the same windows.
    pub const fn has_sibling(&self) -> bool {
        self.kind == OperationKind::Convolution as u8 && self.variant == 1
    }
}

impl Program<'_> {
    /// The operations from `first` on that may be computed at once: siblings, or one operation.
    pub fn siblings(&self, first: usize) -> Range<usize> {
        let mut end = first;
        while self.operation(end).is_some_and(|record| record.has_sibling()) {
            end = end.saturating_add(1);
        }
        first..end.saturating_add(1)
    }
}
