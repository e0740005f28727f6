//! One channel in, one channel out: weights `[row][column][channel]`, sixteen channels at a time.
//!
//! Products of 8 bits are made in 16, those of even channels and those of odd ones apart; two of them fit 16 bits together,
//! so they are summed before they are widened. A window that lies inside the map is read where it is, others are copied with
//! the zero point for the padding.
#![allow(unsafe_code)]

use super::CHUNK;
use super::window::Source;
use crate::kernels::window::Axis;
use crate::task::{Task, elements};
use convrnn_format::Element;
use core::mem::{MaybeUninit, offset_of};

/// Most channels; a convolution with more of them is left to the portable kernel.
const CHANNELS: usize = 256;

/// Most chunks of a window that is copied.
const CHUNKS: usize = 512;

/// Biases and multipliers of sixteen channels, in the order that the sums have: even channels, widened from even and from odd
/// places, then odd channels likewise.
#[repr(C)]
#[derive(Clone, Copy)]
struct Scales {
    biases: [i32; CHUNK],
    multipliers: [i32; CHUNK],
}

/// The channel of a sum.
const ORDER: [usize; CHUNK] = [0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15];

/// What the loop over the channels of a position is given.
#[repr(C)]
struct Position {
    values: *const i8,
    weights: *const i8,
    /// From one position to the next, and from the end of a row of the window to the start of the next, in bytes.
    pixel: usize,
    gap: usize,
    rows: usize,
    /// Pairs of columns, and whether there is one more.
    pairs: usize,
    is_odd: usize,
    scales: *const Scales,
    target: *mut u8,
    /// Sixteens of channels.
    blocks: usize,
    shift: u32,
    zero: i32,
}

/// Computes a convolution with as many groups as channels, or says that it is for the portable kernel.
pub(super) fn run(task: &mut Task<'_>) -> bool {
    let record = task.record;
    let Some(input) = task.operand(0) else { return false };
    let (size, convolve): (usize, unsafe extern "C" fn(*const Position)) = match Element::from_byte(task.target.element)
    {
        Some(Element::I8) => (1, convolve_narrow),
        Some(Element::I16) => (2, convolve_wide),
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let channels = task.target.channels as usize;
    let is_depthwise = record.operand_count == 1 && usize::from(record.groups) == channels;
    let has_blocks = channels > 0 && channels <= CHANNELS && channels.is_multiple_of(CHUNK);
    let is_aligned = task.output.as_ptr().addr().is_multiple_of(size);
    if !is_depthwise || input.buffer.channels as usize != channels || !has_blocks || !is_aligned {
        return false;
    }
    let (rows, columns) = (Axis::rows(&input.buffer, &record), Axis::columns(&input.buffer, &record));
    let values: &[i8] = elements(input.bytes);
    let zero = input.buffer.zero_point as i8;
    let Some(mut source) = Source::new(values, channels, zero, rows, columns, 0, CHUNKS) else { return false };
    let length = rows.kernel.wrapping_mul(columns.kernel).wrapping_mul(channels);
    let weights: &[i8] = task.constant(input.weights, length);
    // Two products with the smallest weight there is would not fit 16 bits; no exporter writes it.
    if weights.len() != length || length == 0 || weights.contains(&i8::MIN) {
        return false;
    }
    let mut scales = [Scales { biases: [0; CHUNK], multipliers: [0; CHUNK] }; CHANNELS / CHUNK];
    let (biases, multipliers) = (task.constant(record.bias, channels), task.constant(record.multipliers, channels));
    fill(&mut scales, weights, biases, multipliers, channels, zero);
    let mut position = Position {
        values: values.as_ptr(),
        weights: weights.as_ptr(),
        pixel: channels,
        gap: 0,
        rows: rows.kernel,
        pairs: columns.kernel / 2,
        is_odd: columns.kernel % 2,
        scales: scales.as_ptr(),
        target: core::ptr::null_mut(),
        blocks: channels / CHUNK,
        shift: record.first_shift.into(),
        zero: task.target.zero_point,
    };
    let step = columns.size.wrapping_mul(channels);
    let line = columns.kernel.wrapping_mul(channels);
    let mut window: MaybeUninit<[[u8; CHUNK]; CHUNKS]> = MaybeUninit::uninit();
    let mut targets = task.output.chunks_exact_mut(channels.wrapping_mul(size).max(1));
    for row in 0..task.target.height as usize {
        source.turn_to(row, false);
        let down = rows.span(row);
        let first = values.as_ptr().wrapping_add(down.source.wrapping_mul(step));
        for column in 0..task.target.width as usize {
            let along = columns.span(column);
            let Some(target) = targets.next() else { return true };
            position.target = target.as_mut_ptr();
            if (down.length, along.length) == (rows.kernel, columns.kernel) {
                position.values = first.wrapping_add(along.source.wrapping_mul(channels));
                position.gap = step.wrapping_sub(line);
            } else {
                source.copy_line(&mut window, column);
                position.values = window.as_ptr().cast();
                position.gap = 0;
            }
            // SAFETY: see the loops. The window is one that lies inside the map, whose values were found to be there, or a
            // copy with all its rows; weights and scales are there for all channels, and the target is one position's
            // elements.
            unsafe { convolve(&position) }
        }
    }
    true
}

/// Multipliers, and biases without what the zero point adds to the sums.
#[inline(never)]
fn fill(scales: &mut [Scales], weights: &[i8], biases: &[i32], multipliers: &[i32], channels: usize, zero: i8) {
    for (block, scales) in scales.iter_mut().enumerate().take(channels / CHUNK) {
        for ((bias, multiplier), place) in scales.biases.iter_mut().zip(&mut scales.multipliers).zip(ORDER) {
            let channel = block.wrapping_mul(CHUNK).wrapping_add(place);
            let sum: i32 = weights.iter().skip(channel).step_by(channels.max(1)).map(|&weight| i32::from(weight)).sum();
            let all = biases.get(channel).copied().unwrap_or(0);
            *bias = all.wrapping_sub(sum.wrapping_mul(zero.into()));
            *multiplier = multipliers.get(channel).copied().unwrap_or(0);
        }
    }
}

/// Values and weights of one position of the window.
macro_rules! load {
    () => {
        "vldrb.u8 q5, [r1]
        add r1, r3
        vldrb.u8 q6, [r2]
        add r2, r3
        "
    };
}

/// Adds products of 16 bits, in q3 and q4, to the sums, in q0 to q2 and on the stack.
macro_rules! add {
    () => {
        "vmovlb.s16 q7, q3
        vadd.i32 q0, q0, q7
        vmovlt.s16 q7, q3
        vadd.i32 q1, q1, q7
        vmovlb.s16 q7, q4
        vadd.i32 q2, q2, q7
        vmovlt.s16 q4, q4
        vldrw.u32 q7, [sp]
        vadd.i32 q7, q7, q4
        vstrw.32 q7, [sp]
        "
    };
}

/// Sixteen channels after the other: r0 and r12 are where their values and weights begin, r1 and r2 where they are read, r3
/// the distance of positions, r4 the rows to come, r5 the pairs, r6 whether there is a single, r7 the gap, r8 the scales, r9
/// the target, r10 the sixteens to come, r11 the record.
macro_rules! convolve {
    ($name:ident, $store:literal) => {
        /// # Safety
        /// At each position of the window, and of the weights, which follow one another, there are as many channels as the
        /// sixteens say, and scales for them; the target has elements for them, those of two bytes at even addresses.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(position: *const Position) {
            helium_asm!(
                "push {{r4-r12, lr}}",
                "vpush {{d8-d15}}",
                "sub sp, #16",
                "mov r11, r0",
                "ldrd r0, r12, [r11, #{values}]",
                "ldrd r3, r7, [r11, #{pixel}]",
                "ldrd r5, r6, [r11, #{pairs}]",
                "ldrd r8, r9, [r11, #{scales}]",
                "ldr r10, [r11, #{blocks}]",
                "1:",
                "mov r1, r0",
                "mov r2, r12",
                "ldr r4, [r11, #{rows}]",
                "vldrw.u32 q0, [r8], #16",
                "vldrw.u32 q1, [r8], #16",
                "vldrw.u32 q2, [r8], #16",
                "vldrw.u32 q7, [r8], #16",
                "vstrw.32 q7, [sp]",
                "5:",
                "wls lr, r5, 3f",
                "2:",
                load!(),
                "vmullb.s8 q3, q5, q6",
                "vmullt.s8 q4, q5, q6",
                load!(),
                "vmullb.s8 q7, q5, q6",
                "vadd.i16 q3, q3, q7",
                "vmullt.s8 q7, q5, q6",
                "vadd.i16 q4, q4, q7",
                add!(),
                "le lr, 2b",
                "3:",
                "cbz r6, 4f",
                load!(),
                "vmullb.s8 q3, q5, q6",
                "vmullt.s8 q4, q5, q6",
                add!(),
                "4:",
                "add r1, r7",
                "subs r4, #1",
                "bne 5b",
                "vldrw.u32 q3, [sp]",
                "ldr r4, [r11, #{shift}]",
                "vshl.s32 q0, r4",
                "vshl.s32 q1, r4",
                "vshl.s32 q2, r4",
                "vshl.s32 q3, r4",
                "ldr r4, [r11, #{zero}]",
                "vldrw.u32 q4, [r8], #16",
                "vrmulh.s32 q0, q0, q4",
                "vldrw.u32 q5, [r8], #16",
                "vrmulh.s32 q1, q1, q5",
                "vldrw.u32 q4, [r8], #16",
                "vrmulh.s32 q2, q2, q4",
                "vldrw.u32 q5, [r8], #16",
                "vrmulh.s32 q3, q3, q5",
                "vadd.i32 q0, q0, r4",
                "vadd.i32 q1, q1, r4",
                "vadd.i32 q2, q2, r4",
                "vadd.i32 q3, q3, r4",
                "vqmovnb.s32 q0, q0",
                "vqmovnt.s32 q0, q1",
                "vqmovnb.s32 q1, q2",
                "vqmovnt.s32 q1, q3",
                $store,
                "adds r0, #16",
                "add r12, #16",
                "subs.w r10, r10, #1",
                "bne 1b",
                "add sp, #16",
                "vpop {{d8-d15}}",
                "pop {{r4-r12, pc}}",
                values = const offset_of!(Position, values),
                pixel = const offset_of!(Position, pixel),
                pairs = const offset_of!(Position, pairs),
                scales = const offset_of!(Position, scales),
                blocks = const offset_of!(Position, blocks),
                rows = const offset_of!(Position, rows),
                shift = const offset_of!(Position, shift),
                zero = const offset_of!(Position, zero),
            )
        }
    };
}

convolve!(convolve_narrow, "vqmovnb.s16 q0, q0\nvqmovnt.s16 q0, q1\nvstrb.8 q0, [r9], #16");
convolve!(convolve_wide, "vst20.16 {{q0, q1}}, [r9]\nvst21.16 {{q0, q1}}, [r9]!");
