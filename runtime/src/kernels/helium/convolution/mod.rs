//! Integer convolution: weights in plain rows (`[output][row][column][input]`), one group.
//!
//! The windows of [`LANES`] neighbouring outputs are copied side by side, 16 values of each in turn, with the zero point for
//! the padding ([`Source`]); the dot products of those windows with the rows of all outputs come next ([`product`]), and
//! last the change of scale, for all windows of an output at once ([`finish`]). Since a window holds the zero point where
//! the padding is, `(x - z) * w` is summed as `x * w`, and `z` times the sum of a whole row of weights is taken off the
//! bias, once a call.

mod copy;
mod depthwise;
mod finish;
mod product;
mod window;

use crate::kernels::window::Axis;
use crate::task::{Sibling, Task, constant, elements};
use convrnn_format::{Element, MAXIMUM_SIBLINGS, Numerics, PackingKind, Program};
use core::ops::Range;
use finish::{Finish, Scale, Scales};
use product::{Sums, add_products, sum_rows};
use window::{Source, Windows};

/// Windows computed at once.
const LANES: usize = 4;

/// Values of a window that lie side by side, and that one instruction multiplies and sums.
const CHUNK: usize = 16;

/// Most chunks of a window; a convolution with larger ones is left to the portable kernel.
const CHUNKS: usize = 128;

/// Output channels whose sums are kept before they are finished together.
const BLOCK: usize = 128;

/// Most operands; a convolution with more of them is left to the portable kernel.
const OPERANDS: usize = 4;

/// One operand, whose weights are rows of `length`, one for each output channel.
#[derive(Clone, Copy)]
struct Input {
    source: Source,
    length: usize,
    zero: i8,
    /// First chunk of its windows.
    chunk: usize,
    /// Bytes of one row of its windows.
    line: usize,
}

impl Input {
    const NONE: Self = Self { source: Source::NONE, length: 0, zero: 0, chunk: 0, line: 0 };
}

/// One of the convolutions over the windows: its weights by operand, and where its outputs go.
#[derive(Default)]
struct Part<'a> {
    weights: [&'a [i8]; OPERANDS],
    bias: &'a [i32],
    multipliers: &'a [i32],
    finish: Finish,
    output: &'a mut [u8],
}

impl<'a> Part<'a> {
    /// A convolution over so many inputs. None where its outputs are of no type that is known here.
    fn new(program: &'a Program<'a>, convolution: Sibling<'a>, inputs: &[Input]) -> Option<Self> {
        let Sibling { record, target, output } = convolution;
        let is_wide = match Element::from_byte(target.element)? {
            Element::I8 => false,
            Element::I16 => true,
            Element::I32 | Element::F32 => return None,
        };
        let outputs = target.channels as usize;
        let mut weights = [&[][..]; OPERANDS];
        for (slot, (weights, input)) in weights.iter_mut().zip(inputs).enumerate() {
            let operand = program.operand(&record, slot)?;
            *weights = constant(program, operand.weights, input.length.saturating_mul(outputs));
        }
        Some(Self {
            weights,
            bias: constant(program, record.bias, outputs),
            multipliers: constant(program, record.multipliers, outputs),
            finish: Finish { shift: record.first_shift.into(), zero: target.zero_point, is_wide },
            output,
        })
    }
}

/// Computes a convolution, or says that it is for the portable kernel.
pub fn run(task: &mut Task<'_>) -> bool {
    let (record, packing) = (task.record, task.packing());
    if task.numerics() == Numerics::Integer && packing.kind == PackingKind::Depthwise.to_byte() {
        return depthwise::run(task);
    }
    let is_rows = packing.kind == PackingKind::Tiled.to_byte() && (packing.output_tile, packing.channel_tile) == (1, 1);
    if task.numerics() != Numerics::Integer || record.groups != 1 || !is_rows {
        return false;
    }
    let mut inputs = [Input::NONE; OPERANDS];
    let count = usize::from(record.operand_count);
    if count > OPERANDS {
        return false;
    }
    let mut chunk = 0;
    let mut is_whole = true;
    let mut kernel = Axis { size: 0, kernel: 0, stride: 0, before: 0 };
    for (slot, place) in inputs.iter_mut().enumerate().take(count) {
        let Some(operand) = task.operand(slot) else { return false };
        let (rows, columns) = (Axis::rows(&operand.buffer, &record), Axis::columns(&operand.buffer, &record));
        let channels = operand.buffer.channels as usize;
        let zero = operand.buffer.zero_point as i8;
        let Some(source) = Source::new(elements(operand.bytes), channels, zero, rows, columns, chunk, CHUNKS) else {
            return false;
        };
        let length = rows.kernel.wrapping_mul(columns.kernel).wrapping_mul(channels);
        let end = source.end();
        let line = columns.kernel.wrapping_mul(channels);
        *place = Input { source, length, zero, chunk, line };
        (kernel, is_whole) = (rows, is_whole && channels.is_multiple_of(CHUNK));
        chunk = end;
    }
    let inputs = inputs.get_mut(..count).unwrap_or(&mut []);
    let width = task.target.width as usize;
    let convolution = Convolution {
        rows: kernel,
        // Rows of padding can be left out where all windows computed at once have the same, in whole chunks.
        can_skip: is_whole && width.is_multiple_of(LANES),
        height: task.target.height as usize,
        width,
        outputs: task.target.channels as usize,
    };
    let (program, record, target) = (task.program, task.record, task.target);
    let Some(first) = Part::new(program, Sibling { record, target, output: task.output }, inputs) else { return false };
    if task.siblings.is_empty() {
        convolution.run(inputs, &mut [first]);
        return true;
    }
    let mut parts: [Part<'_>; MAXIMUM_SIBLINGS] = Default::default();
    let all = core::iter::once(Some(first)).chain(task.siblings.iter_mut().map(|sibling| {
        let Sibling { record, target, output } = sibling;
        Part::new(program, Sibling { record: *record, target: *target, output }, inputs)
    }));
    let mut count = 0_usize;
    for (place, part) in parts.iter_mut().zip(all) {
        let Some(part) = part else { return false };
        (*place, count) = (part, count.wrapping_add(1));
    }
    convolution.run_some(inputs, parts.get_mut(..count).unwrap_or(&mut []));
    task.has_done_siblings = true;
    true
}

/// What convolutions over the same windows have in common.
struct Convolution {
    rows: Axis,
    can_skip: bool,
    height: usize,
    width: usize,
    outputs: usize,
}

impl Convolution {
    /// Computes one convolution.
    fn run(&self, inputs: &mut [Input], part: &mut [Part<'_>; 1]) {
        for first in (0..self.outputs).step_by(BLOCK) {
            self.block::<1>(inputs, first, self.outputs.wrapping_sub(first).min(BLOCK), part);
        }
    }

    /// Computes several.
    fn run_some(&self, inputs: &mut [Input], parts: &mut [Part<'_>]) {
        for first in (0..self.outputs).step_by(BLOCK) {
            self.block::<MAXIMUM_SIBLINGS>(inputs, first, self.outputs.wrapping_sub(first).min(BLOCK), parts);
        }
    }

    /// The output channels from `first` on, of at most `PARTS` convolutions.
    #[inline(never)]
    fn block<const PARTS: usize>(&self, inputs: &mut [Input], first: usize, count: usize, parts: &mut [Part<'_>]) {
        let mut scales = [[Scale { bias: 0, multiplier: 0 }; BLOCK]; PARTS];
        let mut used = 0..0;
        let mut windows = Windows::new();
        let mut sums = Sums::new();
        let positions = self.height.wrapping_mul(self.width);
        let is_point = inputs.iter().all(|input| input.source.is_point());
        let (mut row, mut column) = (0, 0);
        self.turn_to(inputs, row);
        for position in (0..positions).step_by(LANES) {
            let last = positions.wrapping_sub(position).min(LANES).wrapping_sub(1);
            let rows = self.used_rows(row);
            if rows != used {
                for (part, scales) in parts.iter().zip(&mut scales) {
                    scale_part(part, inputs, first, count, &rows, scales);
                }
                used = rows;
            }
            if is_point {
                for input in inputs.iter() {
                    input.source.gather_points(&mut windows, position, last);
                }
            }
            for lane in 0..if is_point { 0 } else { LANES } {
                for input in inputs.iter_mut() {
                    input.source.gather(&mut windows, lane, column);
                }
                // Where the positions end, the last one is computed again.
                if lane >= last && last < LANES - 1 {
                    continue;
                }
                column = column.wrapping_add(1);
                if column == self.width {
                    (row, column) = (row.wrapping_add(1), 0);
                    self.turn_to(inputs, row);
                }
            }
            for (part, scales) in parts.iter_mut().zip(&scales) {
                for (index, (input, weights)) in inputs.iter().zip(&part.weights).enumerate() {
                    let skipped = used.start.wrapping_mul(input.line);
                    let start = first.wrapping_mul(input.length).wrapping_add(skipped);
                    let weights = weights.get(start..).unwrap_or(&[]);
                    let chunk = input.chunk.wrapping_add(skipped / CHUNK);
                    let length = used.len().wrapping_mul(input.line);
                    add_products(&mut sums, &windows, chunk, weights, input.length, length, count, index > 0);
                }
                let size = if part.finish.is_wide { 2 } else { 1 };
                let pixel = self.outputs.wrapping_mul(size);
                let start = position.wrapping_mul(pixel).wrapping_add(first.wrapping_mul(size));
                let target = part.output.get_mut(start..).unwrap_or(&mut []);
                let offsets = core::array::from_fn(|lane| lane.min(last).wrapping_mul(pixel) as u32);
                finish::finish(&part.finish, &sums, scales, count, target, offsets);
            }
        }
    }

    /// Turns to the windows of an output row.
    fn turn_to(&self, inputs: &mut [Input], row: usize) {
        for input in inputs.iter_mut() {
            input.source.turn_to(row, self.can_skip);
        }
    }

    /// The rows of the windows of an output row that are summed: all, or where that can be, those inside the map.
    fn used_rows(&self, row: usize) -> Range<usize> {
        let down = self.rows.span(row);
        match self.can_skip && down.length > 0 {
            true => down.start..down.start.wrapping_add(down.length),
            false => 0..self.rows.kernel,
        }
    }
}

/// Multipliers of a convolution, and biases without what the zero points add to the sums of the rows used.
#[inline(never)]
fn scale_part(part: &Part<'_>, inputs: &[Input], first: usize, count: usize, used: &Range<usize>, scales: &mut Scales) {
    let end = first.wrapping_add(count);
    let biases = part.bias.get(first..end).unwrap_or(&[]);
    let multipliers = part.multipliers.get(first..end).unwrap_or(&[]);
    for (scale, (&bias, &multiplier)) in scales.iter_mut().zip(biases.iter().zip(multipliers)) {
        *scale = Scale { bias, multiplier };
    }
    let mut sums = [0_i32; BLOCK];
    let sums = sums.get_mut(..count).unwrap_or(&mut []);
    for (input, weights) in inputs.iter().zip(&part.weights).filter(|(input, _)| input.zero != 0) {
        let start = first.wrapping_mul(input.length).wrapping_add(used.start.wrapping_mul(input.line));
        let weights = weights.get(start..).unwrap_or(&[]);
        sum_rows(weights, input.length, used.len().wrapping_mul(input.line), sums);
        for (scale, &sum) in scales.iter_mut().zip(sums.iter()) {
            scale.bias = scale.bias.wrapping_sub(i32::from(input.zero).wrapping_mul(sum));
        }
    }
}
