//! The inner loops over the columns of one channel: new words, and the sums of two output rows.

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
mod dsp;
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
mod plain;

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::{advance, two_rows};
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
pub(super) use plain::{advance, two_rows};

/// How values of one channel become words.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Column {
    /// Values from the first row to the second.
    pub row_distance: usize,
    /// Values from one column to the next.
    pub step: usize,
    /// The zero point in both halves.
    pub zeros: u32,
    /// Halves that are kept; the other ones are padding.
    pub mask: u32,
}

/// How sums of one channel become outputs.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Job {
    /// Where the sums of the two rows start.
    pub bias: [i32; 2],
    /// Zero point of the output.
    pub zero: i32,
    /// Outputs from one column to the next.
    pub step: usize,
    /// Multiplier of the rescale.
    pub multiplier: i32,
    /// Outputs from the first row to the second.
    pub row_distance: usize,
}
