//! The inner loop over gathered windows: three positions by two output channels.
//!
//! On processors with the DSP extension (feature `cortex-m4`: Cortex-M4, M7, M33 and later) the
//! 16-bit multipliers are named by hand, since the compiler does not find them for 8-bit weights;
//! elsewhere the same sums are plain Rust.

/// Positions computed at once.
pub(super) const WINDOWS: usize = 3;

/// Output channels computed at once.
pub(super) const TILE: usize = 2;

/// Words of a window of the smaller size.
pub(super) const SMALL: usize = 128;

/// Words of a window of the larger size.
pub(super) const LARGE: usize = 504;

/// The gathered windows, side by side. A word holds two 16-bit values, the first in the low half.
pub(super) type Windows<const WORDS: usize> = [[u32; WORDS]; WINDOWS];

/// By position and output channel.
pub(super) type Sums = [[i32; TILE]; WINDOWS];

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::accumulate;

/// Adds the products of the windows, from word `first` on, with the weights `[value][output]`. An
/// odd last value stands beside a zero.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
#[inline(always)]
pub(super) fn accumulate<const WORDS: usize>(
    mut sums: Sums,
    windows: &Windows<WORDS>,
    first: usize,
    weights: &[i8],
) -> Sums {
    let (weights, _) = weights.as_chunks::<TILE>();
    for (sums, window) in sums.iter_mut().zip(windows) {
        let values: &[i16] = bytemuck::cast_slice(window.get(first..).unwrap_or(&[]));
        let [mut left, mut right] = *sums;
        for (&value, &[left_weight, right_weight]) in values.iter().zip(weights) {
            left = left.wrapping_add(i32::from(value).wrapping_mul(i32::from(left_weight)));
            right = right.wrapping_add(i32::from(value).wrapping_mul(i32::from(right_weight)));
        }
        *sums = [left, right];
    }
    sums
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::{LARGE, Sums, TILE, Windows};
    use core::arch::asm;

    /// Two values with the weights of two outputs: one word of weights is widened into the pairs of
    /// the even bytes (first output) and of the odd ones (second output). With `ldrh`, one value:
    /// the weights of the other are zero.
    macro_rules! two_values {
        ($load:literal, $step:literal) => {
            concat!(
                $load,
                " {odd}, [{weight}], #",
                $step,
                "
                ldr {x}, [{value}, #{second}]
                sxtb16 {even}, {odd}
                sxtb16 {odd}, {odd}, ror #8
                smlad {c}, {x}, {even}, {c}
                smlad {d}, {x}, {odd}, {d}
                ldr {x}, [{value}, #{third}]
                smlad {e}, {x}, {even}, {e}
                smlad {f}, {x}, {odd}, {f}
                ldr {x}, [{value}], #4
                smlad {a}, {x}, {even}, {a}
                smlad {b}, {x}, {odd}, {b}"
            )
        };
    }

    /// Values of one turn of the loop.
    const UNROLLED: usize = 8;

    // The windows are reached by the 12-bit offsets of one load.
    const _: () = assert!(2 * LARGE * size_of::<u32>() < 4096);

    /// Adds the products of the windows, from word `first` on, with the weights `[value][output]`.
    #[inline(always)]
    pub fn accumulate<const WORDS: usize>(sums: Sums, windows: &Windows<WORDS>, first: usize, weights: &[i8]) -> Sums {
        let available = WORDS.saturating_sub(first).wrapping_mul(2);
        let values = (weights.len() / TILE).min(available);
        let (turns, rest) = (values / UNROLLED, values % UNROLLED);
        let mut weight = weights.as_ptr();
        // `first` is at most `WORDS` where anything is read.
        let mut value = windows.as_ptr().cast::<u32>().wrapping_add(first);
        let [[mut a, mut b], [mut c, mut d], [mut e, mut f]] = sums;
        macro_rules! run {
            ($($text:expr),* $(; $turns:ident = $count:expr)?) => {
                asm!(
                    $($text,)*
                    weight = inout(reg) weight,
                    value = inout(reg) value,
                    $($turns = inout(reg) $count => _,)?
                    a = inout(reg) a,
                    b = inout(reg) b,
                    c = inout(reg) c,
                    d = inout(reg) d,
                    e = inout(reg) e,
                    f = inout(reg) f,
                    odd = out(reg) _,
                    even = out(reg) _,
                    x = out(reg) _,
                    second = const WORDS * size_of::<u32>(),
                    third = const 2 * WORDS * size_of::<u32>(),
                    options(readonly, nostack),
                )
            };
        }
        // SAFETY, for the three blocks: together they read `values` pairs of weights from the start
        // of `weights`, which has them, and the words of as many values (half a word more where they
        // are odd) from word `first` on of each of the three windows, which lie side by side behind
        // the pointer and have them: `values` is limited by what is left behind `first`. Words are
        // read with `ldr`, which takes any address on a processor with the DSP extension (the
        // feature `cortex-m4` promises one). Only registers are written.
        unsafe {
            if turns > 0 {
                run!(
                    "2:",
                    two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"),
                    "subs {turns}, #1",
                    "bne 2b";
                    turns = turns
                );
            }
            if rest > 1 {
                run!("2:", two_values!("ldr", "4"), "subs {turns}, #1", "bne 2b"; turns = rest / 2);
            }
            if rest % 2 == 1 {
                run!(two_values!("ldrh", "2"));
            }
        }
        let _ = (weight, value);
        [[a, b], [c, d], [e, f]]
    }
}
