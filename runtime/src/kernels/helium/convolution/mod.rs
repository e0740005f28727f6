//! Integer convolution: weights in plain rows (`[output][row][column][input]`), one group.
//!
//! The windows of [`LANES`] neighbouring outputs are copied side by side, 16 values of each in turn, with the zero point for
//! the padding ([`window`]); the dot products of those windows with the rows of all outputs come next ([`product`]), and
//! last the change of scale, for all windows of an output at once ([`finish`]). Since a window holds the zero point where
//! the padding is, `(x - z) * w` is summed as `x * w`, and `z` times the sum of a whole row of weights is taken off the
//! bias, once a call.

mod finish;
mod product;
mod window;

use crate::kernels::window::{Axis, Span};
use crate::task::{Task, elements};
use convrnn_format::{Element, MAXIMUM_CONVOLUTION_OPERANDS, Numerics, PackingKind};
use finish::{Finish, Scale, Scales};
use product::{Sums, add_products, sum};
use window::{Rows, Windows, gather};

/// Windows computed at once.
const LANES: usize = 4;

/// Values of a window that lie side by side, and that one instruction multiplies and sums.
const CHUNK: usize = 16;

/// Most chunks of a window; a convolution with larger ones is left to the portable kernel.
const CHUNKS: usize = 128;

/// Output channels whose sums are kept before they are finished together.
const BLOCK: usize = 128;

/// One operand with its weights.
#[derive(Clone, Copy)]
struct Input<'a> {
    values: &'a [i8],
    weights: &'a [i8],
    channels: usize,
    zero: i8,
}

/// Computes a convolution, or says that it is for the portable kernel.
pub fn run(task: &mut Task<'_>) -> bool {
    let (record, packing) = (task.record, task.packing());
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
    let area = usize::from(record.kernel_height).wrapping_mul(record.kernel_width.into());
    let Some(first) = task.operand(0) else { return false };
    let (rows, columns) = (Axis::rows(&first.buffer, &record), Axis::columns(&first.buffer, &record));
    let empty = Input { values: &[], weights: &[], channels: 0, zero: 0 };
    let mut inputs = [empty; MAXIMUM_CONVOLUTION_OPERANDS];
    let mut chunks = 0_usize;
    for (slot, input) in inputs.iter_mut().enumerate().take(record.operand_count.into()) {
        let Some(operand) = task.operand(slot) else { return false };
        let channels = operand.buffer.channels as usize;
        let length = area.saturating_mul(channels);
        chunks = chunks.saturating_add(length.div_ceil(CHUNK));
        *input = Input {
            values: elements(operand.bytes),
            weights: task.constant(operand.weights, length.saturating_mul(outputs)),
            channels,
            zero: operand.buffer.zero_point as i8,
        };
    }
    let inputs = inputs.get(..record.operand_count.into()).unwrap_or(&[]);
    if chunks > CHUNKS {
        return false;
    }
    let convolution = Convolution {
        inputs,
        rows,
        columns,
        height: task.target.height as usize,
        width: task.target.width as usize,
        outputs,
        bias: task.constant(record.bias, outputs),
        multipliers: task.constant(record.multipliers, outputs),
        finish: Finish { shift: record.first_shift.into(), zero: task.target.zero_point, is_wide },
    };
    convolution.run(task.output);
    true
}

/// A convolution without its output.
struct Convolution<'a> {
    inputs: &'a [Input<'a>],
    rows: Axis,
    columns: Axis,
    height: usize,
    width: usize,
    outputs: usize,
    bias: &'a [i32],
    multipliers: &'a [i32],
    finish: Finish,
}

impl Convolution<'_> {
    fn area(&self) -> usize {
        self.rows.kernel.wrapping_mul(self.columns.kernel)
    }

    fn run(&self, output: &mut [u8]) {
        let mut first = 0;
        while first < self.outputs {
            let count = self.outputs.wrapping_sub(first).min(BLOCK);
            self.block(first, count, output);
            first = first.wrapping_add(count);
        }
    }

    /// The output channels from `first` on.
    #[inline(never)]
    fn block(&self, first: usize, count: usize, output: &mut [u8]) {
        let mut scales = [Scale { bias: 0, multiplier: 0 }; BLOCK];
        self.scales(first, count, &mut scales);
        let mut windows: Windows = [[[0; CHUNK]; LANES]; CHUNKS];
        let mut sums: Sums = [[0; LANES]; BLOCK];
        let size = if self.finish.is_wide { 2 } else { 1 };
        let pixel = self.outputs.wrapping_mul(size);
        let positions = self.height.wrapping_mul(self.width);
        let mut column = 0;
        let mut down = self.rows.span(0);
        let mut row = 0_usize;
        for position in (0..positions).step_by(LANES) {
            let mut offsets = [0_u32; LANES];
            let used = positions.wrapping_sub(position).min(LANES);
            for (lane, offset) in offsets.iter_mut().enumerate() {
                // Where the positions end, the last one is computed again.
                let place = lane.min(used.wrapping_sub(1));
                *offset = place.wrapping_mul(pixel) as u32;
                self.gather(down, self.columns.span(column), lane, &mut windows);
                if lane < used.wrapping_sub(1) || used == LANES {
                    column = column.wrapping_add(1);
                    if column == self.width {
                        (row, column) = (row.wrapping_add(1), 0);
                        down = self.rows.span(row);
                    }
                }
            }
            let mut chunk = 0_usize;
            for (index, input) in self.inputs.iter().enumerate() {
                let length = self.area().wrapping_mul(input.channels);
                let weights = input.weights.get(first.wrapping_mul(length)..).unwrap_or(&[]);
                add_products(&mut sums, &windows, chunk, weights, length, count, index > 0);
                chunk = chunk.wrapping_add(length.div_ceil(CHUNK));
            }
            let start = position.wrapping_mul(pixel).wrapping_add(first.wrapping_mul(size));
            let target = output.get_mut(start..).unwrap_or(&mut []);
            finish::finish(&self.finish, &sums, &scales, count, target, offsets);
        }
    }

    /// Multipliers, and biases without what the zero points add to the sums.
    #[inline(never)]
    fn scales(&self, first: usize, count: usize, scales: &mut Scales) {
        for (index, scale) in scales.iter_mut().enumerate().take(count) {
            let output = first.wrapping_add(index);
            let mut bias = self.bias.get(output).copied().unwrap_or(0);
            for input in self.inputs {
                let length = self.area().wrapping_mul(input.channels);
                let start = output.wrapping_mul(length);
                let row = input.weights.get(start..start.wrapping_add(length)).unwrap_or(&[]);
                if input.zero != 0 {
                    bias = bias.wrapping_sub(i32::from(input.zero).wrapping_mul(sum(row)));
                }
            }
            *scale = Scale { bias, multiplier: self.multipliers.get(output).copied().unwrap_or(0) };
        }
    }

    /// One window of all operands.
    fn gather(&self, down: Span, along: Span, lane: usize, windows: &mut Windows) {
        let mut chunk = 0_usize;
        for input in self.inputs {
            let channels = input.channels;
            let row = self.columns.kernel.wrapping_mul(channels);
            let step = self.columns.size.wrapping_mul(channels);
            let start = down.source.wrapping_mul(step).wrapping_add(along.source.wrapping_mul(channels));
            // A window that lies in the padding as a whole has no rows.
            let count = if along.length == 0 { 0 } else { down.length };
            let top = if count == 0 { 0 } else { down.start };
            let (left, length) = (along.start.wrapping_mul(channels), along.length.wrapping_mul(channels));
            let rows = Rows {
                top: top.wrapping_mul(row),
                count,
                bottom: self.rows.kernel.wrapping_sub(top).wrapping_sub(count).wrapping_mul(row),
                left,
                length,
                right: row.wrapping_sub(left).wrapping_sub(length),
                step,
            };
            gather(windows, chunk, lane, input.values.get(start..).unwrap_or(&[]), &rows, input.zero);
            chunk = chunk.wrapping_add(self.area().wrapping_mul(channels).div_ceil(CHUNK));
        }
    }
}
