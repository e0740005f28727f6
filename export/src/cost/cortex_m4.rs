//! How often the Cortex-M4's convolutions do what, after `convrnn-runtime`'s `kernels/convolution`.

use super::counts::Counts;
use super::operation::{Convolution, Operand};
use convrnn_format::PackingKind;

/// Windows computed at once, and output channels computed at once.
const WINDOWS: usize = 4;
const TILE: usize = 2;

/// Halves of words that widened rows may take, and words of the largest window.
const HALVES: usize = 4096;
const WORDS: usize = 576;

/// Words of all columns of one channel, and the largest shift of a depthwise convolution by pairs of rows.
const DEPTHWISE_WORDS: usize = 1024;
const DEPTHWISE_SHIFT: u8 = 8;

/// Pairs of values of one turn of the inner loop.
const TURN: usize = 16;

pub(super) fn convolution(convolution: &Convolution) -> Counts {
    match PackingKind::from_byte(convolution.packing.kind) {
        Some(PackingKind::Depthwise) => by_pairs_of_rows(convolution),
        Some(PackingKind::Tiled)
            if convolution.groups == 1
                && (convolution.packing.output_tile, convolution.packing.channel_tile) == (TILE as u16, 1) =>
        {
            gathered(convolution).unwrap_or_else(|| by_pairs_of_windows(convolution))
        }
        Some(PackingKind::Tiled) | None => convolution.plain("convolution of other weights"),
    }
}

/// Rows kept, and output columns at a time.
fn plan(convolution: &Convolution) -> Option<[usize; 2]> {
    let (rows, columns, width) = (&convolution.rows, &convolution.columns, convolution.width);
    let halves = |slots: usize, strip: usize| -> usize {
        let reached = strip.saturating_sub(1) * columns.stride + columns.kernel;
        convolution.operands.iter().map(|operand| (reached * operand.channels + 1) & !1).sum::<usize>() * slots
    };
    let slots = rows.kernel + (WINDOWS - 1).div_ceil(width.max(1)) * rows.stride;
    if halves(slots, width) <= HALVES {
        return Some([slots, width]);
    }
    let channels: usize = convolution.operands.iter().map(|operand| operand.channels).sum();
    let line = (HALVES / rows.kernel).checked_sub(convolution.operands.len())? / channels;
    let fitting = line.checked_sub(columns.kernel)? / columns.stride + 1;
    let strip = fitting.min(width) / WINDOWS * WINDOWS;
    (strip > 0).then_some([rows.kernel, strip])
}

/// Windows copied side by side from rows that are widened once.
fn gathered(convolution: &Convolution) -> Option<Counts> {
    let (rows, columns) = (&convolution.rows, &convolution.columns);
    let area = rows.kernel * columns.kernel;
    let words = |operand: &Operand| (area * operand.channels).div_ceil(2);
    let [slots, strip] = plan(convolution)?;
    if convolution.operands.iter().map(words).sum::<usize>() > WORDS {
        return None;
    }
    let is_whole = convolution.operands.len() == 1 && convolution.outputs.is_multiple_of(TILE);
    let family = if is_whole { "convolution" } else { "convolution of several operands or odd outputs" };
    let mut counts = Counts::new(family);
    counts.add("outputs", convolution.outputs);
    counts.add("operands", convolution.operands.len());
    let (mut rounds, mut partial) = (0, 0);
    for first in (0..convolution.width).step_by(strip) {
        let width = (convolution.width - first).min(strip);
        let positions = match width == convolution.width {
            true => vec![width * convolution.height],
            false => vec![width; convolution.height],
        };
        for positions in positions {
            rounds += positions / WINDOWS;
            partial += usize::from(positions % WINDOWS > 0);
            counts.add("outputs one by one", positions % WINDOWS * convolution.outputs);
        }
        counts.add("strips", 1);
        load(convolution, &mut counts, [slots, strip, first]);
    }
    counts.add("rounds", rounds);
    counts.add("rounds of fewer windows", partial);
    let all = rounds + partial;
    for operand in &convolution.operands {
        let line = ((strip - 1) * columns.stride + columns.kernel) * operand.channels;
        let length = columns.kernel * operand.channels;
        let is_even = (line + 1) & !1 == line && operand.channels.is_multiple_of(2) && length.is_multiple_of(2);
        counts.add("windows of operands", all);
        counts.add("rows copied", all * rows.kernel);
        match is_even {
            true => {
                counts.add("four words copied", all * rows.kernel * (length / 2 / 4));
                counts.add("words copied", all * rows.kernel * (length / 2 % 4));
            }
            false => {
                counts.add("odd rows copied", all * rows.kernel);
                counts.add("two words copied from anywhere", all * rows.kernel * (length.div_ceil(2) / 2));
                counts.add("words copied from anywhere", all * rows.kernel * (length.div_ceil(2) % 2));
            }
        }
        let pairs = area * operand.channels / 2;
        let tiles = convolution.outputs.div_ceil(TILE);
        counts.add("pairs of values", all * tiles * pairs);
        counts.add("turns", all * tiles * pairs.div_ceil(TURN));
        counts.add("odd values", all * tiles * (area * operand.channels % 2));
        counts.add("sums read and written", (all * tiles) * (convolution.operands.len() - 1));
    }
    let tiles = convolution.outputs / TILE;
    counts.add("tiles", rounds * tiles);
    counts.add("tiles shifted", if convolution.shift > 0 { rounds * tiles } else { 0 });
    counts.add("tiles of i16", if convolution.is_wide { rounds * tiles } else { 0 });
    counts.add("tiles to sums", partial * convolution.outputs.div_ceil(TILE));
    if !convolution.outputs.is_multiple_of(TILE) {
        counts.add("rounds with an odd output", rounds);
        counts.add("outputs one by one", rounds * WINDOWS);
    }
    Some(counts)
}

/// The widened rows of one strip.
fn load(convolution: &Convolution, counts: &mut Counts, [_, strip, first]: [usize; 3]) {
    let (rows, columns) = (&convolution.rows, &convolution.columns);
    let reached = (strip - 1) * columns.stride + columns.kernel;
    let corner = first * columns.stride;
    let left = columns.before.saturating_sub(corner);
    let inside = reached.saturating_sub(left).min(columns.size.saturating_sub(corner.saturating_sub(columns.before)));
    let padded = (convolution.height - 1) * rows.stride + rows.kernel;
    let in_map = (0..padded).filter(|row| (rows.before..rows.before + rows.size).contains(row)).count();
    counts.add("rows widened", padded);
    for operand in &convolution.operands {
        let (length, line) = (inside * operand.channels, reached * operand.channels);
        counts.add("rows of operands widened", in_map);
        counts.add("rows of operands cleared", padded - in_map);
        counts.add("four values widened", in_map * (length / 4));
        counts.add("values widened", in_map * (length % 4));
        counts.add("values cleared", (padded - in_map) * line);
        counts.add("values beside the map", if strip < convolution.width { in_map * (line - length) } else { 0 });
    }
}

/// Windows that are read where they lie, two at a time where both are clipped alike.
fn by_pairs_of_windows(convolution: &Convolution) -> Counts {
    let mut counts = Counts::new("convolution of large windows");
    let tiles = convolution.outputs.div_ceil(TILE);
    counts.add("outputs", convolution.height * convolution.width * convolution.outputs);
    for row in 0..convolution.height {
        let [_, rows, _] = convolution.rows.span(row);
        let mut column = 0;
        while column < convolution.width {
            let ([left, columns, right], next) =
                (convolution.columns.span(column), convolution.columns.span(column + 1));
            let is_pair = next == [left, columns, right] && column + 1 < convolution.width;
            let [windows, runs, values] = match is_pair {
                true => ["pairs of windows", "rows of pairs", "values of pairs"],
                false => ["single windows", "rows of single windows", "values of single windows"],
            };
            counts.add(windows, tiles);
            for operand in &convolution.operands {
                counts.add(runs, tiles * rows);
                counts.add(values, tiles * rows * columns * operand.channels);
            }
            column += if is_pair { 2 } else { 1 };
        }
    }
    counts
}

/// Depthwise convolutions, two output rows at a time.
fn by_pairs_of_rows(convolution: &Convolution) -> Counts {
    let plain = || convolution.plain_depthwise("depthwise convolution of another kind");
    let [operand] = convolution.operands.as_slice() else { return plain() };
    let pairs = match convolution.rows.kernel.max(convolution.columns.kernel) {
        0..=3 => 2,
        4 | 5 => 3,
        6 | 7 => 4,
        8.. => return plain(),
    };
    let columns = convolution.width + 2 * pairs - 2;
    let fits = (convolution.rows.stride, convolution.columns.stride) == (1, 1)
        && convolution.shift <= DEPTHWISE_SHIFT
        && columns * pairs <= DEPTHWISE_WORDS
        && !convolution.is_wide;
    if !fits {
        return plain();
    }
    let mut counts = Counts::new(format!("depthwise convolution of up to {0}x{0}", 2 * pairs - 1));
    let channels = operand.channels;
    let (turns, feeds) = (convolution.height.div_ceil(2), convolution.height.div_ceil(2) + pairs - 1);
    counts.add("channels", channels);
    counts.add("columns of weights", channels * convolution.columns.kernel);
    counts.add("pairs of rows", channels * turns);
    counts.add("positions of pairs of rows", channels * turns * convolution.width);
    counts.add("rows fed", channels * feeds);
    counts.add("columns fed", channels * feeds * convolution.columns.size.min(columns));
    counts
}
