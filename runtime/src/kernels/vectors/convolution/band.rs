//! A part of the padded input, copied so that every window is a few runs of memory.
//!
//! Each operand has a plane `[source row][source column][channel]` that covers the windows of the
//! band's output positions, padding included, with the channels in whole tiles. What stands for
//! padding and for channels that fill up a tile adds nothing to any sum. A window then is
//! `kernel height` runs of `kernel width * channels` values, and no inner loop has a test.

use super::job::{Job, Operand};
use core::mem::MaybeUninit;

/// How values are kept in a band.
pub(crate) trait Kept<V>: Copy {
    /// A value, given the zero point of its operand.
    fn keep(value: V, zero_point: i32) -> Self;
    /// What adds nothing to a sum.
    fn nothing(zero_point: i32) -> Self;
}

/// As they are.
impl Kept<f32> for f32 {
    #[inline(always)]
    fn keep(value: f32, _zero_point: i32) -> Self {
        value
    }

    #[inline(always)]
    fn nothing(_zero_point: i32) -> Self {
        0.0
    }
}

/// Room for a band, on the stack and not filled.
#[repr(C, align(64))]
pub(crate) struct Scratch<S, const LENGTH: usize>([MaybeUninit<S>; LENGTH]);

impl<S, const LENGTH: usize> Scratch<S, LENGTH> {
    #[inline(always)]
    pub fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; LENGTH])
    }
}

/// Output rows and columns of a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub rows: usize,
    pub columns: usize,
}

impl Extent {
    /// The largest bands of even size that `capacity` kept values hold; none if that is not even the
    /// window of one position.
    pub fn fitting<V: bytemuck::AnyBitPattern>(job: &Job<'_, V>, capacity: usize) -> Option<Self> {
        let pixels = capacity.checked_div(Self::pixel(job))?;
        let (rows, columns) = (&job.rows, &job.columns);
        let line = (job.width - 1) * columns.stride + columns.kernel;
        if let Some(spare) = (pixels / line).checked_sub(rows.kernel) {
            let most = (spare / rows.stride + 1).min(job.height);
            return Some(Self { rows: job.height.div_ceil(job.height.div_ceil(most)), columns: job.width });
        }
        let spare = (pixels / rows.kernel).checked_sub(columns.kernel)?;
        let most = (spare / columns.stride + 1).min(job.width);
        Some(Self { rows: 1, columns: job.width.div_ceil(job.width.div_ceil(most)) })
    }

    /// Kept values of one pixel of all operands.
    pub fn pixel<V: bytemuck::AnyBitPattern>(job: &Job<'_, V>) -> usize {
        job.operands().iter().map(|operand| operand.padded).sum()
    }

    /// Whether bands of this size are the whole map.
    pub fn is_whole<V>(self, job: &Job<'_, V>) -> bool {
        (self.rows, self.columns) == (job.height, job.width)
    }
}

/// A filled band.
pub(crate) struct Band<'b, S> {
    /// The planes of the operands, one after the other.
    pub kept: &'b [S],
    /// First output row and column.
    pub first_row: usize,
    pub first_column: usize,
    pub extent: Extent,
    /// Columns of a plane.
    pub line: usize,
    /// Pixels of a plane.
    pub plane: usize,
}

impl<'b, S> Band<'b, S> {
    /// The whole map with nothing kept: where windows would start in the map itself, were it not for the padding.
    pub fn of_map<V>(job: &Job<'_, V>) -> Self {
        let (line, plane) = (job.columns.size, job.rows.size * job.columns.size);
        let extent = Extent { rows: job.height, columns: job.width };
        Self { kept: &[], first_row: 0, first_column: 0, extent, line, plane }
    }

    /// Copies what the windows of some output positions see. None if the scratch is too short.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn fill<V: bytemuck::AnyBitPattern>(
        job: &Job<'_, V>,
        scratch: &'b mut [MaybeUninit<S>],
        first_row: usize,
        first_column: usize,
        extent: Extent,
    ) -> Option<Self>
    where
        S: Kept<V>,
    {
        let line = (extent.columns - 1) * job.columns.stride + job.columns.kernel;
        let lines = (extent.rows - 1) * job.rows.stride + job.rows.kernel;
        let plane = line * lines;
        let length = plane * Extent::pixel(job);
        let mut rest = scratch.get_mut(..length)?;
        for operand in job.operands() {
            let (target, after) = rest.split_at_mut_checked(plane * operand.padded)?;
            rest = after;
            fill_plane(job, operand, target, line, [first_row, first_column]);
        }
        let scratch: &'b [MaybeUninit<S>] = scratch.get(..length)?;
        // SAFETY: `fill_plane` has written every element of every plane, and the planes make up the
        // whole length.
        let kept = unsafe { core::slice::from_raw_parts(scratch.as_ptr().cast::<S>(), length) };
        Some(Self { kept, first_row, first_column, extent, line, plane })
    }

    /// Output positions.
    pub fn positions(&self) -> usize {
        self.extent.rows * self.extent.columns
    }

    /// The rows of the kernel that meet the map at any of `count` positions from `first` on.
    #[inline(always)]
    pub fn kernel_rows<V>(&self, job: &Job<'_, V>, first: usize, count: usize) -> core::ops::Range<usize> {
        let row = |position: usize| self.first_row + (position as u32 / self.extent.columns as u32) as usize;
        let rows = &job.rows;
        let (top, bottom) = (row(first) * rows.stride, row(first + count - 1) * rows.stride);
        let end = (rows.before + rows.size).saturating_sub(top).min(rows.kernel);
        rows.before.saturating_sub(bottom).min(end)..end
    }

    /// For `P` positions from `first` on, the pixel of the plane where the window starts, and the
    /// position in the output.
    #[inline(always)]
    pub fn places<V, const P: usize>(&self, job: &Job<'_, V>, first: usize) -> ([usize; P], [usize; P]) {
        let (mut pixels, mut targets) = ([0; P], [0; P]);
        for ((pixel, target), &[row, column]) in
            pixels.iter_mut().zip(&mut targets).zip(&self.rows_and_columns::<P>(first))
        {
            *pixel = row * job.rows.stride * self.line + column * job.columns.stride;
            *target = (self.first_row + row) * job.width + self.first_column + column;
        }
        (pixels, targets)
    }

    /// Rows and columns of `P` positions from `first` on, counted from the band's first.
    #[inline(always)]
    pub fn rows_and_columns<const P: usize>(&self, first: usize) -> [[usize; 2]; P] {
        let columns = self.extent.columns as u32;
        let (mut row, mut column) = ((first as u32 / columns) as usize, (first as u32 % columns) as usize);
        let mut places = [[0; 2]; P];
        for place in &mut places {
            *place = [row, column];
            column += 1;
            if column == self.extent.columns {
                (row, column) = (row + 1, 0);
            }
        }
        places
    }
}

/// Writes every element of a plane.
#[inline(always)]
fn fill_plane<V: Copy, S: Kept<V>>(
    job: &Job<'_, V>,
    operand: &Operand<'_, V>,
    target: &mut [MaybeUninit<S>],
    line: usize,
    [first_row, first_column]: [usize; 2],
) {
    let (rows, columns) = (&job.rows, &job.columns);
    let nothing = S::nothing(operand.zero_point);
    let (channels, padded) = (operand.channels, operand.padded);
    // Source positions count from the padding's edge here, those of the map from its own.
    let (top, left) = (first_row * rows.stride, first_column * columns.stride);
    let before = columns.before.saturating_sub(left).min(line);
    let inside = (columns.size + columns.before).saturating_sub(left).min(line).saturating_sub(before);
    let source_column = left.saturating_sub(columns.before);
    for (index, target) in target.chunks_exact_mut((line * padded).max(1)).enumerate() {
        let row = (top + index).checked_sub(rows.before).filter(|&row| row < rows.size);
        let start = row.map(|row| (row * columns.size + source_column) * channels);
        let values = start.and_then(|start| operand.values.get(start..start + inside * channels)).unwrap_or(&[]);
        let copied = values.len() / channels.max(1) * padded;
        let (head, rest) = target.split_at_mut_checked((before * padded).min(target.len())).unwrap_or_default();
        let (body, tail) = rest.split_at_mut_checked(copied).unwrap_or_default();
        write(head, nothing);
        write(tail, nothing);
        if channels == padded {
            for (slot, &value) in body.iter_mut().zip(values) {
                slot.write(S::keep(value, operand.zero_point));
            }
        } else {
            match (channels, padded) {
                // Frames.
                (1, 4) => spread::<V, S, 1>(body, values, operand.zero_point),
                (3, 4) => spread::<V, S, 3>(body, values, operand.zero_point),
                _ => {
                    for (slots, values) in body.chunks_exact_mut(padded.max(1)).zip(values.chunks_exact(channels)) {
                        write(slots, nothing);
                        for (slot, &value) in slots.iter_mut().zip(values) {
                            slot.write(S::keep(value, operand.zero_point));
                        }
                    }
                }
            }
        }
    }
}

/// Pixels of `CHANNELS` values, at most four, into pixels of four.
#[inline(always)]
fn spread<V: Copy, S: Kept<V>, const CHANNELS: usize>(target: &mut [MaybeUninit<S>], values: &[V], zero_point: i32) {
    let (slots, _) = target.as_chunks_mut::<4>();
    let (values, _) = values.as_chunks::<CHANNELS>();
    for (slots, values) in slots.iter_mut().zip(values) {
        let mut pixel = [S::nothing(zero_point); 4];
        for (kept, &value) in pixel.iter_mut().zip(values) {
            *kept = S::keep(value, zero_point);
        }
        *slots = pixel.map(MaybeUninit::new);
    }
}

#[inline(always)]
fn write<S: Copy>(slots: &mut [MaybeUninit<S>], value: S) {
    for slot in slots {
        slot.write(value);
    }
}

/// Band by band, with a scratch of `LENGTH` kept values. Gives whether that is enough.
#[inline(always)]
pub(crate) fn for_each<V: bytemuck::AnyBitPattern, S: Kept<V>, const LENGTH: usize>(
    job: &Job<'_, V>,
    extent: Extent,
    mut work: impl FnMut(&Band<'_, S>),
) -> bool {
    let mut scratch = Scratch::<S, LENGTH>::new();
    for first_row in (0..job.height).step_by(extent.rows) {
        for first_column in (0..job.width).step_by(extent.columns) {
            let rows = extent.rows.min(job.height - first_row);
            let columns = extent.columns.min(job.width - first_column);
            let part = Extent { rows, columns };
            let Some(band) = Band::fill(job, &mut scratch.0, first_row, first_column, part) else { return false };
            work(&band);
        }
    }
    true
}
