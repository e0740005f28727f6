//! The inner loop over gathered windows: two positions by two output channels.
//!
//! On processors with the DSP extension (feature `cortex-m4`: Cortex-M4, M7, M33 and later) the
//! 16-bit multipliers are named by hand, since the compiler does not find them for 8-bit weights;
//! elsewhere the same sums are plain Rust.

/// Output channels computed at once.
pub(super) const TILE: usize = 2;

/// By position and output channel.
pub(super) type Sums = [[i32; TILE]; 2];

/// Adds the products of two windows with the weights `[value][output]`. A window's words hold two
/// 16-bit values each, the first one in the low half; an odd last value stands beside a zero.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
#[inline(always)]
pub(super) fn accumulate(mut sums: Sums, left: &[u32], right: &[u32], weights: &[i8]) -> Sums {
    let (weights, _) = weights.as_chunks::<TILE>();
    for (sums, window) in sums.iter_mut().zip([left, right]) {
        let values: &[i16] = bytemuck::cast_slice(window);
        let [mut first, mut second] = *sums;
        for (&value, &[first_weight, second_weight]) in values.iter().zip(weights) {
            first = first.wrapping_add(i32::from(value).wrapping_mul(i32::from(first_weight)));
            second = second.wrapping_add(i32::from(value).wrapping_mul(i32::from(second_weight)));
        }
        *sums = [first, second];
    }
    sums
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::accumulate;

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::{Sums, TILE};
    use core::arch::asm;

    /// Two values with the weights of two outputs: one word of weights is widened into the pairs of
    /// the even bytes (first output) and of the odd ones (second output).
    macro_rules! two_values {
        () => {
            "ldr {weights}, [{weight}], #4
             ldr {x}, [{left}], #4
             sxtb16 {even}, {weights}
             ldr {y}, [{right}], #4
             sxtb16 {weights}, {weights}, ror #8
             smlad {a}, {x}, {even}, {a}
             smlad {c}, {y}, {even}, {c}
             smlad {b}, {x}, {weights}, {b}
             smlad {d}, {y}, {weights}, {d}"
        };
    }

    /// Values of one turn of the loop.
    const UNROLLED: usize = 8;

    /// Adds the products of two windows with the weights `[value][output]`.
    #[inline(always)]
    pub fn accumulate(sums: Sums, left: &[u32], right: &[u32], weights: &[i8]) -> Sums {
        let (blocks, rest) = weights.as_chunks::<{ UNROLLED * TILE }>();
        let ((left_blocks, _), (right_blocks, _)) = (left.as_chunks::<{ UNROLLED / 2 }>(), right.as_chunks::<{ UNROLLED / 2 }>());
        let turns = blocks.len().min(left_blocks.len()).min(right_blocks.len());
        let [[mut a, mut b], [mut c, mut d]] = sums;
        if turns > 0 {
            // SAFETY: the loop reads `turns` blocks from the start of each of the three slices,
            // which have at least that many; words are read with `ldr`, which takes any address on
            // a processor with the DSP extension (the feature `cortex-m4` promises one). It writes
            // registers only.
            unsafe {
                asm!(
                    "2:",
                    two_values!(), two_values!(), two_values!(), two_values!(),
                    "subs {turns}, #1",
                    "bne 2b",
                    weight = inout(reg) blocks.as_ptr() => _,
                    left = inout(reg) left_blocks.as_ptr() => _,
                    right = inout(reg) right_blocks.as_ptr() => _,
                    turns = inout(reg) turns => _,
                    a = inout(reg) a,
                    b = inout(reg) b,
                    c = inout(reg) c,
                    d = inout(reg) d,
                    weights = out(reg) _,
                    even = out(reg) _,
                    x = out(reg) _,
                    y = out(reg) _,
                    options(readonly, nostack),
                );
            }
        }
        // Fewer than eight values are left; the last word of an odd run holds a zero.
        let words = left.iter().zip(right).skip(turns.wrapping_mul(UNROLLED / 2));
        for (weights, (&left, &right)) in rest.chunks(2 * TILE).zip(words) {
            for (index, &[first, second]) in weights.as_chunks::<TILE>().0.iter().enumerate() {
                let half = |word: u32| i32::from((if index == 0 { word } else { word >> 16 }) as i16);
                let (x, y) = (half(left), half(right));
                a = a.wrapping_add(x.wrapping_mul(first.into()));
                b = b.wrapping_add(x.wrapping_mul(second.into()));
                c = c.wrapping_add(y.wrapping_mul(first.into()));
                d = d.wrapping_add(y.wrapping_mul(second.into()));
            }
        }
        [[a, b], [c, d]]
    }
}
