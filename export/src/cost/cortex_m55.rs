//! How often the Cortex-M55's convolutions do what, after `convrnn-runtime`'s `kernels/helium/convolution`.

use super::counts::Counts;
use super::operation::{Convolution, Operand};
use convrnn_format::PackingKind;

/// Windows computed at once.
const LANES: usize = 4;

/// Values that one instruction multiplies and sums.
const CHUNK: usize = 16;

/// Most chunks of a window, most operands, output channels that are finished together.
const CHUNKS: usize = 128;
const OPERANDS: usize = 4;
const BLOCK: usize = 128;

/// Most channels and most chunks of a window of a depthwise convolution.
const DEPTHWISE_CHANNELS: usize = 256;
const DEPTHWISE_CHUNKS: usize = 512;

/// Bytes of weights of one turn of the loop that sums them.
const SUM_TURN: usize = 128;

/// Families of convolutions whose windows are copied side by side, for siblings once.
pub(super) const GATHERED: [&str; 2] = ["convolution", "convolution of odd channels"];

/// Terms that each of several siblings has for itself.
pub(super) const PARTS: [&str; 13] = [
    "scales",
    "outputs scaled",
    "rows of weights summed",
    "turns of weights summed",
    "chunks of weights summed",
    "outputs of rounds",
    "outputs of rounds, i16",
    "operands of rounds",
    "operands of rounds with an odd output",
    "pairs of outputs",
    "four chunks of products",
    "chunks of products",
    "tails of products",
];

pub(super) fn convolution(convolution: &Convolution) -> Counts {
    match PackingKind::from_byte(convolution.packing.kind) {
        Some(PackingKind::Depthwise) => depthwise(convolution),
        Some(PackingKind::Tiled)
            if convolution.groups == 1
                && (convolution.packing.output_tile, convolution.packing.channel_tile) == (1, 1) =>
        {
            gathered(convolution)
        }
        Some(PackingKind::Tiled) | None => convolution.plain("convolution of other weights"),
    }
}

/// Chunks of a window of an operand.
fn chunks(convolution: &Convolution, operand: &Operand) -> usize {
    (convolution.rows.kernel * convolution.columns.kernel * operand.channels).div_ceil(CHUNK)
}

/// Windows copied side by side, chunk by chunk.
fn gathered(convolution: &Convolution) -> Counts {
    let (rows, columns) = (&convolution.rows, &convolution.columns);
    let total: usize = convolution.operands.iter().map(|operand| chunks(convolution, operand)).sum();
    if total > CHUNKS || convolution.operands.len() > OPERANDS {
        return convolution.plain("convolution of large windows");
    }
    let is_whole = convolution.operands.iter().all(|operand| operand.channels.is_multiple_of(CHUNK));
    let can_skip = is_whole && convolution.width.is_multiple_of(LANES);
    let is_point = is_whole && [rows, columns].iter().all(|axis| (axis.kernel, axis.stride, axis.before) == (1, 1, 0));
    let mut counts = Counts::new(if is_whole { GATHERED[0] } else { GATHERED[1] });
    counts.add("operands", convolution.operands.len());
    let positions = convolution.height * convolution.width;
    for first in (0..convolution.outputs).step_by(BLOCK) {
        let count = (convolution.outputs - first).min(BLOCK);
        counts.add("blocks of outputs", 1);
        counts.add("output rows of operands", convolution.height * convolution.operands.len());
        let mut used = 0..0;
        for position in (0..positions).step_by(LANES) {
            let [top, inside, _] = rows.span(position / convolution.width);
            let rows_used = if can_skip && inside > 0 { top..top + inside } else { 0..rows.kernel };
            if rows_used != used {
                used = rows_used;
                scales(convolution, &mut counts, count, used.len());
            }
            counts.add("rounds", 1);
            counts.add("rounds over an end", usize::from(position % convolution.width + LANES > convolution.width));
            counts.add("outputs of rounds", count);
            counts.add("outputs of rounds, i16", if convolution.is_wide { count } else { 0 });
            for operand in &convolution.operands {
                counts.add("operands of rounds", 1);
                let length = used.len() * columns.kernel * operand.channels;
                products(&mut counts, count.div_ceil(2), length);
                if count % 2 == 1 {
                    counts.add("operands of rounds with an odd output", 1);
                }
                if is_point {
                    counts.add("points", LANES);
                    counts.add("chunks of points", LANES * chunks(convolution, operand));
                }
            }
            if !is_point {
                for lane in 0..LANES {
                    let position = (position + lane).min(positions - 1);
                    for operand in &convolution.operands {
                        gather(convolution, operand, position, can_skip, &mut counts);
                    }
                }
            }
        }
    }
    counts
}

/// Multipliers, and biases that the zero points were taken into.
fn scales(convolution: &Convolution, counts: &mut Counts, count: usize, rows: usize) {
    counts.add("scales", 1);
    counts.add("outputs scaled", count);
    for operand in convolution.operands.iter().filter(|operand| operand.zero_point != 0) {
        let length = rows * convolution.columns.kernel * operand.channels;
        counts.add("rows of weights summed", count);
        counts.add("turns of weights summed", count * (length / SUM_TURN));
        counts.add("chunks of weights summed", count * (length % SUM_TURN).div_ceil(CHUNK));
    }
}

/// Dot products of four windows with pairs of rows of weights.
fn products(counts: &mut Counts, pairs: usize, length: usize) {
    let whole = length / CHUNK;
    let rest = whole.saturating_sub(1);
    counts.add("pairs of outputs", pairs);
    counts.add("four chunks of products", pairs * (rest / 4));
    counts.add("chunks of products", pairs * (rest % 4));
    counts.add("tails of products", if whole > 0 && !length.is_multiple_of(CHUNK) { pairs } else { 0 });
}

/// Copies one window; with `leaves_padding` without its rows of padding.
fn gather(convolution: &Convolution, operand: &Operand, position: usize, leaves_padding: bool, counts: &mut Counts) {
    let (row, column) = (position / convolution.width, position % convolution.width);
    let [top, inside, bottom] = convolution.rows.span(row);
    let columns = convolution.columns.span(column);
    let [left, length, right] = columns.map(|columns| columns * operand.channels);
    let line = convolution.columns.kernel * operand.channels;
    let fills = |bytes: usize| bytes.div_ceil(CHUNK);
    let (top, bottom) = match inside {
        0 => (0, convolution.rows.kernel),
        _ if leaves_padding => (0, 0),
        _ => (top, bottom),
    };
    if (top, bottom) == (0, 0) && columns[1] == convolution.columns.kernel {
        let [windows, rows, chunks] = match (operand.channels.is_multiple_of(CHUNK), line) {
            (true, _) => ["windows by chunks", "rows by chunks", "chunks of rows by chunks"],
            (false, ..=CHUNK) => ["windows of short rows", "short rows", "chunks of short rows"],
            (false, _) => ["windows of rows", "rows of windows", "chunks of rows"],
        };
        counts.add(windows, 1);
        counts.add(rows, inside);
        counts.add(chunks, inside * fills(line));
    } else {
        counts.add("windows", 1);
        counts.add("rows copied", inside);
        counts.add("chunks filled", fills(top * line) + fills(bottom * line) + inside * (fills(left) + fills(right)));
        counts.add("chunks copied", inside * fills(length));
    }
    if !operand.channels.is_multiple_of(CHUNK) {
        counts.add("windows spread", 1);
        counts.add("chunks spread", chunks(convolution, operand));
    }
}

/// One channel in, one channel out, sixteen channels at a time.
fn depthwise(convolution: &Convolution) -> Counts {
    let plain = || convolution.plain_depthwise("depthwise convolution of another kind");
    let [operand] = convolution.operands.as_slice() else { return plain() };
    let channels = operand.channels;
    let fits = channels <= DEPTHWISE_CHANNELS
        && channels.is_multiple_of(CHUNK)
        && convolution.outputs == channels
        && chunks(convolution, operand) <= DEPTHWISE_CHUNKS;
    if !fits {
        return plain();
    }
    let (rows, columns) = (&convolution.rows, &convolution.columns);
    let mut counts = Counts::new("depthwise convolution");
    let positions = convolution.height * convolution.width;
    let blocks = channels / CHUNK;
    counts.add("channels", channels);
    counts.add("weights", channels * rows.kernel * columns.kernel);
    counts.add("rows", convolution.height);
    counts.add("positions", positions);
    counts.add("blocks", positions * blocks);
    counts.add("blocks of i16", if convolution.is_wide { positions * blocks } else { 0 });
    counts.add("rows of blocks", positions * blocks * rows.kernel);
    counts.add("pairs of columns of blocks", positions * blocks * rows.kernel * (columns.kernel / 2));
    counts.add("odd columns of blocks", positions * blocks * rows.kernel * (columns.kernel % 2));
    for position in 0..positions {
        let is_inside = |span: [usize; 3], kernel: usize| span[1] == kernel;
        let (row, column) = (position / convolution.width, position % convolution.width);
        if !(is_inside(rows.span(row), rows.kernel) && is_inside(columns.span(column), columns.kernel)) {
            gather(convolution, operand, position, false, &mut counts);
        }
    }
    counts
}
