//! Maximum over windows, and sums over a map, vectors of channels at a time.
#![allow(unsafe_code)]

use crate::kernels::integer::{Integer, rescale};
use crate::kernels::window::Axis;
use crate::task::{Task, elements_mut};
use convrnn_format::{Element, Numerics};

/// Channels whose sums are kept at once.
const SUMS: usize = 16;

/// What the loop over a window is given.
#[repr(C)]
struct Window {
    values: *const u8,
    target: *mut u8,
    /// Channels, at least one.
    channels: usize,
    /// Positions of the window inside the map, at least one by one.
    rows: usize,
    columns: usize,
    /// From one row to the next, and from one position to the next, in bytes.
    row: usize,
    pixel: usize,
}

/// Maximum over the window's positions inside the map, or says that it is for the portable kernel.
pub fn max(task: &mut Task<'_>) -> bool {
    let Some(input) = task.operand(0) else { return false };
    let (size, maximum): (usize, unsafe extern "C" fn(*const Window)) = match Element::from_byte(task.target.element) {
        Some(Element::I8) => (1, maximum_narrow),
        Some(Element::I16) => (2, maximum_wide),
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let (rows, columns) = (Axis::rows(&input.buffer, &task.record), Axis::columns(&input.buffer, &task.record));
    let channels = task.target.channels as usize;
    let pixel = channels.wrapping_mul(size);
    let row = columns.size.wrapping_mul(pixel);
    let has_all = rows.size.checked_mul(row).is_some_and(|length| length <= input.bytes.len());
    let is_aligned = (input.bytes.as_ptr().addr() | task.output.as_ptr().addr()).is_multiple_of(size);
    if task.numerics() != Numerics::Integer || !has_all || !is_aligned || pixel == 0 {
        return false;
    }
    let (height, width) = (task.target.height as usize, task.target.width as usize);
    let mut targets = task.output.chunks_exact_mut(pixel);
    for position in 0..height {
        let down = rows.span(position);
        let line = input.bytes.as_ptr().wrapping_add(down.source.wrapping_mul(row));
        for position in 0..width {
            let along = columns.span(position);
            let Some(target) = targets.next() else { return true };
            if down.length == 0 || along.length == 0 {
                lowest(target, size);
                continue;
            }
            let window = Window {
                values: line.wrapping_add(along.source.wrapping_mul(pixel)),
                target: target.as_mut_ptr(),
                channels,
                rows: down.length,
                columns: along.length,
                row,
                pixel,
            };
            // SAFETY: see the loops: a span ends where the map does at the latest, the map's values are there, and the target
            // is one position's elements.
            unsafe { maximum(&window) }
        }
    }
    true
}

/// Minus infinity.
fn lowest(target: &mut [u8], size: usize) {
    if size == 1 {
        target.fill(i8::MIN as u8);
    } else {
        elements_mut::<i16>(target).fill(i16::MIN);
    }
}

/// A vector of channels after the other; of each, all positions of the window, the first one twice.
macro_rules! maximum {
    ($name:ident, $mask:literal, $lanes:literal, $load:literal, $larger:literal, $store:literal) => {
        /// # Safety
        /// The window's positions can be read, one position's elements can be written, those of two bytes at even addresses.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(window: *const Window) {
            helium_asm!(
                "push {{r4-r10, lr}}",
                "ldmia r0, {{r1, r2, r3, r4, r5, r6, r7}}",
                "2:",
                concat!($mask, " r3"),
                "mov r8, r1",
                "mov r9, r4",
                concat!("vpst\n", $load, " q0, [r1], #16"),
                "3:",
                "mov r10, r8",
                "dls lr, r5",
                "4:",
                concat!("vpst\n", $load, " q1, [r10]"),
                "add r10, r7",
                concat!($larger, " q0, q0, q1"),
                "le lr, 4b",
                "add r8, r6",
                "subs r9, #1",
                "bne 3b",
                concat!("vpst\n", $store, " q0, [r2], #16"),
                concat!("subs r3, #", $lanes),
                "bgt 2b",
                "pop {{r4-r10, pc}}",
            )
        }
    };
}

maximum!(maximum_narrow, "vctp.8", "16", "vldrbt.u8", "vmax.s8", "vstrbt.8");
maximum!(maximum_wide, "vctp.16", "8", "vldrht.u16", "vmax.s16", "vstrht.16");

/// Mean over positions, `saturate(z_out + first(sum of (x - z)))`, or says that it is for the portable kernel.
pub fn average(task: &mut Task<'_>) -> bool {
    let Some(input) = task.operand(0) else { return false };
    let channels = task.target.channels as usize;
    let size = match Element::from_byte(input.buffer.element) {
        Some(Element::I8) => 1,
        Some(Element::I16) => 2,
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let pixel = channels.wrapping_mul(size);
    let is_aligned = input.bytes.as_ptr().addr().is_multiple_of(size);
    let positions = input.bytes.len().checked_div(pixel).unwrap_or(0);
    if task.numerics() != Numerics::Integer || positions == 0 || !is_aligned {
        return false;
    }
    let zeros = (positions as i32).wrapping_mul(input.buffer.zero_point);
    let (multiplier, shift, zero) = (task.record.first as i32, task.record.first_shift, task.target.zero_point);
    let value = |sum: i32| zero.wrapping_add(rescale(sum.wrapping_sub(zeros), multiplier, shift));
    let output_is_wide = task.target.element == Element::I16.to_byte();
    let mut first = 0_usize;
    while first < channels {
        let left = channels.wrapping_sub(first);
        let values = input.bytes.as_ptr().wrapping_add(first.wrapping_mul(size));
        let mut sums = [0_i32; SUMS];
        let target = sums.as_mut_ptr();
        // SAFETY: see the loops: there are so many positions, each with as many channels from the first one on.
        let count = unsafe {
            match (size, left) {
                (1, SUMS..) => {
                    sum_sixteen(values, target, positions, pixel);
                    SUMS
                }
                (1, _) => {
                    sum_narrow(values, target, positions, pixel, left);
                    left.min(4)
                }
                _ => {
                    sum_wide(values, target, positions, pixel, left);
                    left.min(4)
                }
            }
        };
        let sums = sums.get(..count).unwrap_or(&[]);
        if output_is_wide {
            let targets = elements_mut::<i16>(task.output).get_mut(first..).unwrap_or(&mut []);
            targets.iter_mut().zip(sums).for_each(|(y, &sum)| *y = i16::saturate(value(sum)));
        } else {
            let targets = elements_mut::<i8>(task.output).get_mut(first..).unwrap_or(&mut []);
            targets.iter_mut().zip(sums).for_each(|(y, &sum)| *y = i8::saturate(value(sum)));
        }
        first = first.wrapping_add(count);
    }
    true
}

/// Sums of sixteen channels.
///
/// # Safety
/// At `positions` places, `pixel` bytes apart, sixteen bytes can be read; there is at least one. Sixteen sums can be written.
#[unsafe(naked)]
unsafe extern "C" fn sum_sixteen(values: *const u8, sums: *mut i32, positions: usize, pixel: usize) {
    helium_asm!(
        "push {{r4, lr}}",
        "vpush {{d8-d9}}",
        "movs r4, #0",
        "vdup.32 q0, r4",
        "vdup.32 q1, r4",
        "vdup.32 q2, r4",
        "vdup.32 q3, r4",
        "dls lr, r2",
        "2:",
        "vldrb.s32 q4, [r0]",
        "vadd.i32 q0, q0, q4",
        "vldrb.s32 q4, [r0, #4]",
        "vadd.i32 q1, q1, q4",
        "vldrb.s32 q4, [r0, #8]",
        "vadd.i32 q2, q2, q4",
        "vldrb.s32 q4, [r0, #12]",
        "vadd.i32 q3, q3, q4",
        "add r0, r3",
        "le lr, 2b",
        "vstrw.32 q0, [r1]",
        "vstrw.32 q1, [r1, #16]",
        "vstrw.32 q2, [r1, #32]",
        "vstrw.32 q3, [r1, #48]",
        "vpop {{d8-d9}}",
        "pop {{r4, pc}}",
    )
}

macro_rules! sum_four {
    ($name:ident, $load:literal) => {
        /// Sums of four channels, or of as many as there are.
        ///
        /// # Safety
        /// At `positions` places, `pixel` bytes apart, `channels` elements, or four if there are more, can be read, those of
        /// two bytes at even addresses; there is at least one of both. Four sums can be written.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(values: *const u8, sums: *mut i32, positions: usize, pixel: usize, channels: usize) {
            helium_asm!(
                "push {{r4, lr}}",
                "ldr r4, [sp, #8]",
                "vctp.32 r4",
                "movs r4, #0",
                "vdup.32 q0, r4",
                "dls lr, r2",
                "2:",
                concat!("vpst\n", $load, " q1, [r0]"),
                "vadd.i32 q0, q0, q1",
                "add r0, r3",
                "le lr, 2b",
                "vstrw.32 q0, [r1]",
                "pop {{r4, pc}}",
            )
        }
    };
}

sum_four!(sum_narrow, "vldrbt.s32");
sum_four!(sum_wide, "vldrht.s32");
