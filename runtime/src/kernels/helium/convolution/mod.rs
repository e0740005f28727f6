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
use crate::task::{Task, elements};
use convrnn_format::{Element, Numerics, PackingKind};
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

/// One operand with its weights, rows of `length`, one for each output channel.
#[derive(Clone, Copy)]
struct Input<'a> {
    source: Source,
    weights: &'a [i8],
    length: usize,
    zero: i8,
    /// First chunk of its windows.
    chunk: usize,
    /// Bytes of one row of its windows.
    line: usize,
}

impl Input<'_> {
    const NONE: Self = Self { source: Source::NONE, weights: &[], length: 0, zero: 0, chunk: 0, line: 0 };
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
    let is_wide = match Element::from_byte(task.target.element) {
        Some(Element::I8) => false,
        Some(Element::I16) => true,
        Some(Element::I32 | Element::F32) | None => return false,
    };
    let outputs = task.target.channels as usize;
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
        let weights = task.constant(operand.weights, length.saturating_mul(outputs));
        let end = source.end();
        let line = columns.kernel.wrapping_mul(channels);
        *place = Input { source, weights, length, zero, chunk, line };
        (kernel, is_whole) = (rows, is_whole && channels.is_multiple_of(CHUNK));
        chunk = end;
    }
    let width = task.target.width as usize;
    let convolution = Convolution {
        rows: kernel,
        // Rows of padding can be left out where all windows computed at once have the same, in whole chunks.
        can_skip: is_whole && width.is_multiple_of(LANES),
        height: task.target.height as usize,
        width,
        outputs,
        bias: task.constant(record.bias, outputs),
        multipliers: task.constant(record.multipliers, outputs),
        finish: Finish { shift: record.first_shift.into(), zero: task.target.zero_point, is_wide },
    };
    convolution.run(inputs.get_mut(..count).unwrap_or(&mut []), task.output);
    true
}

/// A convolution without its operands and its output.
struct Convolution<'a> {
    rows: Axis,
    can_skip: bool,
    height: usize,
    width: usize,
    outputs: usize,
    bias: &'a [i32],
    multipliers: &'a [i32],
    finish: Finish,
}

impl Convolution<'_> {
    fn run(&self, inputs: &mut [Input<'_>], output: &mut [u8]) {
        let mut first = 0;
        while first < self.outputs {
            let count = self.outputs.wrapping_sub(first).min(BLOCK);
            self.block(inputs, first, count, output);
            first = first.wrapping_add(count);
        }
    }

    /// The output channels from `first` on.
    #[inline(never)]
    fn block(&self, inputs: &mut [Input<'_>], first: usize, count: usize, output: &mut [u8]) {
        let mut scales = [Scale { bias: 0, multiplier: 0 }; BLOCK];
        let mut used = 0..0;
        let mut windows = Windows::new();
        let mut sums = Sums::new();
        let size = if self.finish.is_wide { 2 } else { 1 };
        let pixel = self.outputs.wrapping_mul(size);
        let positions = self.height.wrapping_mul(self.width);
        let is_point = inputs.iter().all(|input| input.source.is_point());
        let (mut row, mut column) = (0, 0);
        self.turn_to(inputs, row);
        for position in (0..positions).step_by(LANES) {
            let last = positions.wrapping_sub(position).min(LANES).wrapping_sub(1);
            let rows = self.used_rows(row);
            if rows != used {
                self.scales(inputs, first, count, &rows, &mut scales);
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
            for (index, input) in inputs.iter().enumerate() {
                let skipped = used.start.wrapping_mul(input.line);
                let start = first.wrapping_mul(input.length).wrapping_add(skipped);
                let weights = input.weights.get(start..).unwrap_or(&[]);
                let chunk = input.chunk.wrapping_add(skipped / CHUNK);
                let length = used.len().wrapping_mul(input.line);
                add_products(&mut sums, &windows, chunk, weights, input.length, length, count, index > 0);
            }
            let start = position.wrapping_mul(pixel).wrapping_add(first.wrapping_mul(size));
            let target = output.get_mut(start..).unwrap_or(&mut []);
            let offsets = core::array::from_fn(|lane| lane.min(last).wrapping_mul(pixel) as u32);
            finish::finish(&self.finish, &sums, &scales, count, target, offsets);
        }
    }

    /// Turns to the windows of an output row.
    fn turn_to(&self, inputs: &mut [Input<'_>], row: usize) {
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

    /// Multipliers, and biases without what the zero points add to the sums of the rows used.
    #[inline(never)]
    fn scales(&self, inputs: &[Input<'_>], first: usize, count: usize, used: &Range<usize>, scales: &mut Scales) {
        let end = first.wrapping_add(count);
        let biases = self.bias.get(first..end).unwrap_or(&[]);
        let multipliers = self.multipliers.get(first..end).unwrap_or(&[]);
        for (scale, (&bias, &multiplier)) in scales.iter_mut().zip(biases.iter().zip(multipliers)) {
            *scale = Scale { bias, multiplier };
        }
        let mut sums = [0_i32; BLOCK];
        let sums = sums.get_mut(..count).unwrap_or(&mut []);
        for input in inputs.iter().filter(|input| input.zero != 0) {
            let start = first.wrapping_mul(input.length).wrapping_add(used.start.wrapping_mul(input.line));
            let weights = input.weights.get(start..).unwrap_or(&[]);
            sum_rows(weights, input.length, used.len().wrapping_mul(input.line), sums);
            for (scale, &sum) in scales.iter_mut().zip(sums.iter()) {
                scale.bias = scale.bias.wrapping_sub(i32::from(input.zero).wrapping_mul(sum));
            }
        }
    }
}
