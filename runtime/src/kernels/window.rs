//! Sliding windows, clipped to the map so that kernels have no test in their inner loops.

use convrnn_format::{BufferRecord, OperationRecord};

/// One axis of a sliding window.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Positions of the map.
    pub size: usize,
    /// Extent of the window.
    pub kernel: usize,
    /// Distance from one window to the next.
    pub stride: usize,
    /// Padding before the map.
    pub before: usize,
}

/// The part of a window that lies in the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First position in the map.
    pub source: usize,
    /// First position in the window.
    pub start: usize,
    /// Number of positions.
    pub length: usize,
}

impl Axis {
    /// The rows of an operation's window over a map.
    pub const fn rows(input: &BufferRecord, record: &OperationRecord) -> Self {
        Self {
            size: input.height as usize,
            kernel: record.kernel_height as usize,
            stride: record.stride_height as usize,
            before: record.padding_top as usize,
        }
    }

    /// The columns of an operation's window over a map.
    pub const fn columns(input: &BufferRecord, record: &OperationRecord) -> Self {
        Self {
            size: input.width as usize,
            kernel: record.kernel_width as usize,
            stride: record.stride_width as usize,
            before: record.padding_left as usize,
        }
    }

    /// The window of an output position.
    #[inline]
    pub fn span(&self, position: usize) -> Span {
        let corner = position.wrapping_mul(self.stride);
        let start = self.before.saturating_sub(corner).min(self.kernel);
        let end = self.size.wrapping_add(self.before).saturating_sub(corner).min(self.kernel);
        Span { source: corner.saturating_sub(self.before), start, length: end.saturating_sub(start) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Span};

    #[test]
    fn windows_are_clipped_on_both_sides() {
        let axis = Axis { size: 4, kernel: 3, stride: 1, before: 1 };
        assert_eq!(axis.span(0), Span { source: 0, start: 1, length: 2 });
        assert_eq!(axis.span(1), Span { source: 0, start: 0, length: 3 });
        assert_eq!(axis.span(3), Span { source: 2, start: 0, length: 2 });
    }

    #[test]
    fn a_window_in_the_padding_is_empty() {
        let axis = Axis { size: 2, kernel: 2, stride: 2, before: 4 };
        assert_eq!(axis.span(0).length, 0);
        assert_eq!(axis.span(1).length, 0);
        assert_eq!(axis.span(2), Span { source: 0, start: 0, length: 2 });
        assert_eq!(axis.span(3).length, 0);
    }
}
