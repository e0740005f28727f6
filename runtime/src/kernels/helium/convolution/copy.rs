//! Copies rows of values and padding into windows.
#![allow(unsafe_code)]

use super::window::Chunk;
use core::mem::offset_of;

/// What the copying loop is given.
#[repr(C)]
#[derive(Clone, core::marker::Copy)]
pub(super) struct Copy {
    pub values: *const i8,
    pub target: *mut u8,
    /// From one chunk of the target to the next.
    pub step: usize,
    pub count: usize,
    pub left: usize,
    pub length: usize,
    pub right: usize,
    pub value_step: usize,
    /// Left shift that turns bytes of the window into bytes of the target.
    pub scale: u32,
    pub top: usize,
    pub bottom: usize,
    pub fill: u32,
}

impl Copy {
    /// Nothing to copy.
    pub const NONE: Self = Self {
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
pub(super) unsafe extern "C" fn copy_rows(copy: *const Copy) {
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
pub(super) unsafe extern "C" fn spread(line: *const u8, target: *mut u8, count: usize) {
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

/// Copies rows of whole chunks into a lane.
///
/// # Safety
/// Rows of `chunks` chunks can be read, each `gap` bytes after the end of the one before, and the lane has room for so many
/// chunks of all `rows`; there are at least one chunk and one row.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy_chunks(
    values: *const i8,
    target: *mut u8,
    rows: usize,
    chunks: usize,
    gap: usize,
) {
    helium_asm!(
        "push {{r4, lr}}",
        "ldr r4, [sp, #8]",
        "1:",
        "dls lr, r3",
        "2:",
        "vldrb.u8 q0, [r0], #16",
        "vstrb.8 q0, [r1], #{step}",
        "le lr, 2b",
        "add r0, r4",
        "subs r2, #1",
        "bne 1b",
        "pop {{r4, pc}}",
        step = const size_of::<Chunk>(),
    )
}

/// Copies rows that are no whole chunks, one behind the other.
///
/// # Safety
/// `rows` rows of `length` bytes can be read, at a distance of `step`, and so many bytes be written; there is at least one
/// of both.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy_line(values: *const i8, target: *mut u8, rows: usize, length: usize, step: usize) {
    helium_asm!(
        "push {{r4-r6, lr}}",
        "ldr r4, [sp, #16]",
        "cmp r3, #16",
        "bhi 3f",
        // Each row is less than a chunk.
        "vctp.8 r3",
        "dls lr, r2",
        "2:",
        "vpstt",
        "vldrbt.u8 q0, [r0]",
        "vstrbt.8 q0, [r1]",
        "add r0, r4",
        "add r1, r3",
        "le lr, 2b",
        "pop {{r4-r6, pc}}",
        "3:",
        "mov r5, r0",
        "mov r6, r1",
        "dlstp.8 lr, r3",
        "4:",
        "vldrb.u8 q0, [r5], #16",
        "vstrb.8 q0, [r6], #16",
        "letp lr, 4b",
        "add r0, r4",
        "add r1, r3",
        "subs r2, #1",
        "bne 3b",
        "pop {{r4-r6, pc}}",
    )
}
