//! The inner loop over gathered windows: four positions by two output channels.
//!
//! On processors with the DSP extension (feature `cortex-m4`: Cortex-M4, M7, M33 and later) the
//! 16-bit multipliers are named by hand, since the compiler does not find them for 8-bit weights;
//! elsewhere the same sums are plain Rust.

/// Positions computed at once.
pub(super) const WINDOWS: usize = 4;

/// Output channels computed at once.
pub(super) const TILE: usize = 2;

/// Words of a window of the smaller size.
pub(super) const SMALL: usize = 128;

/// Words of a window of the larger size.
pub(super) const LARGE: usize = 576;

/// One word of each window. A word holds two 16-bit values, the first in the low half.
///
/// Side by side, so that one load brings the words of two windows, and all loads follow one another.
pub(super) type Words = [u32; WINDOWS];

/// Output channels whose sums are kept before they are finished together.
pub(super) const BLOCK: usize = 64;

/// Sums of a block of output channels at each window.
pub(super) type BlockSums = [[i32; BLOCK]; WINDOWS];

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::accumulate;

/// Adds to the sums of the output channels `first` and `first + 1` the products of the windows' values with the weights
/// `[value][output]`, as far as both reach. An odd last value stands beside one that is not used.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
#[inline(always)]
pub(super) fn accumulate(sums: &mut BlockSums, first: usize, windows: &[Words], weights: &[i8]) {
    let mut tile = [[0_i32; TILE]; WINDOWS];
    for (words, weights) in windows.iter().zip(weights.chunks(2 * TILE)) {
        let (weights, _) = weights.as_chunks::<TILE>();
        for ([left, right], &word) in tile.iter_mut().zip(words) {
            let values = [word as i16, (word >> 16) as i16];
            for (&value, &[left_weight, right_weight]) in values.iter().zip(weights) {
                *left = left.wrapping_add(i32::from(value).wrapping_mul(i32::from(left_weight)));
                *right = right.wrapping_add(i32::from(value).wrapping_mul(i32::from(right_weight)));
            }
        }
    }
    for (sums, tile) in sums.iter_mut().zip(tile) {
        let targets = sums.get_mut(first..).unwrap_or(&mut []);
        for (sum, value) in targets.iter_mut().zip(tile) {
            *sum = sum.wrapping_add(value);
        }
    }
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::{BLOCK, BlockSums, TILE, Words};
    use core::arch::naked_asm;

    /// Adds to the sums of the output channels `first` and `first + 1` the products of the windows' values with the
    /// weights `[value][output]`, as far as both reach.
    #[inline(always)]
    pub fn accumulate(sums: &mut BlockSums, first: usize, windows: &[Words], weights: &[i8]) {
        let values = (weights.len() / TILE).min(windows.len().saturating_mul(2));
        if first > BLOCK - TILE {
            return;
        }
        let sums = sums.as_mut_ptr().cast::<i32>().wrapping_add(first);
        // SAFETY: `windows` and `weights` have so many values; from `first` on each window has sums for two channels.
        unsafe { accumulate_values(windows.as_ptr().cast(), weights.as_ptr(), values, sums) }
    }

    /// Two values of four windows with the weights of two outputs, 13 instructions for 16 products: one
    /// word of weights is widened into the pairs of the even bytes (first output) and of the odd ones
    /// (second output). With `ldrh`, one value: the weights of the other are zero.
    macro_rules! two_values {
        ($load:literal, $step:literal) => {
            concat!(
                $load,
                " lr, [r1], #",
                $step,
                "
                ldrd r2, r3, [r0], #8
                sxtb16 r12, lr
                sxtb16 lr, lr, ror #8
                smlad r4, r2, r12, r4
                smlad r5, r2, lr, r5
                smlad r6, r3, r12, r6
                smlad r7, r3, lr, r7
                ldrd r2, r3, [r0], #8
                smlad r8, r2, r12, r8
                smlad r9, r2, lr, r9
                smlad r10, r3, r12, r10
                smlad r11, r3, lr, r11
                "
            )
        };
    }

    /// Eight values.
    macro_rules! eight_values {
        () => {
            concat!(two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"))
        };
    }

    /// Values of one turn of the long loop.
    const LONG: usize = 32;
    const _: () = assert!(LONG * TILE == 1 << 6);

    /// The loop itself takes all registers there are, which no compiler gives: r0 the words, r1 the weights, r4 to r11 the
    /// sums, r2, r3, r12 and lr what is loaded. On the stack, from its pointer on: where the loop's weights end, the number
    /// of values, the sums' address.
    ///
    /// # Safety
    /// For `values` values there are weights of two outputs, and words of four windows (for an odd number the upper halves
    /// of the last words are there too, whatever they hold); `words` is a multiple of four. At `sums`, and at 1, 2 and 3
    /// times `BLOCK` sums behind it, two sums can be read and written.
    #[unsafe(naked)]
    unsafe extern "C" fn accumulate_values(words: *const u32, weights: *const i8, values: usize, sums: *mut i32) {
        // Weights are read with `ldr`, which takes any address on a processor with the DSP extension (the feature
        // `cortex-m4` promises one). Each loop ends when r1 comes to where a whole number of its turns ends, of which there
        // is at least one. Registers that belong to the caller are restored.
        naked_asm!(
            "push {{r2-r11, lr}}",
            "sub sp, #4",
            "ldrd r4, r5, [r3]",
            "ldrd r6, r7, [r3, #{second}]",
            "ldrd r8, r9, [r3, #{third}]",
            "ldrd r10, r11, [r3, #{fourth}]",
            "lsrs r12, r2, #5",
            "beq 3f",
            "add r12, r1, r12, lsl #6",
            "str r12, [sp]",
            "2:",
            eight_values!(),
            eight_values!(),
            eight_values!(),
            eight_values!(),
            "ldr r2, [sp]",
            "cmp r1, r2",
            "bne 2b",
            "ldr r2, [sp, #4]",
            "3:",
            "ubfx r2, r2, #1, #4",
            "cbz r2, 5f",
            "add r2, r1, r2, lsl #2",
            "str r2, [sp]",
            "4:",
            two_values!("ldr", "4"),
            "ldr r2, [sp]",
            "cmp r1, r2",
            "bne 4b",
            "5:",
            "ldr r2, [sp, #4]",
            "lsls r2, r2, #31",
            "beq 6f",
            two_values!("ldrh", "2"),
            "6:",
            "ldr r3, [sp, #8]",
            "strd r4, r5, [r3]",
            "strd r6, r7, [r3, #{second}]",
            "strd r8, r9, [r3, #{third}]",
            "strd r10, r11, [r3, #{fourth}]",
            "add sp, #12",
            "pop {{r4-r11, pc}}",
            second = const BLOCK * size_of::<i32>(),
            third = const 2 * BLOCK * size_of::<i32>(),
            fourth = const 3 * BLOCK * size_of::<i32>(),
        )
    }
}
