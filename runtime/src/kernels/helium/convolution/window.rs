//! Windows side by side, with the zero point where the padding is.
#![allow(unsafe_code)]

use super::copy::{Copy, copy_chunks, copy_line, copy_rows, spread};
use super::{CHUNK, CHUNKS, LANES};
use crate::kernels::window::Axis;
use core::mem::MaybeUninit;

/// One chunk of each window.
pub(super) type Chunk = [[u8; CHUNK]; LANES];

/// [`LANES`] windows, chunk by chunk. Not cleared: a product is only read where windows were copied to, or is one with a
/// weight of zero.
pub(super) struct Windows(MaybeUninit<[Chunk; CHUNKS]>);

impl Windows {
    pub fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// The first chunk.
    pub fn as_ptr(&self) -> *const Chunk {
        self.0.as_ptr().cast()
    }
}

/// Where the windows of one operand come from.
#[derive(Clone, core::marker::Copy)]
pub(super) struct Source {
    rows: Axis,
    columns: Axis,
    /// Bytes of a position, of a row of the map, of a row of the window.
    pixel: usize,
    step: usize,
    line: usize,
    /// First chunk in the windows.
    chunk: usize,
    /// Chunks of a window.
    count: usize,
    /// Whether the parts of a window are whole chunks, whatever the padding is.
    is_whole: bool,
    values: *const i8,
    /// What copying a window needs, the rows as those of the output row at work.
    copy: Copy,
    /// Values of the first row inside the map.
    row: *const i8,
    /// First chunk that is copied of the windows of the output row at work.
    first: usize,
    /// Whether all their rows that are copied lie in the map.
    is_inside: bool,
}

impl Source {
    /// No values at all.
    pub const NONE: Self = Self {
        rows: Axis { size: 0, kernel: 0, stride: 0, before: 0 },
        columns: Axis { size: 0, kernel: 0, stride: 0, before: 0 },
        pixel: 0,
        step: 0,
        line: 0,
        chunk: 0,
        count: 0,
        is_whole: true,
        values: core::ptr::null(),
        copy: Copy::NONE,
        row: core::ptr::null(),
        first: 0,
        is_inside: false,
    };

    /// None where the values are not a whole map, or where the windows have no room from `chunk` on, of `limit` chunks.
    pub fn new(
        values: &[i8],
        channels: usize,
        zero: i8,
        rows: Axis,
        columns: Axis,
        chunk: usize,
        limit: usize,
    ) -> Option<Self> {
        let (step, line) = (columns.size.checked_mul(channels)?, columns.kernel.checked_mul(channels)?);
        let count = rows.kernel.checked_mul(line)?.div_ceil(CHUNK);
        if rows.size.checked_mul(step)? > values.len() || chunk.checked_add(count)? > limit {
            return None;
        }
        let is_whole = channels % CHUNK == 0;
        let (target_step, scale) = if is_whole { (size_of::<Chunk>(), LANES.trailing_zeros()) } else { (CHUNK, 0) };
        let fill = u32::from(zero as u8);
        let copy = Copy { step: target_step, scale, value_step: step, fill, ..Copy::NONE };
        let values = values.as_ptr();
        let (row, first, is_inside) = (values, chunk, false);
        Some(Self {
            rows,
            columns,
            pixel: channels,
            step,
            line,
            chunk,
            count,
            is_whole,
            values,
            copy,
            row,
            first,
            is_inside,
        })
    }

    /// The chunk after the windows of this operand.
    pub fn end(&self) -> usize {
        self.chunk.wrapping_add(self.count)
    }

    /// Copies the window at a column into chunks that follow one another.
    pub fn copy_line<const COUNT: usize>(&self, line: &mut MaybeUninit<[[u8; CHUNK]; COUNT]>, column: usize) {
        if self.count > COUNT {
            return;
        }
        let along = self.columns.span(column);
        let left = along.start.wrapping_mul(self.pixel);
        let length = along.length.wrapping_mul(self.pixel);
        let copy = Copy {
            values: self.row.wrapping_add(along.source.wrapping_mul(self.pixel)),
            target: line.as_mut_ptr().cast(),
            step: CHUNK,
            scale: 0,
            left,
            length,
            right: self.line.wrapping_sub(left).wrapping_sub(length),
            ..self.copy
        };
        // SAFETY: see `copy_rows`; as in `gather`, and the line has as many chunks as a window.
        unsafe { copy_rows(&copy) }
    }

    /// Whether a window is one position, and the next window the next position, in whole chunks.
    pub fn is_point(&self) -> bool {
        let one = |axis: &Axis| (axis.kernel, axis.stride, axis.before) == (1, 1, 0);
        self.is_whole && one(&self.rows) && one(&self.columns)
    }

    /// Where [`Self::is_point`]: copies the windows from a position on, the one `last` after it for all that follow.
    pub fn gather_points(&self, windows: &mut Windows, position: usize, last: usize) {
        let end = self.rows.size.wrapping_mul(self.columns.size);
        if !self.is_point() || self.count == 0 || position.saturating_add(last) >= end {
            return;
        }
        let target = windows.0.as_mut_ptr().cast::<Chunk>().wrapping_add(self.chunk).cast::<[u8; CHUNK]>();
        for lane in 0..LANES {
            let values = self.values.wrapping_add(position.wrapping_add(lane.min(last)).wrapping_mul(self.pixel));
            // SAFETY: see `spread`; the position is one of the map, whose values are so many whole chunks, and the windows
            // have room for them from the first chunk on.
            unsafe { spread(values.cast(), target.wrapping_add(lane).cast(), self.count) }
        }
    }

    /// Turns to the windows of an output row. Where `leaves_padding` says so, rows of padding are not copied.
    pub fn turn_to(&mut self, row: usize, leaves_padding: bool) {
        let down = self.rows.span(row);
        self.row = self.values.wrapping_add(down.source.wrapping_mul(self.step));
        self.copy.count = down.length;
        // A window without rows in the map is all padding.
        let top = if down.length == 0 { 0 } else { down.start };
        let bottom = self.rows.kernel.wrapping_sub(top).wrapping_sub(down.length);
        (self.copy.top, self.copy.bottom) = (top.wrapping_mul(self.line), bottom.wrapping_mul(self.line));
        self.first = self.chunk;
        if leaves_padding && self.is_whole && down.length > 0 {
            self.first = self.chunk.wrapping_add(self.copy.top / CHUNK);
            (self.copy.top, self.copy.bottom) = (0, 0);
        }
        self.is_inside = self.copy.top == 0 && self.copy.bottom == 0 && down.length > 0 && self.line > 0;
    }

    /// Copies the window at a column into a lane.
    #[inline(always)]
    pub fn gather(&mut self, windows: &mut Windows, lane: usize, column: usize) {
        if lane >= LANES {
            return;
        }
        let along = self.columns.span(column);
        let values = self.row.wrapping_add(along.source.wrapping_mul(self.pixel));
        let target = windows.0.as_mut_ptr().cast::<Chunk>().wrapping_add(self.first).cast::<[u8; CHUNK]>();
        let target = target.wrapping_add(lane);
        if self.is_inside && along.length == self.columns.kernel {
            self.gather_inside(values, target);
            return;
        }
        let left = along.start.wrapping_mul(self.pixel);
        let length = along.length.wrapping_mul(self.pixel);
        let copy = &mut self.copy;
        copy.values = values;
        (copy.left, copy.length) = (left, length);
        copy.right = self.line.wrapping_sub(left).wrapping_sub(length);
        if self.is_whole {
            copy.target = target.cast();
            // SAFETY: see `copy_rows`. The values are those of a whole map, and a span ends where the map does at the latest;
            // the windows have room for as many chunks as a window has, from the first on.
            unsafe { copy_rows(copy) }
            return;
        }
        let mut line: MaybeUninit<[[u8; CHUNK]; CHUNKS]> = MaybeUninit::uninit();
        copy.target = line.as_mut_ptr().cast();
        // SAFETY: as above; the line has as many chunks as the windows can have, and `spread` copies those of one window.
        unsafe {
            copy_rows(copy);
            spread(line.as_ptr().cast(), target.cast(), self.count);
        }
    }

    /// The same for a window whose rows all lie in the map from left to right.
    #[inline(always)]
    fn gather_inside(&self, values: *const i8, target: *mut [u8; CHUNK]) {
        let rows = self.copy.count;
        if self.is_whole {
            let gap = self.step.wrapping_sub(self.line);
            // SAFETY: the rows are those of a whole map, and there are some, of some whole chunks; the windows have room for
            // as many chunks as a window has.
            unsafe { copy_chunks(values, target.cast(), rows, self.line / CHUNK, gap) }
            return;
        }
        let mut line: MaybeUninit<[[u8; CHUNK]; CHUNKS]> = MaybeUninit::uninit();
        // SAFETY: as above; the line has as many chunks as the windows can have, and `spread` copies those of one window.
        unsafe {
            copy_line(values, line.as_mut_ptr().cast(), rows, self.line, self.step);
            spread(line.as_ptr().cast(), target.cast(), self.count);
        }
    }
}
