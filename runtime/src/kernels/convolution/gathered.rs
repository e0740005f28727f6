//! Integer convolution over gathered windows: weights `[tile][row][column][input][2]`, one group.
//!
//! The rows that windows reach are widened once to 16 bits, with the zero points taken off and real zeros for the padding.
//! The windows of four neighbouring outputs are copied from there side by side, and then serve every output channel. So
//! all windows are alike, the inner loop is one run over all operands' rows, and a pair of values
//! fills one 32-bit word, as the 16-bit multipliers of small processors want it.

use super::lanes::{Lane, Source, gather};
use super::rows::{HALVES, Plan, load};
use super::scratch::Scratch;
use super::tiles::{Factors, Outputs, TILE, TileSums, WINDOWS, Whole, Words, accumulate};
use super::{Geometry, Input, Scaling};
use crate::kernels::integer::{Integer, keep_rolled, rescale};
use crate::task::elements_mut;
use convrnn_format::Element;

/// Words of the largest window.
const WORDS: usize = 576;

/// Output channels whose sums are kept before they are finished together.
const BLOCK: usize = 64;

/// Words of an operand's part of a window.
fn words(geometry: &Geometry, input: &Input<'_, i8>) -> usize {
    let area = geometry.rows.kernel.saturating_mul(geometry.columns.kernel);
    area.saturating_mul(input.channels).div_ceil(2)
}

/// Convolves, if windows and rows fit the stack; else it returns false and has done nothing.
#[inline(never)]
pub(super) fn convolve(
    geometry: &Geometry,
    inputs: &[Input<'_, i8>],
    scaling: &Scaling<'_>,
    output: &mut [u8],
) -> bool {
    let window = inputs.iter().fold(0_usize, |sum, input| sum.saturating_add(words(geometry, input)));
    let (Some(plan), kernel) = (Plan::new(geometry, inputs), geometry.rows.kernel) else { return false };
    if window > WORDS || kernel == 0 || geometry.width == 0 {
        return false;
    }
    let (mut halves, mut windows) = (Scratch::<u32, { HALVES / 2 + 1 }>::new(), Scratch::<Words, WORDS>::new());
    let mut sums = Scratch::<TileSums, { BLOCK / TILE }>::new();
    // The last row, if it is odd, is read with one half more.
    let halves = halves.zeroed((plan.halves(geometry, inputs) / 2).wrapping_add(1));
    let halves: &mut [i16] = bytemuck::cast_slice_mut(halves);
    let windows = windows.zeroed(window);
    let sums = sums.zeroed(geometry.outputs.div_ceil(TILE));
    // One operand and an even number of outputs need no sums but those in registers.
    let whole = match inputs {
        [input] if geometry.outputs.is_multiple_of(TILE) => Some(Whole {
            weights: input.weights,
            values: geometry.rows.kernel.wrapping_mul(geometry.columns.kernel).wrapping_mul(input.channels),
            tiles: geometry.outputs / TILE,
            bias: scaling.bias,
            multipliers: scaling.multipliers,
            shift: scaling.shift,
            zero: scaling.zero,
            is_wide: scaling.element == Element::I16.to_byte(),
        }),
        _ => None,
    };
    for first in (0..geometry.width).step_by(plan.strip.max(1)) {
        let mut cursor = Cursor { width: geometry.width.wrapping_sub(first).min(plan.strip), ..Cursor::default() };
        let mut loaded = 0_usize;
        while cursor.row < geometry.height {
            let position = cursor.row.wrapping_mul(geometry.width).wrapping_add(first).wrapping_add(cursor.column);
            let mut lanes = [Lane::default(); WINDOWS];
            let (valid, needed) = cursor.take(geometry, plan, &mut lanes);
            while loaded < needed {
                load(geometry, inputs, plan, first, loaded, halves);
                loaded = loaded.wrapping_add(1);
            }
            gather_all(geometry, inputs, plan, &lanes, halves, windows);
            let place = Place { position, valid };
            match &whole {
                Some(whole) if valid == WINDOWS => {
                    let size = if whole.is_wide { 2 } else { 1 };
                    whole.run(windows, place.bytes(geometry, 0, size, output));
                }
                Some(_) | None => sum(geometry, inputs, windows, scaling, place, sums, output),
            }
        }
    }
    true
}

/// The next output position of a strip.
#[derive(Default)]
struct Cursor {
    /// Output columns of the strip.
    width: usize,
    row: usize,
    /// Counted from the strip's first one.
    column: usize,
    /// Where the window's first row lies.
    slot: usize,
}

impl Cursor {
    /// The next windows; where the positions end, or the row in one of several strips, the last ones are any. Returns how
    /// many count and how many rows of the padded map they need.
    #[inline(never)]
    fn take(&mut self, geometry: &Geometry, plan: Plan, lanes: &mut [Lane]) -> (usize, usize) {
        let goes_on = self.width == geometry.width;
        let (mut valid, mut needed) = (0_usize, 0);
        for lane in lanes {
            keep_rolled();
            if self.row >= geometry.height || (self.column == 0 && valid > 0 && !goes_on) {
                break;
            }
            *lane = Lane { slot: self.slot, column: self.column.wrapping_mul(geometry.columns.stride) };
            needed = self.row.wrapping_mul(geometry.rows.stride).wrapping_add(geometry.rows.kernel);
            valid = valid.wrapping_add(1);
            self.column = self.column.wrapping_add(1);
            if self.column == self.width {
                (self.row, self.column) = (self.row.wrapping_add(1), 0);
                self.slot = self.slot.wrapping_add(geometry.rows.stride).checked_rem(plan.slots).unwrap_or(0);
            }
        }
        (valid, needed)
    }
}

/// Copies the windows of all operands.
#[inline(always)]
fn gather_all(
    geometry: &Geometry,
    inputs: &[Input<'_, i8>],
    plan: Plan,
    lanes: &[Lane; WINDOWS],
    halves: &[i16],
    windows: &mut [Words],
) {
    let (mut halves, mut windows) = (halves, windows);
    for input in inputs {
        keep_rolled();
        let line = plan.line(geometry, input);
        let source = Source {
            halves,
            line,
            slots: plan.slots,
            channels: input.channels,
            rows: geometry.rows.kernel,
            length: geometry.columns.kernel.wrapping_mul(input.channels),
        };
        gather(windows, &source, lanes);
        windows = windows.get_mut(words(geometry, input)..).unwrap_or(&mut []);
        halves = halves.get(line.wrapping_mul(plan.slots)..).unwrap_or(&[]);
    }
}

/// The first window's position, and how many windows count.
#[derive(Clone, Copy)]
struct Place {
    position: usize,
    valid: usize,
}

/// Outputs of all channels at the windows.
#[inline(never)]
fn sum(
    geometry: &Geometry,
    inputs: &[Input<'_, i8>],
    windows: &[Words],
    scaling: &Scaling<'_>,
    place: Place,
    sums: &mut [TileSums],
    output: &mut [u8],
) {
    let area = geometry.rows.kernel.wrapping_mul(geometry.columns.kernel);
    let is_wide = scaling.element == Element::I16.to_byte();
    let size = if is_wide { 2 } else { 1 };
    for first in (0..geometry.outputs).step_by(BLOCK) {
        let count = geometry.outputs.wrapping_sub(first).min(BLOCK);
        let bias = scaling.bias.get(first..).unwrap_or(&[]);
        // Outputs of whole tiles at four windows are written at once, the others one by one.
        let direct = if place.valid == WINDOWS { count / TILE } else { 0 };
        let Some((direct_sums, rest)) = sums.split_at_mut_checked(direct) else { return };
        let rest = rest.get_mut(..count.div_ceil(TILE).wrapping_sub(direct)).unwrap_or(&mut []);
        let is_left = !rest.is_empty();
        for (tile, sums) in rest.iter_mut().enumerate() {
            keep_rolled();
            let channel = direct.wrapping_add(tile).wrapping_mul(TILE);
            *sums = core::array::from_fn(|index| bias.get(channel.wrapping_add(index % TILE)).copied().unwrap_or(0));
        }
        let mut windows = windows;
        for (index, input) in inputs.iter().enumerate() {
            keep_rolled();
            let values = area.wrapping_mul(input.channels);
            // `first` is a multiple of the tile, so its weights start at a tile.
            let weights = input.weights.get(first.wrapping_mul(values)..).unwrap_or(&[]);
            let outputs = (index.wrapping_add(1) == inputs.len()).then(|| Outputs {
                multipliers: scaling.multipliers.get(first..).unwrap_or(&[]),
                shift: scaling.shift,
                zero: scaling.zero,
                is_wide,
                bytes: place.bytes(geometry, first, size, output),
                distance: geometry.outputs.wrapping_mul(size),
            });
            let factors = Factors { windows, weights, values };
            accumulate(factors, direct, (index == 0).then_some(bias), direct_sums, outputs);
            if is_left {
                let weights = weights.get(direct.wrapping_mul(TILE).wrapping_mul(values)..).unwrap_or(&[]);
                accumulate(Factors { weights, ..factors }, rest.len(), None, rest, None);
            }
            windows = windows.get(words(geometry, input)..).unwrap_or(&[]);
        }
        if is_left {
            finish(geometry, scaling, place, first.wrapping_add(direct.wrapping_mul(TILE)), rest, output);
        }
    }
}

impl Place {
    /// Where the first window's outputs lie from some channel on.
    fn bytes<'a>(&self, geometry: &Geometry, channel: usize, size: usize, output: &'a mut [u8]) -> &'a mut [u8] {
        let start = self.position.wrapping_mul(geometry.outputs).wrapping_add(channel).wrapping_mul(size);
        output.get_mut(start..).unwrap_or(&mut [])
    }
}

/// Sums, with the bias, that are finished one by one: those of channels from `first` on.
#[inline(never)]
fn finish(
    geometry: &Geometry,
    scaling: &Scaling<'_>,
    place: Place,
    first: usize,
    sums: &[TileSums],
    output: &mut [u8],
) {
    let channels = geometry.outputs.wrapping_sub(first);
    let multipliers = scaling.multipliers.get(first..).unwrap_or(&[]);
    let start = place.position.wrapping_mul(geometry.outputs).wrapping_add(first);
    for (tile, sums) in sums.iter().enumerate() {
        for (index, &sum) in sums.iter().take(place.valid.wrapping_mul(TILE)).enumerate() {
            keep_rolled();
            let channel = tile.wrapping_mul(TILE).wrapping_add(index % TILE);
            let Some(&multiplier) = multipliers.get(channel).filter(|_| channel < channels) else { continue };
            let value = scaling.zero.wrapping_add(rescale(sum, multiplier, scaling.shift));
            let element = (index / TILE).wrapping_mul(geometry.outputs).wrapping_add(start).wrapping_add(channel);
            write(output, element, value, scaling.element == Element::I16.to_byte());
        }
    }
}

/// Writes one element, limited to 16 or 8 bits.
fn write(output: &mut [u8], element: usize, value: i32, is_wide: bool) {
    if is_wide {
        if let Some(y) = elements_mut::<i16>(output).get_mut(element) {
            *y = i16::saturate(value);
        }
    } else if let Some(y) = elements_mut::<i8>(output).get_mut(element) {
        *y = i8::saturate(value);
    }
}
