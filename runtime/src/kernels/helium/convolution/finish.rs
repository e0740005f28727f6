//! From sums to the elements of the output, all windows of an output channel at once.
#![allow(unsafe_code)]

use super::product::Sums;
use super::{BLOCK, LANES};
use core::mem::offset_of;

/// How the sums of one output channel become elements.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// Added first.
    pub bias: i32,
    /// Of the rescale.
    pub multiplier: i32,
}

/// The scales of a block of output channels.
pub(super) type Scales = [Scale; BLOCK];

/// What all elements have in common.
#[repr(C)]
#[derive(Default)]
pub(super) struct Finish {
    /// Left shift of the rescale, below 32.
    pub shift: u32,
    /// Zero point of the output.
    pub zero: i32,
    /// Whether the output's elements are i16, else i8.
    pub is_wide: bool,
}

/// What the loop is given.
#[repr(C)]
struct Elements {
    sums: *const [i32; LANES],
    scales: *const Scale,
    output: *mut u8,
    count: usize,
    shift: u32,
    zero: i32,
    /// Distance of each window's element from `output`, in bytes.
    offsets: [u32; LANES],
}

/// `y = saturate(zero + rescale(sum + bias))` for the output channels `0..count`, whose elements follow one another. The
/// first window's elements are at the start of `output`, those of the others at their offsets in bytes; two windows with
/// one offset must have the same sums. Nothing where something does not fit.
pub(super) fn finish(
    finish: &Finish,
    sums: &Sums,
    scales: &Scales,
    count: usize,
    output: &mut [u8],
    offsets: [u32; LANES],
) {
    let size = if finish.is_wide { 2 } else { 1 };
    let length = count.wrapping_mul(size);
    let fits = count <= BLOCK
        && offsets.iter().all(|&offset| (offset as usize).checked_add(length).is_some_and(|end| end <= output.len()))
        && (!finish.is_wide || (output.as_ptr().addr() % 2 == 0 && offsets.iter().all(|offset| offset % 2 == 0)));
    if !fits || count == 0 {
        return;
    }
    let elements = Elements {
        sums: sums.as_ptr(),
        scales: scales.as_ptr(),
        output: output.as_mut_ptr(),
        count,
        shift: finish.shift,
        zero: finish.zero,
        offsets,
    };
    // SAFETY: see the functions; everything was found to be there.
    unsafe {
        if finish.is_wide {
            finish_wide(&elements);
        } else {
            finish_narrow(&elements);
        }
    }
}

/// The loop, with the instructions that limit the elements, store them and step to the next ones.
macro_rules! finish_with {
    ($narrow:literal, $store:literal, $step:literal) => {
        helium_asm!(
            "push {{r4, r5, r6, lr}}",
            "ldrd r1, r2, [r0, #{sums}]",
            "ldrd r3, r6, [r0, #{output}]",
            "ldrd r12, r4, [r0, #{shift}]",
            "vdup.32 q2, r4",
            "adds r0, #{offsets}",
            "vldrw.u32 q3, [r0]",
            "dls lr, r6",
            "2:",
            "vldrw.u32 q0, [r1], #16",
            "ldrd r4, r5, [r2], #8",
            "vadd.i32 q0, q0, r4",
            "vshl.s32 q0, r12",
            "vdup.32 q1, r5",
            "vrmulh.s32 q0, q0, q1",
            "vadd.i32 q0, q0, q2",
            "vqmovnb.s32 q0, q0",
            $narrow,
            $store,
            $step,
            "le lr, 2b",
            "pop {{r4, r5, r6, pc}}",
            sums = const offset_of!(Elements, sums),
            output = const offset_of!(Elements, output),
            shift = const offset_of!(Elements, shift),
            offsets = const offset_of!(Elements, offsets),
        )
    };
}

/// # Safety
/// `count` is not zero; there are so many sums and scales, and at each offset from `output` so many elements can be written.
#[unsafe(naked)]
unsafe extern "C" fn finish_narrow(elements: *const Elements) {
    finish_with!("vqmovnb.s16 q0, q0", "vstrb.32 q0, [r3, q3]", "adds r3, #1")
}

/// # Safety
/// As for [`finish_narrow`], with elements of two bytes at even addresses.
#[unsafe(naked)]
unsafe extern "C" fn finish_wide(elements: *const Elements) {
    finish_with!("", "vstrh.32 q0, [r3, q3]", "adds r3, #2")
}
