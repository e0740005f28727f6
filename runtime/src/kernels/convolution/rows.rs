//! The rows of the map that windows reach, widened to 16 bits with zeros for the padding: each value once.

use super::tiles::WINDOWS;
use super::widen::widen;
use super::{Geometry, Input};
use crate::kernels::integer::keep_rolled;
use crate::kernels::window::Axis;

/// Halves of words that rows may take.
pub(super) const HALVES: usize = 4096;

/// What decides how many rows are kept.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub rows: Axis,
    pub columns: Axis,
    /// Output columns.
    pub width: usize,
    /// Operands.
    pub operands: usize,
    /// Channels of all operands.
    pub channels: usize,
    /// Words of the windows of all operands.
    pub words: usize,
}

impl Extent {
    /// Without operands.
    pub const fn new(rows: Axis, columns: Axis, width: usize) -> Self {
        Self { rows, columns, width, operands: 0, channels: 0, words: 0 }
    }

    /// With one more operand.
    pub const fn with(self, channels: usize) -> Self {
        Self {
            operands: self.operands.saturating_add(1),
            channels: self.channels.saturating_add(channels),
            words: self.words.saturating_add(words(&self.rows, &self.columns, channels)),
            ..self
        }
    }
}

/// Words of the part of a window that an operand has.
pub(super) const fn words(rows: &Axis, columns: &Axis, channels: usize) -> usize {
    rows.kernel.saturating_mul(columns.kernel).saturating_mul(channels).div_ceil(2)
}

/// How many rows are kept, and of which columns.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Rows kept: row r of the padded map lies in slot `r % slots`.
    pub slots: usize,
    /// Output columns at a time.
    pub strip: usize,
    /// Columns of the padded map that those reach.
    columns: usize,
}

impl Plan {
    /// As many output columns as fit: all, or a multiple of the windows computed at once; none if there is no place for
    /// one round of them.
    ///
    /// Where all fit, windows computed at once go on in the next rows, whose rows of the map are kept too.
    pub const fn new(extent: &Extent) -> Option<Self> {
        let (rows, columns) = (&extent.rows, &extent.columns);
        if rows.kernel == 0 || columns.stride == 0 || extent.channels == 0 || extent.width == 0 {
            return None;
        }
        let more = (WINDOWS - 1).div_ceil(extent.width);
        let slots = rows.kernel.saturating_add(more.saturating_mul(rows.stride));
        let whole = Self::of(extent, slots, extent.width);
        // An odd row is filled up.
        let line = whole.columns.saturating_mul(extent.channels).saturating_add(extent.operands);
        if line.saturating_mul(slots) <= HALVES {
            return Some(whole);
        }
        let line = (HALVES / rows.kernel).saturating_sub(extent.operands) / extent.channels;
        let Some(room) = line.checked_sub(columns.kernel) else { return None };
        let fitting = (room / columns.stride).saturating_add(1);
        let strip = if fitting < extent.width { fitting } else { extent.width } / WINDOWS * WINDOWS;
        if strip > 0 { Some(Self::of(extent, rows.kernel, strip)) } else { None }
    }

    const fn of(extent: &Extent, slots: usize, strip: usize) -> Self {
        let steps = strip.saturating_sub(1).saturating_mul(extent.columns.stride);
        Self { slots, strip, columns: steps.saturating_add(extent.columns.kernel) }
    }

    /// Halves of one row of an operand; a whole number of words.
    #[inline(always)]
    pub fn line(&self, input: &Input<'_, i8>) -> usize {
        self.columns.saturating_mul(input.channels).saturating_add(1) & !1
    }
}

/// Writes a row of the padded map, from the first column that the strip at `first` reaches, into its slot. The slots were
/// zero at first.
#[inline(never)]
pub(super) fn load(
    geometry: &Geometry,
    inputs: &[Input<'_, i8>],
    plan: Plan,
    first: usize,
    row: usize,
    halves: &mut [i16],
) {
    let slot = row.checked_rem(plan.slots).unwrap_or(0);
    let source = row.checked_sub(geometry.rows.before).filter(|&row| row < geometry.rows.size);
    let corner = first.wrapping_mul(geometry.columns.stride);
    // Columns of the row that lie left of the map, and the first one of the map that is not left of the row.
    let left = geometry.columns.before.saturating_sub(corner);
    let column = corner.saturating_sub(geometry.columns.before);
    let mut rest = halves;
    for input in inputs {
        keep_rolled();
        let line = plan.line(input);
        let Some((own, after)) = rest.split_at_mut_checked(line.wrapping_mul(plan.slots)) else { return };
        rest = after;
        let start = slot.wrapping_mul(line);
        let target = own.get_mut(start..start.wrapping_add(line)).unwrap_or(&mut []);
        let Some(source) = source else {
            target.fill(0);
            continue;
        };
        let padding = left.wrapping_mul(input.channels).min(target.len());
        let (before, target) = target.split_at_mut_checked(padding).unwrap_or_default();
        // Where all columns are one strip, the padding beside the map keeps the zeros that were there at first.
        let is_new = plan.strip < geometry.width;
        if is_new {
            before.fill(0);
        }
        let pixel = source.wrapping_mul(geometry.columns.size).wrapping_add(column);
        let length = geometry.columns.size.saturating_sub(column).wrapping_mul(input.channels).min(target.len());
        let (inside, behind) = target.split_at_mut_checked(length).unwrap_or_default();
        let values = input.values.get(pixel.wrapping_mul(input.channels)..).unwrap_or(&[]);
        widen(inside, values, input.zero_point as i16);
        if is_new {
            behind.fill(0);
        }
    }
}
