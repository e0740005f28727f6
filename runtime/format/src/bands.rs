//! Operations that are computed in bands of rows.
//!
//! Consecutive operations of a layer may form a **group**. A group is computed band by band, every operation of it in
//! each band, so that what one operation leaves to the next need not exist as a whole: its buffer keeps the last
//! [`BufferRecord::resident_rows`] rows alone. After band i = 0, 1, ... an operation whose output has `height` rows has
//! computed the first
//!
//! ```text
//! end(i) = min(height, (i + 1) * band_rows + band_lead)
//! ```
//!
//! of them. The lead is what the windows of later operations reach down beyond their own band. A group ends with an
//! operation whose [`OperationRecord::ends_bands`] is 1; it has as many bands as that operation needs.

use crate::buffer::BufferRecord;
use crate::operation::{OperationKind, OperationRecord};
use crate::program::Program;
use crate::record::Record;
use crate::section::SectionKind;
use core::ops::Range;

impl OperationRecord {
    /// Whether the operation is one of a group.
    pub const fn is_in_bands(&self) -> bool {
        self.band_rows != 0
    }

    /// Rows of its output, of `height`, that exist after a band.
    pub fn rows_after(&self, height: u32, band: u32) -> u32 {
        let rows = u32::from(self.band_rows);
        let end = band.saturating_add(1).saturating_mul(rows).saturating_add(self.band_lead.into());
        end.min(height)
    }

    /// Rows of its output that a band adds.
    pub fn rows_of_band(&self, height: u32, band: u32) -> Range<u32> {
        let start = band.checked_sub(1).map_or(0, |before| self.rows_after(height, before));
        start..self.rows_after(height, band)
    }

    /// Bands after which its output is complete; 0 for an operation that is in none.
    pub fn band_count(&self, height: u32) -> u32 {
        let left = height.saturating_sub(self.band_lead.into());
        match self.band_rows {
            0 => 0,
            rows => left.div_ceil(rows.into()).max(1),
        }
    }

    /// The operation that computes some rows as if they were a whole map: its padding is what is left of it there.
    pub fn part(mut self, rows: &Range<u32>) -> Self {
        let corner = u32::from(self.stride_height).saturating_mul(rows.start);
        self.padding_top = u32::from(self.padding_top).saturating_sub(corner) as u16;
        self
    }

    /// The rows of operands with `height` rows that some rows of the output depend on. The whole map for operations that
    /// cannot be computed by rows.
    pub fn operand_rows(&self, height: u32, rows: &Range<u32>) -> Range<u32> {
        match OperationKind::from_byte(self.kind) {
            Some(OperationKind::Convolution | OperationKind::MaxPool) => {
                let (stride, above) = (u32::from(self.stride_height), u32::from(self.padding_top));
                let corner = |row: u32| row.saturating_mul(stride);
                let last = rows.end.saturating_sub(1);
                let end = corner(last).saturating_add(self.kernel_height.into()).saturating_sub(above);
                corner(rows.start).saturating_sub(above).min(height)..end.min(height)
            }
            Some(OperationKind::GlobalAverage | OperationKind::Resize) | None => 0..height,
            Some(
                OperationKind::Add
                | OperationKind::Multiply
                | OperationKind::Affine
                | OperationKind::Activation
                | OperationKind::Lookup
                | OperationKind::Rescale
                | OperationKind::GatedSum,
            ) => rows.clone(),
        }
    }
}

impl OperationKind {
    /// Whether rows of the output can be computed from rows of the operands.
    pub const fn has_rows(self) -> bool {
        match self {
            OperationKind::GlobalAverage | OperationKind::Resize => false,
            OperationKind::Convolution
            | OperationKind::MaxPool
            | OperationKind::Add
            | OperationKind::Multiply
            | OperationKind::Affine
            | OperationKind::Activation
            | OperationKind::Lookup
            | OperationKind::Rescale
            | OperationKind::GatedSum => true,
        }
    }
}

impl BufferRecord {
    /// Whether it holds every row of its tensor.
    pub const fn is_whole(&self) -> bool {
        self.resident_rows == 0
    }

    /// Rows that it has room for.
    pub const fn capacity(&self) -> u32 {
        match self.resident_rows {
            0 => self.height,
            rows => rows as u32,
        }
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        (self.length as usize).checked_div(self.capacity() as usize).unwrap_or(0)
    }

    /// Whether it holds no more than the rows that one band of its writer adds: nothing in it is needed in the next one.
    pub const fn is_of_one_band(&self, writer: &OperationRecord) -> bool {
        !self.is_whole() && self.capacity() <= writer.band_rows as u32
    }

    /// The first row that it holds once the rows before `end` exist.
    pub fn first_resident(&self, end: u32) -> u32 {
        match self.resident_rows {
            0 => 0,
            rows => end.saturating_sub(rows.into()),
        }
    }
}

impl Program<'_> {
    /// The operations of the group that an operation is of; none if it is in none.
    pub fn group(&self, index: usize) -> Option<Range<usize>> {
        let is_in = |index: usize| self.operation(index).filter(OperationRecord::is_in_bands);
        is_in(index)?;
        let mut start = index;
        while let Some(before) = start.checked_sub(1)
            && is_in(before).is_some_and(|record| record.ends_bands == 0)
        {
            start = before;
        }
        let mut end = index;
        while is_in(end)?.ends_bands == 0 {
            end += 1;
        }
        Some(start..end + 1)
    }

    /// The operations from `first` on that are computed together: the rest of a group, siblings, or one operation.
    pub fn together(&self, first: usize) -> Range<usize> {
        self.group(first).map_or_else(|| self.siblings(first), |group| first..group.end)
    }

    /// Bands of operations that are computed together; 1 for an operation that is in no group.
    pub fn bands(&self, together: &Range<usize>) -> u32 {
        let last = self.operation(together.end.saturating_sub(1));
        let height = last.and_then(|last| self.buffer(last.output)).map_or(0, |output| output.height);
        last.map_or(0, |last| last.band_count(height).max(1))
    }

    /// The first row that a buffer holds when operations of the same group read it in a band.
    pub fn first_row(&self, buffer: &BufferRecord, band: u32) -> u32 {
        if buffer.is_whole() {
            return 0;
        }
        // Decoded here, where the compiler leaves out all fields but two: kernels ask for each operand in each band.
        let start = (buffer.first_use as usize).wrapping_mul(OperationRecord::STRIDE);
        let writer = self.section(SectionKind::Operations).get(start..).and_then(OperationRecord::decode);
        writer.map_or(0, |writer| buffer.first_resident(writer.rows_after(buffer.height, band)))
    }

    /// First and last operation between which the bytes of a transient must be its own. In a group, what holds more than
    /// the rows of one band, or is not of the group, is in use in every band, so from the group's first operation to its
    /// last.
    pub fn life(&self, buffer: &BufferRecord) -> (usize, usize) {
        let (first, last) = (buffer.first_use as usize, buffer.last_use as usize);
        let (writers, readers) = (self.group(first), self.group(last));
        let is_of_one_band = self.operation(first).is_some_and(|writer| buffer.is_of_one_band(&writer));
        if is_of_one_band && writers == readers {
            return (first, last);
        }
        (writers.map_or(first, |group| group.start), readers.map_or(last, |group| group.end.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use crate::{BufferRecord, OperationKind, OperationRecord};

    fn window(kernel: u16, stride: u16, above: u16) -> OperationRecord {
        OperationRecord {
            kind: OperationKind::Convolution.to_byte(),
            kernel_height: kernel,
            stride_height: stride,
            padding_top: above,
            band_rows: 4,
            band_lead: 1,
            ..OperationRecord::default()
        }
    }

    #[test]
    fn bands_cover_every_row_once() {
        for height in 1..40 {
            let record = window(3, 1, 1);
            let mut next = 0;
            for band in 0..record.band_count(height) {
                let rows = record.rows_of_band(height, band);
                assert_eq!(rows.start, next);
                assert!(rows.end > rows.start, "height {height}, band {band}");
                next = rows.end;
            }
            assert_eq!(next, height);
        }
    }

    #[test]
    fn windows_reach_up_and_down() {
        assert_eq!(window(3, 1, 1).operand_rows(16, &(4..8)), 3..9);
        assert_eq!(window(3, 1, 1).operand_rows(16, &(0..4)), 0..5);
        assert_eq!(window(3, 1, 1).operand_rows(16, &(12..16)), 11..16);
        assert_eq!(window(5, 2, 1).operand_rows(32, &(2..4)), 3..10);
        assert_eq!(window(2, 2, 0).operand_rows(8, &(1..3)), 2..6);
    }

    #[test]
    fn a_buffer_of_some_rows_holds_the_last_ones() {
        let buffer = BufferRecord { height: 16, resident_rows: 6, length: 6 * 40, ..BufferRecord::default() };
        assert_eq!((buffer.capacity(), buffer.row_bytes()), (6, 40));
        assert_eq!((buffer.first_resident(4), buffer.first_resident(9)), (0, 3));
    }
}
