//! Separable interpolation, four channels at a time.
#![allow(unsafe_code)]

use crate::task::Task;
use convrnn_format::{Element, Numerics, Record, ResizeEntry};
use core::mem::offset_of;

/// What the loop over the channels of a position is given.
#[repr(C)]
struct Corners {
    /// Top left, top right, bottom left, bottom right.
    values: [*const u8; 4],
    /// Products of the weights, whose sum is 128 times 128.
    weights: [i32; 4],
    target: *mut u8,
    /// At least one.
    channels: usize,
}

/// Every output element from four neighbours, or says that it is for the portable kernel.
pub fn run(task: &mut Task<'_>) -> bool {
    let Some(input) = task.operand(0) else { return false };
    let (size, blend): (usize, unsafe extern "C" fn(*const Corners)) = match Element::from_byte(task.target.element) {
        Some(Element::I8) => (1, blend_narrow),
        Some(Element::I16) => (2, blend_wide),
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let (height, width) = (input.buffer.height as usize, input.buffer.width as usize);
    let channels = task.target.channels as usize;
    let pixel = channels.wrapping_mul(size);
    let row = width.wrapping_mul(pixel);
    let has_all = height.checked_mul(row).is_some_and(|length| length <= input.bytes.len());
    let is_aligned = (input.bytes.as_ptr().addr() | task.output.as_ptr().addr()).is_multiple_of(size);
    if task.numerics() != Numerics::Integer || !has_all || !is_aligned || pixel == 0 || height == 0 || width == 0 {
        return false;
    }
    let target_rows = (task.target.height as usize).wrapping_mul(ResizeEntry::STRIDE);
    let target_columns = (task.target.width as usize).wrapping_mul(ResizeEntry::STRIDE);
    let table: &[u8] = task.constant(task.record.table, target_rows.wrapping_add(target_columns));
    let (rows, columns) = table.split_at_checked(target_rows).unwrap_or_default();
    let mut targets = task.output.chunks_exact_mut(pixel);
    // Positions in the map, whatever the table says.
    let both = |first: u16, extent: usize| {
        let last = extent.wrapping_sub(1);
        (usize::from(first).min(last), usize::from(first).wrapping_add(1).min(last))
    };
    for down in rows.chunks_exact(ResizeEntry::STRIDE).filter_map(ResizeEntry::decode) {
        let (top, bottom) = both(down.first, height);
        let line = |row_index: usize| input.bytes.as_ptr().wrapping_add(row_index.wrapping_mul(row));
        let (top, bottom) = (line(top), line(bottom));
        let lower = i32::from(down.weight_128);
        let upper = 128_i32.wrapping_sub(lower);
        for along in columns.chunks_exact(ResizeEntry::STRIDE).filter_map(ResizeEntry::decode) {
            let (left, right) = both(along.first, width);
            let (left, right) = (left.wrapping_mul(pixel), right.wrapping_mul(pixel));
            let Some(target) = targets.next() else { return true };
            let after = i32::from(along.weight_128);
            let before = 128_i32.wrapping_sub(after);
            let corners = Corners {
                values: [
                    top.wrapping_add(left),
                    top.wrapping_add(right),
                    bottom.wrapping_add(left),
                    bottom.wrapping_add(right),
                ],
                weights: [
                    upper.wrapping_mul(before),
                    upper.wrapping_mul(after),
                    lower.wrapping_mul(before),
                    lower.wrapping_mul(after),
                ],
                target: target.as_mut_ptr(),
                channels,
            };
            // SAFETY: see the loops: the corners are positions of the map, whose values are there, and the target is one
            // position's elements.
            unsafe { blend(&corners) }
        }
    }
    true
}

macro_rules! blend {
    ($name:ident, $load:literal, $narrow:literal, $store:literal, $step:literal) => {
        /// # Safety
        /// At each corner `channels` elements can be read, and as many can be written at the target; at least one; those of
        /// two bytes at even addresses.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(corners: *const Corners) {
            helium_asm!(
                "push {{r4-r10, lr}}",
                "ldmia r0, {{r1, r2, r3, r4, r5, r6, r7, r8, r9, r10}}",
                // Elements of fewer bits than their lanes are only stored at the lower registers.
                "mov r0, r9",
                "dlstp.32 lr, r10",
                "2:",
                concat!($load, " q0, [r1], #", $step),
                "vmul.i32 q0, q0, r5",
                concat!($load, " q1, [r2], #", $step),
                "vmla.s32 q0, q1, r6",
                concat!($load, " q1, [r3], #", $step),
                "vmla.s32 q0, q1, r7",
                concat!($load, " q1, [r4], #", $step),
                "vmla.s32 q0, q1, r8",
                "vrshr.s32 q0, q0, #14",
                $narrow,
                concat!($store, " q0, [r0], #", $step),
                "letp lr, 2b",
                "pop {{r4-r10, pc}}",
            )
        }
    };
}

const _: () = assert!(offset_of!(Corners, weights) == 16 && offset_of!(Corners, target) == 32);

blend!(blend_narrow, "vldrb.s32", "vqmovnb.s32 q0, q0\nvqmovnb.s16 q0, q0", "vstrb.32", "4");
blend!(blend_wide, "vldrh.s32", "vqmovnb.s32 q0, q0", "vstrh.32", "8");
