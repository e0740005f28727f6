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

/// By position and output channel.
pub(super) type Sums = [[i32; TILE]; WINDOWS];

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::accumulate;

/// Adds the products of the windows' values with the weights `[value][output]`, as far as both reach.
/// An odd last value stands beside one that is not used.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
#[inline(always)]
pub(super) fn accumulate(mut sums: Sums, windows: &[Words], weights: &[i8]) -> Sums {
    for (words, weights) in windows.iter().zip(weights.chunks(2 * TILE)) {
        let (weights, _) = weights.as_chunks::<TILE>();
        for ([left, right], &word) in sums.iter_mut().zip(words) {
            let values = [word as i16, (word >> 16) as i16];
            for (&value, &[left_weight, right_weight]) in values.iter().zip(weights) {
                *left = left.wrapping_add(i32::from(value).wrapping_mul(i32::from(left_weight)));
                *right = right.wrapping_add(i32::from(value).wrapping_mul(i32::from(right_weight)));
            }
        }
    }
    sums
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::{Sums, TILE, Words};
    use core::arch::asm;

    /// Two values of four windows with the weights of two outputs, 13 instructions for 16 products: one
    /// word of weights is widened into the pairs of the even bytes (first output) and of the odd ones
    /// (second output). With `ldrh`, one value: the weights of the other are zero.
    macro_rules! two_values {
        ($load:literal, $step:literal) => {
            concat!(
                $load,
                " {odd}, [{weight}], #",
                $step,
                "
                ldrd {x}, r7, [{value}], #8
                sxtb16 {even}, {odd}
                sxtb16 {odd}, {odd}, ror #8
                smlad {a}, {x}, {even}, {a}
                smlad {b}, {x}, {odd}, {b}
                smlad {c}, r7, {even}, {c}
                smlad {d}, r7, {odd}, {d}
                ldrd {x}, r7, [{value}], #8
                smlad {e}, {x}, {even}, {e}
                smlad {f}, {x}, {odd}, {f}
                smlad {g}, r7, {even}, {g}
                smlad {h}, r7, {odd}, {h}
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

    /// Values of one turn of the long loop, and of the short one.
    const LONG: usize = 32;
    const SHORT: usize = 2;

    /// Adds the products of the windows' values with the weights `[value][output]`, as far as both reach.
    #[inline(always)]
    pub fn accumulate(sums: Sums, windows: &[Words], weights: &[i8]) -> Sums {
        let values = (weights.len() / TILE).min(windows.len().saturating_mul(2));
        let (long, rest) = (values / LONG, values % LONG);
        let mut weight = weights.as_ptr();
        let mut value = windows.as_ptr().cast::<u32>();
        let [[mut a, mut b], [mut c, mut d], [mut e, mut f], [mut g, mut h]] = sums;
        macro_rules! run {
            ($($text:expr),*; $last:expr) => {
                asm!(
                    "push {{r7}}",
                    "str {even}, [sp, #-4]!",
                    "2:",
                    $($text,)*
                    "ldr {even}, [sp]",
                    "cmp {weight}, {even}",
                    "bne 2b",
                    "add sp, #4",
                    "pop {{r7}}",
                    weight = inout(reg) weight,
                    value = inout(reg) value,
                    a = inout(reg) a,
                    b = inout(reg) b,
                    c = inout(reg) c,
                    d = inout(reg) d,
                    e = inout(reg) e,
                    f = inout(reg) f,
                    g = inout(reg) g,
                    h = inout(reg) h,
                    odd = out(reg) _,
                    even = inout(reg) $last => _,
                    x = out(reg) _,
                )
            };
        }
        // SAFETY, for the three blocks: together they read `values` pairs of weights from the start of `weights`, which
        // has them, and as many words of windows (for an odd number of values one half more of each of the four) from
        // their start, which are there. Each loop ends when `weight` comes to a multiple of its turn's weights behind
        // where it was, of which there is at least one. `ldrd` takes multiples of four, which `windows` is aligned to;
        // weights are read with `ldr`, which takes any address on a processor with the DSP extension (the feature
        // `cortex-m4` promises one). Memory is written below the stack pointer only, which is restored, as is r7, the
        // frame pointer, which holds no operand.
        unsafe {
            if long > 0 {
                let last = weight.wrapping_add(long.wrapping_mul(LONG * TILE));
                run!(eight_values!(), eight_values!(), eight_values!(), eight_values!(); last);
            }
            if rest >= SHORT {
                let last = weight.wrapping_add((rest / SHORT).wrapping_mul(SHORT * TILE));
                run!(two_values!("ldr", "4"); last);
            }
            if rest % SHORT == 1 {
                let last = weight.wrapping_add(TILE);
                run!(two_values!("ldrh", "2"); last);
            }
        }
        let _ = (weight, value);
        [[a, b], [c, d], [e, f], [g, h]]
    }
}
