//! The inner loop over windows: four positions by two output channels at a time, from bias or sums to outputs or sums.
//!
//! On processors with the DSP extension (feature `cortex-m4`: Cortex-M4, M7, M33 and later) the
//! 16-bit multipliers are named by hand, since the compiler does not find them for 8-bit weights;
//! elsewhere the same sums are plain Rust.

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
mod dsp;
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
mod plain;

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
use dsp::run;
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
use plain::run;

/// Positions computed at once.
pub(super) const WINDOWS: usize = 4;

/// Output channels computed at once.
pub(super) const TILE: usize = 2;

/// One word of each window. A word holds two 16-bit values, the first in the low half.
///
/// Side by side, so that one load brings the words of two windows, and all loads follow one another.
pub(super) type Words = [u32; WINDOWS];

/// Sums of two output channels at each window: those of the first window, those of the second, and so on.
pub(super) type TileSums = [i32; WINDOWS * TILE];

/// Weights of neighbouring pairs of output channels, `[tile][value][output]`: of each pair some that follow one another,
/// as many as windows have values.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    bytes: &'a [i8],
    /// Pairs of output channels.
    tiles: usize,
    /// Values from the start of one pair to the start of the next.
    distance: usize,
    /// First value used of each pair.
    start: usize,
    /// Values used of each pair, which end within it. An odd last one stands beside one that is not used.
    values: usize,
}

impl<'a> Weights<'a> {
    /// All weights of so many pairs; none where they are not there.
    pub fn new(bytes: &'a [i8], tiles: usize, distance: usize) -> Option<Self> {
        let length = tiles.checked_mul(distance)?.checked_mul(TILE)?;
        (length <= bytes.len()).then_some(Self { bytes, tiles, distance, start: 0, values: distance })
    }

    /// The weights of some values of each pair; of none where there are not so many.
    #[inline(always)]
    pub fn part(self, start: usize, values: usize) -> Self {
        let room = self.distance.wrapping_sub(start);
        if start > self.distance || values > room {
            return Self { tiles: 0, ..self };
        }
        Self { start, values, ..self }
    }
}

/// Where sums begin.
pub(super) enum Begin<'a> {
    /// With the bias of each output channel.
    Bias(&'a [i32]),
    /// With those that are there.
    Sums,
}

/// How sums become outputs: `saturate(zero + R(sum))`.
pub(super) struct Outputs<'a> {
    /// One an output channel.
    pub multipliers: &'a [i32],
    /// Left shift of the rescale.
    pub shift: u8,
    /// Zero point.
    pub zero: i32,
    /// Whether outputs are i16, else i8.
    pub is_wide: bool,
    /// The outputs of the first window from the first channel on, then all that follows.
    pub bytes: &'a mut [u8],
    /// Bytes from one window's outputs to the next one's.
    pub distance: usize,
}

/// Sums for all pairs of output channels; what comes out goes to `outputs`, or to `sums` where there are none. Nothing
/// where anything does not reach.
#[inline(always)]
pub(super) fn accumulate(
    windows: &[Words],
    weights: Weights<'_>,
    begin: Begin<'_>,
    sums: &mut [TileSums],
    outputs: Option<Outputs<'_>>,
) {
    let channels = weights.tiles.wrapping_mul(TILE);
    let needs_sums = outputs.is_none() || matches!(begin, Begin::Sums);
    let fits = weights.tiles > 0
        && weights.values.div_ceil(2) <= windows.len()
        && (!needs_sums || weights.tiles <= sums.len())
        && match &begin {
            Begin::Bias(bias) => channels <= bias.len(),
            Begin::Sums => true,
        }
        && outputs.as_ref().is_none_or(|outputs| outputs.reach(channels));
    if fits {
        run(windows, weights, begin, sums, outputs);
    }
}

impl Outputs<'_> {
    /// Whether there are multipliers and places for the outputs of so many channels at every window.
    #[inline(always)]
    fn reach(&self, channels: usize) -> bool {
        let row = channels.saturating_mul(if self.is_wide { 2 } else { 1 });
        let rest = self.bytes.len().checked_sub(row).map(|rest| rest / (WINDOWS - 1));
        channels <= self.multipliers.len() && rest.is_some_and(|rest| self.distance <= rest)
    }
}
