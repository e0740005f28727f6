//! Windows side by side, with the zero point where the padding is.
#![allow(unsafe_code)]

use crate::kernels::helium::helium_asm;
use super::{CHUNK, CHUNKS, LANES};
use core::mem::offset_of;

/// One chunk of each window.
pub(super) type Chunk = [[u8; CHUNK]; LANES];

/// [`LANES`] windows, chunk by chunk.
pub(super) type Windows = [Chunk; CHUNKS];

/// One row of a window's rows, and the rows themselves, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// Padding above.
    pub top: usize,
    /// Rows inside the map.
    pub count: usize,
    /// Padding below.
    pub bottom: usize,
    /// Of a row: padding before the map, values, padding after it.
    pub left: usize,
    pub length: usize,
    pub right: usize,
    /// From the start of one row to that of the next, in the values.
    pub step: usize,
}

impl Rows {
    /// Bytes of the window.
    fn window(&self) -> Option<usize> {
        let row = self.left.checked_add(self.length)?.checked_add(self.right)?;
        row.checked_mul(self.count)?.checked_add(self.top)?.checked_add(self.bottom)
    }

    /// Bytes of the values that the rows reach.
    fn reach(&self) -> Option<usize> {
        match self.count.checked_sub(1) {
            Some(steps) => self.step.checked_mul(steps)?.checked_add(self.length),
            None => Some(0),
        }
    }

    /// Whether every part is a number of whole chunks.
    fn is_whole(&self) -> bool {
        (self.top | self.bottom | self.left | self.length | self.right) % CHUNK == 0
    }
}

/// Copies a window into its lane, from chunk `first` on. Nothing where something does not fit.
pub(super) fn gather(windows: &mut Windows, first: usize, lane: usize, values: &[i8], rows: &Rows, zero: i8) {
    let Some(length) = rows.window() else { return };
    let count = length.div_ceil(CHUNK);
    let fits = lane < LANES
        && first.checked_add(count).is_some_and(|end| end <= CHUNKS)
        && rows.reach().is_some_and(|reach| reach <= values.len());
    if !fits {
        return;
    }
    let target = windows.as_mut_ptr().wrapping_add(first).cast::<[u8; CHUNK]>().wrapping_add(lane);
    let copy = |target: *mut u8, step: usize, scale: u32| Copy {
        values: values.as_ptr(),
        target,
        step,
        count: rows.count,
        left: rows.left,
        length: rows.length,
        right: rows.right,
        value_step: rows.step,
        scale,
        top: rows.top,
        bottom: rows.bottom,
        fill: u32::from(zero as u8),
    };
    if rows.is_whole() {
        // SAFETY: see `copy_rows`; the values and the lane's chunks were found to be there.
        unsafe { copy_rows(&copy(target.cast(), size_of::<Chunk>(), LANES.trailing_zeros())) }
        return;
    }
    let mut line = [[0_u8; CHUNK]; CHUNKS];
    // SAFETY: see `copy_rows` and `spread`; the line has as many chunks as a window can have.
    unsafe {
        copy_rows(&copy(line.as_mut_ptr().cast(), CHUNK, 0));
        spread(line.as_ptr().cast(), target.cast(), count);
    }
}

/// What the copying loop is given.
#[repr(C)]
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

/// Writes `$length` bytes of padding at r1, and moves r1 on.
macro_rules! fill {
    ($length:literal) => {
        concat!(
            "wlstp.8 lr, ", $length, ", 3f\n",
            "mov r8, r1\n",
            "2:\n",
            "vstrb.8 q0, [r8]\n",
            "add r8, r2\n",
            "letp lr, 2b\n",
            "3:\n",
            "lsl.w r8, ", $length, ", r9\n",
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
