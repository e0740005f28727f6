//! The rows of the map that windows reach, widened to 16 bits with zeros for the padding: each value once.

use super::tiles::WINDOWS;
use super::widen::widen;
use super::{Geometry, Input};
use crate::kernels::integer::keep_rolled;

/// Halves of words that rows may take.
pub(super) const HALVES: usize = 4096;

/// How many rows are kept, and of which columns.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Rows kept: row r of the padded map lies in slot `r % slots`.
    pub slots: usize,
    /// Output columns at a time.
    pub strip: usize,
}

impl Plan {
    /// As many output columns as fit: all, or a multiple of the windows computed at once; none if there is no place for
    /// one round of them.
    ///
    /// Where all fit, windows computed at once go on in the next rows, whose rows of the map are kept too.
    #[inline(never)]
    pub fn new(geometry: &Geometry, inputs: &[Input<'_, i8>]) -> Option<Self> {
        let (rows, columns) = (&geometry.rows, &geometry.columns);
        let more = (WINDOWS - 1).div_ceil(geometry.width.max(1));
        let slots = rows.kernel.saturating_add(more.saturating_mul(rows.stride));
        let whole = Self { slots, strip: geometry.width };
        if whole.halves(geometry, inputs) <= HALVES {
            return Some(whole);
        }
        let channels = inputs.iter().fold(0_usize, |sum, input| sum.saturating_add(input.channels));
        // An odd row is filled up.
        let line = (HALVES.checked_div(rows.kernel)?.checked_sub(inputs.len())?).checked_div(channels)?;
        let fitting = line.checked_sub(columns.kernel)?.checked_div(columns.stride)?.wrapping_add(1);
        let strip = fitting.min(geometry.width) / WINDOWS * WINDOWS;
        (strip > 0).then_some(Self { slots: rows.kernel, strip })
    }

    /// Columns of the padded map that so many output columns reach.
    fn columns(&self, geometry: &Geometry) -> usize {
        let steps = self.strip.saturating_sub(1).saturating_mul(geometry.columns.stride);
        steps.saturating_add(geometry.columns.kernel)
    }

    /// Halves of one row of an operand; a whole number of words.
    pub fn line(&self, geometry: &Geometry, input: &Input<'_, i8>) -> usize {
        self.columns(geometry).saturating_mul(input.channels).saturating_add(1) & !1
    }

    /// Halves of all rows of all operands.
    #[inline(never)]
    pub fn halves(&self, geometry: &Geometry, inputs: &[Input<'_, i8>]) -> usize {
        let lines = inputs.iter().fold(0_usize, |sum, input| sum.saturating_add(self.line(geometry, input)));
        lines.saturating_mul(self.slots)
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
        let line = plan.line(geometry, input);
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
