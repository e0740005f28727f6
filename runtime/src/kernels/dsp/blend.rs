//! Four pixels weighted and summed, as a resize does.

use bytemuck::Pod;

/// A pixel of the four around a target.
pub(crate) type Corners<'a, T> = [&'a [T]; 4];

/// `target[i] = (sum of weights[k] * corners[k][i] + 8192) >> 14` with weights of 0 to 16384 that sum up to 16384. Returns
/// false and does nothing for elements other than i8 and i16.
pub(crate) fn blend<T: Pod>(target: &mut [T], corners: Corners<'_, T>, weights: [u16; 4]) -> bool {
    match size_of::<T>() {
        1 => dsp::blend_bytes(bytemuck::cast_slice_mut(target), corners.map(bytemuck::cast_slice), weights),
        2 => dsp::blend_halves(bytemuck::cast_slice_mut(target), corners.map(bytemuck::cast_slice), weights),
        _ => return false,
    }
    true
}

#[allow(unsafe_code)]
mod dsp {
    use super::Corners;
    use core::arch::naked_asm;

    /// Weights of the upper and of the lower two corners, 16 bits each, the left one in the low half; then the corners.
    #[repr(C)]
    struct Job {
        weights: [u32; 2],
        corners: [*const u8; 4],
    }

    macro_rules! blend {
        ($name:ident, $loop:ident, $element:ty, $load:literal, $store:literal) => {
            /// `target[i] = (sum of weights[k] * corners[k][i] + 8192) >> 14`; nothing where a corner is shorter than the
            /// target. Weights are 0 to 16384 and sum up to 16384.
            pub(crate) fn $name(target: &mut [$element], corners: Corners<'_, $element>, weights: [u16; 4]) {
                if target.is_empty() || corners.iter().any(|corner| corner.len() < target.len()) {
                    return;
                }
                let pair = |left: u16, right: u16| u32::from(left) | u32::from(right) << 16;
                let [a, b, c, d] = weights;
                let corners = corners.map(|corner| corner.as_ptr().cast());
                let job = Job { weights: [pair(a, b), pair(c, d)], corners };
                // SAFETY: there is at least one target, and no corner is shorter.
                unsafe { $loop(target.as_mut_ptr(), target.len(), &job) }
            }

            /// # Safety
            /// `count` is at least 1; target and corners have so many elements.
            #[unsafe(naked)]
            unsafe extern "C" fn $loop(target: *mut $element, count: usize, job: *const Job) {
                naked_asm!(
                    "push {{r4-r11, lr}}",
                    "ldm r2, {{r2, r3, r4-r7}}",
                    "mov r12, #8192",
                    "2:",
                    concat!($load, " r8, [r4], #{size}"),
                    concat!($load, " r9, [r5], #{size}"),
                    concat!($load, " r10, [r6], #{size}"),
                    concat!($load, " r11, [r7], #{size}"),
                    "smlabb lr, r8, r2, r12",
                    "smlabt lr, r9, r2, lr",
                    "smlabb lr, r10, r3, lr",
                    "smlabt lr, r11, r3, lr",
                    "subs r1, #1",
                    "asr lr, lr, #14",
                    concat!($store, " lr, [r0], #{size}"),
                    "bne 2b",
                    "pop {{r4-r11, pc}}",
                    size = const size_of::<$element>(),
                )
            }
        };
    }

    blend!(blend_bytes, blend_byte_turns, i8, "ldrsb", "strb");
    blend!(blend_halves, blend_half_turns, i16, "ldrsh", "strh");
}
