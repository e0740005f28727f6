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

/// Families of convolutions whose windows are copied side by side, for siblings once.
pub(super) const GATHERED: [&str; 2] = ["convolution", "convolution of several operands or odd outputs"];

/// Terms that each of several siblings has for itself.
pub(super) const PARTS: [&str; 11] = [
    "outputs",
    "tiles",
    "tiles shifted",
    "tiles of i16",
    "rounds with an odd output",
    "tiles to sums",
    "outputs one by one",
    "pairs of values",
    "turns",
    "odd values",
    "sums read and written",
];

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
fn kept(convolution: &Convolution) -> Option<[usize; 2]> {
    let (rows, columns, width) = (&convolution.rows, &convolution.columns, convolution.width);
    let channels: usize = convolution.operands.iter().map(|operand| operand.channels).sum();
    let slots = rows.kernel + (WINDOWS - 1).div_ceil(width.max(1)) * rows.stride;
    let reached = width.saturating_sub(1) * columns.stride + columns.kernel;
    // An odd row is filled up.
    if (reached * channels + convolution.operands.len()) * slots <= HALVES {
        return Some([slots, width]);
    }
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
    let [slots, strip] = kept(convolution)?;
    if convolution.operands.iter().map(words).sum::<usize>() > WORDS {
        return None;
    }
    let is_whole = convolution.operands.len() == 1 && convolution.outputs.is_multiple_of(TILE);
    let family = if is_whole { GATHERED[0] } else { GATHERED[1] };
    let mut counts = Counts::new(family);
    counts.add("outputs", convolution.outputs);
    counts.add("operands", convolution.operands.len());
    // All working memory is cleared first.
    counts.add("words of windows cleared", convolution.operands.iter().map(words).sum());
    let line = |operand: &Operand| ((strip - 1) * columns.stride + columns.kernel) * operand.channels;
    counts.add("words of rows cleared", convolution.operands.iter().map(line).sum::<usize>() * slots / 2);
    counts.add("sums cleared", convolution.outputs.div_ceil(TILE));
    for first in (0..convolution.width).step_by(strip) {
        counts.add("strips", 1);
        let width = (convolution.width - first).min(strip);
        let mut walk = Walk { row: 0, column: 0, width, slots, goes_on: width == convolution.width };
        let mut needed = 0;
        while walk.row < convolution.height {
            let round = walk.take(convolution);
            needed = needed.max(round.needed);
            rounds(convolution, &mut counts, strip, &round);
        }
        counts.add("rows walked", convolution.height);
        load(convolution, &mut counts, strip, first, needed);
    }
    Some(counts)
}

/// Windows that are computed at once.
struct Round {
    valid: usize,
    /// Rows of the windows that are used: rows that lie in the padding for all of them are left out.
    used: usize,
    /// Rows of the padded map that they need.
    needed: usize,
    /// Whether they follow one another in a row.
    is_run: bool,
    /// How often, from one row to the next, some of them go on in the first row that is kept.
    wraps: usize,
}

/// The next output position of a strip.
struct Walk {
    row: usize,
    column: usize,
    width: usize,
    /// Rows kept.
    slots: usize,
    /// Whether a round goes on in the next row.
    goes_on: bool,
}

impl Walk {
    fn take(&mut self, convolution: &Convolution) -> Round {
        let rows = &convolution.rows;
        let used = |row: usize| {
            let [start, length, _] = rows.span(row);
            match length {
                0 => [0, rows.kernel],
                length => [start, start + length],
            }
        };
        let [_, end] = used(self.row);
        let is_run = self.column + WINDOWS <= self.width;
        let (mut valid, mut last, mut taken) = (0, self.row, Vec::new());
        while valid < WINDOWS && self.row < convolution.height && (self.column > 0 || valid == 0 || self.goes_on) {
            (last, valid, self.column) = (self.row, valid + 1, self.column + 1);
            taken.push(self.row);
            if self.column == self.width {
                (self.row, self.column) = (self.row + 1, 0);
            }
        }
        let [start, _] = used(last);
        let used = end.saturating_sub(start);
        // Windows of one row come to the end of what is kept together.
        taken.dedup();
        let wraps = taken.iter().filter(|&&row| (row * rows.stride + start) % self.slots + used >= self.slots).count();
        Round { valid, used, needed: last * rows.stride + end, is_run, wraps }
    }
}

/// Copies and products of one round.
fn rounds(convolution: &Convolution, counts: &mut Counts, strip: usize, round: &Round) {
    let columns = &convolution.columns;
    let is_full = round.valid == WINDOWS;
    let [all, windows, copied] = match round.is_run {
        true => ["rounds", "windows of operands", "rows copied"],
        false => ["rounds over an end", "windows of operands over an end", "rows copied over an end"],
    };
    counts.add(all, 1);
    counts.add("windows one by one", if round.is_run { 0 } else { round.valid });
    let (tiles, all_tiles) = (convolution.outputs / TILE, convolution.outputs.div_ceil(TILE));
    if is_full {
        counts.add("tiles", tiles);
        counts.add("tiles shifted", if convolution.shift > 0 { tiles } else { 0 });
        counts.add("tiles of i16", if convolution.is_wide { tiles } else { 0 });
        if !convolution.outputs.is_multiple_of(TILE) {
            counts.add("rounds with an odd output", 1);
            counts.add("outputs one by one", WINDOWS);
        }
    } else {
        counts.add("rounds of fewer windows", 1);
        counts.add("tiles to sums", all_tiles);
        counts.add("outputs one by one", round.valid * convolution.outputs);
    }
    for operand in &convolution.operands {
        let line = ((strip - 1) * columns.stride + columns.kernel) * operand.channels;
        let length = columns.kernel * operand.channels;
        let is_even = [line, operand.channels, length].iter().all(|count| count.is_multiple_of(2));
        counts.add(windows, 1);
        counts.add(copied, round.used);
        counts.add("rows wrapped", round.wraps);
        let mut has_free_half = false;
        for _ in 0..round.used {
            let mut left = length;
            if !is_even {
                counts.add("rows copied from anywhere", 1);
                // The upper half of the word before.
                counts.add("halves copied", has_free_half.into());
                left -= usize::from(has_free_half);
                has_free_half = left % 2 == 1;
            }
            let words = left.div_ceil(2);
            let [four, two, one] = match is_even {
                true => ["four words copied", "two words copied", "single words copied"],
                false => ["four words from anywhere", "two words from anywhere", "single words from anywhere"],
            };
            counts.add(four, words / 4);
            counts.add(two, words % 4 / 2);
            counts.add(one, words % 2);
        }
        let values = round.used * length;
        counts.add("pairs of values", all_tiles * (values / 2));
        counts.add("turns", all_tiles * (values / 2).div_ceil(TURN));
        counts.add("odd values", all_tiles * (values % 2));
    }
    counts.add("sums read and written", all_tiles * (convolution.operands.len() - 1));
}

/// The widened rows of one strip.
fn load(convolution: &Convolution, counts: &mut Counts, strip: usize, first: usize, needed: usize) {
    let (rows, columns) = (&convolution.rows, &convolution.columns);
    let reached = (strip - 1) * columns.stride + columns.kernel;
    let corner = first * columns.stride;
    let left = columns.before.saturating_sub(corner);
    let inside = reached.saturating_sub(left).min(columns.size.saturating_sub(corner.saturating_sub(columns.before)));
    let in_map = (0..needed).filter(|row| (rows.before..rows.before + rows.size).contains(row)).count();
    counts.add("rows widened", needed);
    for operand in &convolution.operands {
        let (length, line) = (inside * operand.channels, reached * operand.channels);
        // The first value comes before the turns where it does not begin a word.
        let before = (left * operand.channels % 2).min(length);
        counts.add("rows of operands widened", in_map);
        counts.add("rows of operands cleared", needed - in_map);
        counts.add("first values widened", in_map * before);
        counts.add("eight values widened", in_map * ((length - before) / 8));
        counts.add("values widened", in_map * ((length - before) % 8));
        counts.add("values cleared", (needed - in_map) * line);
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
