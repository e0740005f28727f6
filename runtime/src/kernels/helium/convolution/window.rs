//! Windows side by side, with the zero point where the padding is.
#![allow(unsafe_code)]

use super::{CHUNK, CHUNKS, LANES};
use crate::kernels::window::Axis;
use core::mem::{MaybeUninit, offset_of};

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
        Some(Self { rows, columns, pixel: channels, step, line, chunk, count, is_whole, values, copy, row: values })
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

    /// Turns to the windows of an output row.
    pub fn turn_to(&mut self, row: usize) {
        let down = self.rows.span(row);
        self.row = self.values.wrapping_add(down.source.wrapping_mul(self.step));
        self.copy.count = down.length;
        // A window without rows in the map is all padding.
        let top = if down.length == 0 { 0 } else { down.start };
        let bottom = self.rows.kernel.wrapping_sub(top).wrapping_sub(down.length);
        (self.copy.top, self.copy.bottom) = (top.wrapping_mul(self.line), bottom.wrapping_mul(self.line));
    }

    /// Copies the window at a column into a lane.
    #[inline(always)]
    pub fn gather(&mut self, windows: &mut Windows, lane: usize, column: usize) {
        if lane >= LANES {
            return;
        }
        let along = self.columns.span(column);
        let left = along.start.wrapping_mul(self.pixel);
        let length = along.length.wrapping_mul(self.pixel);
        let target = windows.0.as_mut_ptr().cast::<Chunk>().wrapping_add(self.chunk).cast::<[u8; CHUNK]>();
        let target = target.wrapping_add(lane);
        let copy = &mut self.copy;
        copy.values = self.row.wrapping_add(along.source.wrapping_mul(self.pixel));
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
}

/// What the copying loop is given.
#[repr(C)]
#[derive(Clone, core::marker::Copy)]
struct Copy {
    values: *const i8,
    target: *mut u8,
    /// From one chunk of the target to the next.
    step: usize,
    count: usize,
    left: usize,
    length: usize,
    right: usize,
    value_step: usize,
    /// Left shift that turns bytes of the window into bytes of the target.
    scale: u32,
    top: usize,
    bottom: usize,
    fill: u32,
}

impl Copy {
    const NONE: Self = Self {
        values: core::ptr::null(),
        target: core::ptr::null_mut(),
        step: 0,
        count: 0,
        left: 0,
        length: 0,
        right: 0,
        value_step: 0,
        scale: 0,
        top: 0,
        bottom: 0,
        fill: 0,
    };
}

/// Writes `$length` bytes of padding at r1, and moves r1 on.
macro_rules! fill {
    ($length:literal) => {
        concat!(
            "wlstp.8 lr, ",
            $length,
            ", 3f\n",
            "mov r8, r1\n",
            "2:\n",
            "vstrb.8 q0, [r8]\n",
            "add r8, r2\n",
            "letp lr, 2b\n",
            "3:\n",
            "lsl.w r8, ",
            $length,
            ", r9\n",
            "add r1, r8\n",
        )
    };
}

/// Padding above, row by row padding, values and padding, padding below.
///
/// # Safety
/// The values can be read, `count` rows of `length` at a distance of `value_step`. The window's bytes can be written, 16
/// follow one another, and then those at a distance of `step`: with a `scale` of 0 that is 16, else all parts of a row are
/// multiples of 16 and it is 16 times two to the `scale`.
#[unsafe(naked)]
unsafe extern "C" fn copy_rows(copy: *const Copy) {
    helium_asm!(
        "push {{r4-r11, lr}}",
        "ldr r8, [r0, #{fill}]",
        "vdup.8 q0, r8",
        "mov r11, r0",
        "ldr r9, [r11, #{scale}]",
        "ldrd r0, r1, [r11, #{values}]",
        "ldrd r2, r3, [r11, #{step}]",
        "ldr r12, [r11, #{top}]",
        fill!("r12"),
        "cbz r3, 6f",
        "ldrd r4, r5, [r11, #{left}]",
        "ldrd r6, r7, [r11, #{right}]",
        "lsl.w r12, r5, r9",
        "4:",
        fill!("r4"),
        "wlstp.8 lr, r5, 3f",
        "mov r8, r1",
        "mov r10, r0",
        "2:",
        "vldrb.u8 q1, [r10], #16",
        "vstrb.8 q1, [r8]",
        "add r8, r2",
        "letp lr, 2b",
        "3:",
        "add r1, r12",
        "add r0, r7",
        fill!("r6"),
        "subs r3, #1",
        "bne 4b",
        "6:",
        "ldr r12, [r11, #{bottom}]",
        fill!("r12"),
        "pop {{r4-r11, pc}}",
        values = const offset_of!(Copy, values),
        step = const offset_of!(Copy, step),
        left = const offset_of!(Copy, left),
        right = const offset_of!(Copy, right),
        scale = const offset_of!(Copy, scale),
        top = const offset_of!(Copy, top),
        bottom = const offset_of!(Copy, bottom),
        fill = const offset_of!(Copy, fill),
    )
}

/// Copies `count` chunks that follow one another into a lane.
///
/// # Safety
/// There are so many chunks and so many of the lane; at least one.
#[unsafe(naked)]
unsafe extern "C" fn spread(line: *const u8, target: *mut u8, count: usize) {
    helium_asm!(
        "push {{r4, lr}}",
        "dls lr, r2",
        "2:",
        "vldrb.u8 q0, [r0], #16",
        "vstrb.8 q0, [r1], #{step}",
        "le lr, 2b",
        "pop {{r4, pc}}",
        step = const size_of::<Chunk>(),
    )
}
