//! Walks over the output positions of a strip, four windows at a time, and copies these from widened rows into lanes that
//! lie side by side.

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
mod copy;
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
#[path = "lanes/plain.rs"]
mod copy;

use super::rows::{Plan, words};
use super::tiles::{WINDOWS, Words};
use super::{Geometry, Input};
use crate::kernels::integer::keep_rolled;
use convrnn_format::MAXIMUM_CONVOLUTION_OPERANDS;
use core::ops::Range;

/// Where a window lies in the kept rows.
#[derive(Clone, Copy, Default)]
struct Lane {
    /// Slot of the first row that is copied.
    slot: usize,
    /// Its first column.
    column: usize,
}

/// The kept rows of one operand, `[slot][value]`, and what windows take of them.
#[derive(Clone, Copy, Default)]
struct Source {
    /// First half of the rows, and first word of the windows.
    half: usize,
    word: usize,
    /// Values from one slot to the next.
    line: usize,
    /// Values of a column.
    channels: usize,
    /// Values of each row of a window.
    length: usize,
}

/// Windows that are computed at once. Rows that lie above or below the map for all of them are left out.
pub(super) struct Turn {
    /// Those that count.
    pub valid: usize,
    /// Rows of the windows that are used.
    pub used: Range<usize>,
    /// Rows of the padded map that they need, from its first one on.
    pub needed: usize,
}

/// The next output position of a strip. Slots and columns of the lanes are always among those that are kept.
pub(super) struct Walk<'a> {
    pub geometry: &'a Geometry,
    plan: Plan,
    sources: [Source; MAXIMUM_CONVOLUTION_OPERANDS],
    operands: usize,
    /// Halves that the kept rows of all operands take, and words of their windows.
    halves: usize,
    words: usize,
    /// The first of the last windows taken, and all of them where they do not follow one another in a row.
    first: Lane,
    others: Option<[Lane; WINDOWS]>,
    /// Rows that are copied.
    rows: usize,
    /// Output columns of the strip.
    width: usize,
    row: usize,
    /// Counted from the strip's first one.
    column: usize,
    /// Where the window's first row lies.
    slot: usize,
    /// Rows of the window that lie in the map.
    used: Range<usize>,
}

impl<'a> Walk<'a> {
    /// Without a strip.
    #[inline(never)]
    pub fn new(geometry: &'a Geometry, inputs: &[Input<'_, i8>], plan: Plan) -> Self {
        let mut sources = [Source::default(); MAXIMUM_CONVOLUTION_OPERANDS];
        let (mut halves, mut all) = (0_usize, 0_usize);
        for (source, input) in sources.iter_mut().zip(inputs) {
            let (line, channels) = (plan.line(input), input.channels);
            let length = geometry.columns.kernel.wrapping_mul(channels);
            *source = Source { half: halves, word: all, line, channels, length };
            halves = halves.saturating_add(line.saturating_mul(plan.slots));
            all = all.saturating_add(words(&geometry.rows, &geometry.columns, channels));
        }
        Self {
            geometry,
            plan,
            sources,
            operands: inputs.len().min(MAXIMUM_CONVOLUTION_OPERANDS),
            // The last row, if it is odd, is read with one half more.
            halves: halves.saturating_add(1),
            words: all,
            first: Lane::default(),
            others: None,
            rows: 0,
            width: 0,
            row: 0,
            column: 0,
            slot: 0,
            used: 0..0,
        }
    }

    /// Halves that all kept rows take.
    pub fn halves(&self) -> usize {
        self.halves
    }

    /// Goes to the start of a strip of so many output columns.
    pub fn begin(&mut self, width: usize) {
        self.width = width.min(self.plan.strip);
        (self.row, self.column, self.slot, self.used) = (0, 0, 0, used_rows(self.geometry, 0));
    }

    /// The row of the next output position and its column in the strip; none where they end.
    #[inline(always)]
    pub fn place(&self) -> Option<(usize, usize)> {
        (self.row < self.geometry.height).then_some((self.row, self.column))
    }

    /// The next windows; where the positions end, or the row in one of several strips, the last ones are any.
    #[inline(always)]
    pub fn take(&mut self) -> Turn {
        let stride = self.geometry.columns.stride;
        let after = self.column.wrapping_add(WINDOWS);
        // Further down, rows of the map are higher up in a window.
        let end = self.used.end;
        let (mut valid, mut row, mut start) = (WINDOWS, self.row, self.used.start);
        if after <= self.width {
            let slot = self.slot_of(self.slot.wrapping_add(start));
            (self.first, self.others) = (Lane { slot, column: self.column.wrapping_mul(stride) }, None);
            self.column = after;
            self.end_row();
        } else {
            (valid, row, start) = self.take_one_by_one();
        }
        self.rows = end.saturating_sub(start);
        let needed = row.wrapping_mul(self.geometry.rows.stride).wrapping_add(end);
        Turn { valid, used: start..end, needed }
    }

    /// The same over the end of a row: how many windows count, and the row of the last one with its first row used.
    #[inline(never)]
    fn take_one_by_one(&mut self) -> (usize, usize, usize) {
        let goes_on = self.width == self.geometry.width;
        let (mut valid, mut row, mut start) = (0_usize, 0, 0);
        let mut lanes = [Lane::default(); WINDOWS];
        for lane in &mut lanes {
            keep_rolled();
            if self.row >= self.geometry.height || (self.column == 0 && valid > 0 && !goes_on) {
                break;
            }
            *lane = Lane { slot: self.slot, column: self.column.wrapping_mul(self.geometry.columns.stride) };
            (row, start) = (self.row, self.used.start);
            valid = valid.wrapping_add(1);
            self.column = self.column.wrapping_add(1);
            self.end_row();
        }
        for lane in &mut lanes {
            keep_rolled();
            lane.slot = self.slot_of(lane.slot.wrapping_add(start));
        }
        self.others = Some(lanes);
        (valid, row, start)
    }

    /// A slot that is at most one round too far.
    #[inline(always)]
    fn slot_of(&self, slot: usize) -> usize {
        let slot = if slot >= self.plan.slots { slot.wrapping_sub(self.plan.slots) } else { slot };
        slot.min(self.plan.slots.wrapping_sub(1))
    }

    /// Goes on in the next row if this one has ended.
    #[inline(always)]
    fn end_row(&mut self) {
        if self.column == self.width {
            self.turn_to_next_row();
        }
    }

    #[inline(never)]
    fn turn_to_next_row(&mut self) {
        (self.row, self.column) = (self.row.wrapping_add(1), 0);
        self.slot = self.slot.wrapping_add(self.geometry.rows.stride).checked_rem(self.plan.slots).unwrap_or(0);
        self.used = used_rows(self.geometry, self.row);
    }

    /// Copies the rows used of the windows last taken, those of all operands, one row after the other. What the last half of
    /// an odd number of values holds is not said. Nothing where something does not reach.
    #[inline(always)]
    pub fn copy(&self, halves: &[i16], windows: &mut [Words]) {
        if self.halves > halves.len() || self.words > windows.len() || self.rows == 0 {
            return;
        }
        if self.others.is_some() {
            return self.copy_others(halves, windows);
        }
        for source in self.sources.iter().take(self.operands) {
            keep_rolled();
            let (first, step) = (source.start(&self.first), self.geometry.columns.stride.wrapping_mul(source.channels));
            let (second, third) = (first.wrapping_add(step), first.wrapping_add(step.wrapping_mul(2)));
            let starts = [first, second, third, third.wrapping_add(step)];
            copy::rows(source, self.plan.slots, self.rows, starts, halves, windows);
        }
    }

    /// The same for windows that do not follow one another in a row.
    #[inline(never)]
    fn copy_others(&self, halves: &[i16], windows: &mut [Words]) {
        let Some(lanes) = &self.others else { return };
        for source in self.sources.iter().take(self.operands) {
            keep_rolled();
            let starts = lanes.each_ref().map(|lane| source.start(lane));
            copy::rows(source, self.plan.slots, self.rows, starts, halves, windows);
        }
    }
}

impl Source {
    /// First half of a window's first row.
    #[inline(always)]
    fn start(&self, lane: &Lane) -> usize {
        let start = lane.slot.wrapping_mul(self.line).wrapping_add(self.half);
        lane.column.wrapping_mul(self.channels).wrapping_add(start)
    }
}

/// The rows of the windows of an output row that lie in the map.
fn used_rows(geometry: &Geometry, row: usize) -> Range<usize> {
    let span = geometry.rows.span(row);
    span.start..span.start.wrapping_add(span.length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::convolution::rows::{Extent, load};
    use crate::kernels::window::Axis;
    use convrnn_format::Packing;

    /// Every window is its rows of the padded map one after the other, less those that lie above or below the map for all
    /// windows at once; also where rows are odd and start within a word, and where slots go on in the first one.
    #[test]
    fn windows_are_their_rows_one_after_the_other() {
        for (channels, kernel, stride, before, width) in
            [(2, 3, 1, 1, 8), (1, 5, 2, 2, 5), (3, 3, 1, 0, 3), (3, 1, 1, 0, 1)]
        {
            let size = (width - 1) * stride + kernel - before;
            let axis = Axis { size, kernel, stride, before };
            let packing = Packing::default();
            let geometry = Geometry { rows: axis, columns: axis, height: width, width, outputs: 2, groups: 1, packing };
            let values: [i8; 1024] = core::array::from_fn(|index| (index as i8).wrapping_mul(37));
            let input = Input { values: &values[..size * size * channels], weights: &[], channels, zero_point: 3 };
            let plan = Plan::new(&Extent::new(axis, axis, width).with(channels)).unwrap();
            let mut halves = [0; 4098];
            let mut walk = Walk::new(&geometry, &[input], plan);
            walk.begin(width);
            let mut loaded = 0;
            while let Some((row, column)) = walk.place() {
                let turn = walk.take();
                for row in loaded..turn.needed {
                    load(&geometry, &[input], plan, 0, row, &mut halves);
                }
                loaded = loaded.max(turn.needed);
                let mut windows = [[0x5555_5555; WINDOWS]; 64];
                walk.copy(&halves, &mut windows);
                let first = row * width + column;
                let lanes: [[u32; 64]; WINDOWS] = core::array::from_fn(|lane| windows.map(|words| words[lane]));
                for (lane, words) in lanes.iter().enumerate().take(turn.valid) {
                    let (row, column) = ((first + lane) / width * stride, (first + lane) % width * stride);
                    for element in 0..turn.used.len() * kernel * channels {
                        let word = words[element / 2];
                        let found = if element % 2 == 0 { word as i16 } else { (word >> 16) as i16 };
                        let (u, rest) =
                            (turn.used.start + element / (kernel * channels), element % (kernel * channels));
                        let y = (row + u).checked_sub(before).filter(|&y| y < size);
                        let x = (column + rest / channels).checked_sub(before).filter(|&x| x < size);
                        let expected = match (y, x) {
                            (Some(y), Some(x)) => i16::from(values[(y * size + x) * channels + rest % channels]) - 3,
                            _ => 0,
                        };
                        assert_eq!(found, expected, "kernel {kernel}, position {first} + {lane}, element {element}");
                    }
                }
            }
        }
    }
}
