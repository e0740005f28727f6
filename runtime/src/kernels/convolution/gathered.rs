//! Integer convolution over gathered windows: weights `[tile][row][column][input][2]`, one group.
//!
//! The rows that windows reach are widened once to 16 bits, with the zero points taken off and real zeros for the padding.
//! The windows of four neighbouring outputs are copied from there side by side, and then serve every output channel. So
//! all windows are alike, the inner loop is one run over all operands' rows, and a pair of values
//! fills one 32-bit word, as the 16-bit multipliers of small processors want it.

use super::lanes::{Turn, Walk};
use super::rows::{Extent, HALVES, Plan, load, words};
use super::scratch::Scratch;
use super::tiles::{Begin, Outputs, TILE, TileSums, WINDOWS, Weights, Words, accumulate};
use super::{Geometry, Input, Scaling};
use crate::kernels::integer::{Integer, keep_rolled, rescale};
use crate::task::elements_mut;
use convrnn_format::Element;

/// Words of the largest window.
const WORDS: usize = 576;

/// Output channels whose sums are kept before they are finished together.
const BLOCK: usize = 64;

/// The plan of a convolution whose windows and rows fit the stack.
pub(crate) const fn plan(extent: &Extent) -> Option<Plan> {
    if extent.words > WORDS { None } else { Plan::new(extent) }
}

/// One of the convolutions over the windows: its weights, and where its outputs go.
#[derive(Default)]
pub(super) struct Part<'a> {
    pub inputs: &'a [Input<'a, i8>],
    scaling: Scaling<'a>,
    output: &'a mut [u8],
    /// All weights, where there is one operand and an even number of outputs: no sums are needed then but those in registers.
    whole: Option<Weights<'a>>,
    is_wide: bool,
    /// Bytes of the outputs of one position.
    pixel: usize,
}

impl<'a> Part<'a> {
    /// A convolution's part.
    pub fn new(geometry: &Geometry, inputs: &'a [Input<'a, i8>], scaling: Scaling<'a>, output: &'a mut [u8]) -> Self {
        let whole = match inputs {
            [input] if geometry.outputs.is_multiple_of(TILE) => weights(geometry, input, 0, geometry.outputs / TILE),
            _ => None,
        };
        let is_wide = scaling.element == Element::I16.to_byte();
        let pixel = geometry.outputs.wrapping_mul(if is_wide { 2 } else { 1 });
        Self { inputs, scaling, output, whole, is_wide, pixel }
    }

    /// The outputs of channels from `first` on, which lie `bytes` after the first one's, at four positions from one on.
    #[inline(always)]
    fn outputs(&mut self, position: usize, first: usize, bytes: usize) -> Outputs<'_> {
        let start = position.wrapping_mul(self.pixel).wrapping_add(bytes);
        Outputs {
            multipliers: self.scaling.multipliers.get(first..).unwrap_or(&[]),
            shift: self.scaling.shift,
            zero: self.scaling.zero,
            is_wide: self.is_wide,
            bytes: self.output.get_mut(start..).unwrap_or(&mut []),
            distance: self.pixel,
        }
    }
}

/// Convolves, if windows and rows fit the stack; `extent` is that of the operands, which all convolutions have in common.
#[inline(never)]
pub(super) fn convolve(extent: &Extent, geometry: &Geometry, first: Part<'_>, others: &mut [Part<'_>]) {
    let Some(plan) = plan(extent) else { return };
    let (mut halves, mut windows) = (Scratch::<u32, { HALVES / 2 + 1 }>::new(), Scratch::<Words, WORDS>::new());
    let mut sums = Scratch::<TileSums, { BLOCK / TILE }>::new();
    let walk = Walk::new(geometry, first.inputs, plan);
    let room = Room {
        halves: bytemuck::cast_slice_mut(halves.zeroed(walk.halves().div_ceil(2))),
        windows: windows.zeroed(extent.words),
        sums: sums.zeroed(geometry.outputs.div_ceil(TILE)),
    };
    strips(walk, plan, first, others, room);
}

/// Working memory, all of it used: kept rows, windows, sums.
struct Room<'a> {
    halves: &'a mut [i16],
    windows: &'a mut [Words],
    sums: &'a mut [TileSums],
}

/// Strip by strip. A function of its own, since what lies beside the working memory is far from the stack's pointer.
#[inline(never)]
fn strips(
    mut walk: Walk<'_>,
    plan: Plan,
    mut first: Part<'_>,
    others: &mut [Part<'_>],
    Room { halves, windows, sums }: Room<'_>,
) {
    let geometry = walk.geometry;
    let (whole, scaling, is_wide, pixel) = (first.whole, first.scaling, first.is_wide, first.pixel);
    for corner in (0..geometry.width).step_by(plan.strip.max(1)) {
        walk.begin(geometry.width.wrapping_sub(corner));
        let mut loaded = 0_usize;
        while let Some((row, column)) = walk.place() {
            let position = row.wrapping_mul(geometry.width).wrapping_add(corner).wrapping_add(column);
            let turn = walk.take();
            while loaded < turn.needed {
                load(geometry, first.inputs, plan, corner, loaded, halves);
                loaded = loaded.wrapping_add(1);
            }
            walk.copy(halves, windows);
            // As `multiply`, with what it needs at hand.
            match (&whole, first.inputs) {
                (Some(whole), [input]) if turn.valid == WINDOWS => {
                    let outputs = Outputs {
                        multipliers: scaling.multipliers,
                        shift: scaling.shift,
                        zero: scaling.zero,
                        is_wide,
                        bytes: first.output.get_mut(position.wrapping_mul(pixel)..).unwrap_or(&mut []),
                        distance: pixel,
                    };
                    let weights = used(geometry, input, *whole, &turn);
                    accumulate(windows, weights, Begin::Bias(scaling.bias), &mut [], Some(outputs));
                    if others.is_empty() {
                        continue;
                    }
                    multiply_all(geometry, others, windows, &Place { turn, position }, sums);
                }
                _ => {
                    let place = Place { turn, position };
                    sum(geometry, &mut first, windows, &place, sums);
                    multiply_all(geometry, others, windows, &place, sums);
                }
            }
        }
    }
}

/// The windows times the weights of one convolution.
#[inline(always)]
fn multiply(geometry: &Geometry, part: &mut Part<'_>, windows: &[Words], place: &Place, sums: &mut [TileSums]) {
    match (part.whole, part.inputs) {
        (Some(whole), [input]) if place.turn.valid == WINDOWS => {
            let (weights, bias) = (used(geometry, input, whole, &place.turn), part.scaling.bias);
            accumulate(windows, weights, Begin::Bias(bias), &mut [], Some(part.outputs(place.position, 0, 0)));
        }
        _ => sum(geometry, part, windows, place, sums),
    }
}

/// The same of several.
#[inline(never)]
fn multiply_all(geometry: &Geometry, parts: &mut [Part<'_>], windows: &[Words], place: &Place, sums: &mut [TileSums]) {
    for part in parts {
        keep_rolled();
        multiply(geometry, part, windows, place, sums);
    }
}

/// The weights of an operand for so many tiles from an output channel, the first of a tile, on.
fn weights<'a>(geometry: &Geometry, input: &Input<'a, i8>, channel: usize, tiles: usize) -> Option<Weights<'a>> {
    let area = geometry.rows.kernel.wrapping_mul(geometry.columns.kernel);
    let values = area.wrapping_mul(input.channels);
    Weights::new(input.weights.get(channel.wrapping_mul(values)..)?, tiles, values)
}

/// Those of the rows that windows use.
#[inline(always)]
fn used<'a>(geometry: &Geometry, input: &Input<'_, i8>, weights: Weights<'a>, turn: &Turn) -> Weights<'a> {
    let length = geometry.columns.kernel.wrapping_mul(input.channels);
    weights.part(turn.used.start.wrapping_mul(length), turn.used.len().wrapping_mul(length))
}

/// Windows, and the position of the first one's outputs.
struct Place {
    turn: Turn,
    position: usize,
}

/// Outputs of all channels at the windows.
#[inline(never)]
fn sum(
    geometry: &Geometry,
    part: &mut Part<'_>,
    windows: &[Words],
    Place { turn, position }: &Place,
    sums: &mut [TileSums],
) {
    let (inputs, scaling) = (part.inputs, part.scaling);
    for first in (0..geometry.outputs).step_by(BLOCK) {
        let count = geometry.outputs.wrapping_sub(first).min(BLOCK);
        let bias = scaling.bias.get(first..).unwrap_or(&[]);
        // Outputs of whole tiles at four windows are written at once, the others one by one.
        let direct = if turn.valid == WINDOWS { count / TILE } else { 0 };
        let Some((direct_sums, rest)) = sums.split_at_mut_checked(direct) else { return };
        let rest = rest.get_mut(..count.div_ceil(TILE).wrapping_sub(direct)).unwrap_or(&mut []);
        let left = first.wrapping_add(direct.wrapping_mul(TILE));
        for (tile, sums) in rest.iter_mut().enumerate() {
            keep_rolled();
            let channel = direct.wrapping_add(tile).wrapping_mul(TILE);
            *sums = core::array::from_fn(|index| bias.get(channel.wrapping_add(index % TILE)).copied().unwrap_or(0));
        }
        let mut windows = windows;
        for (index, input) in inputs.iter().enumerate() {
            keep_rolled();
            let is_last = index.wrapping_add(1) == inputs.len();
            let bytes = first.wrapping_mul(if part.is_wide { 2 } else { 1 });
            let outputs = is_last.then(|| part.outputs(*position, first, bytes));
            let begin = if index == 0 { Begin::Bias(bias) } else { Begin::Sums };
            let tiles =
                [(first, direct, begin, &mut *direct_sums, outputs), (left, rest.len(), Begin::Sums, &mut *rest, None)];
            for (channel, tiles, begin, sums, outputs) in tiles {
                keep_rolled();
                let Some(weights) = weights(geometry, input, channel, tiles) else { continue };
                accumulate(windows, used(geometry, input, weights, turn), begin, sums, outputs);
            }
            windows = windows.get(words(&geometry.rows, &geometry.columns, input.channels)..).unwrap_or(&[]);
        }
        if !rest.is_empty() {
            finish(geometry, &scaling, *position, turn.valid, left, rest, part.output);
        }
    }
}

/// Sums, with the bias, that are finished one by one: those of channels from `first` on.
#[inline(never)]
fn finish(
    geometry: &Geometry,
    scaling: &Scaling<'_>,
    position: usize,
    valid: usize,
    first: usize,
    sums: &[TileSums],
    output: &mut [u8],
) {
    let channels = geometry.outputs.wrapping_sub(first);
    let multipliers = scaling.multipliers.get(first..).unwrap_or(&[]);
    let start = position.wrapping_mul(geometry.outputs).wrapping_add(first);
    for (tile, sums) in sums.iter().enumerate() {
        for (index, &sum) in sums.iter().take(valid.wrapping_mul(TILE)).enumerate() {
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
