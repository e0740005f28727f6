//! Where windows reach over the edges of the map.

use super::band::Band;
use super::job::Job;
use crate::kernels::window::Axis;

/// Rows or columns of a kernel that [`Outside`] tells apart.
pub(super) const MOST_TOLD: usize = 8;

/// For each of the first rows or columns of a kernel, the positions of a block at which it lies outside the map, a
/// bit for each.
#[derive(Clone, Copy, Default)]
pub(super) struct Outside([u32; MOST_TOLD]);

impl Outside {
    /// That of the kernel's rows at `P` positions from `first` on.
    #[inline(always)]
    pub fn of_rows<const P: usize>(job: &Job<'_, f32>, band: &Band<'_, f32>, first: usize) -> Self {
        let mut outside = Self::default();
        for (place, &[row, _]) in band.rows_and_columns::<P>(first).iter().enumerate() {
            outside.note(&job.rows, place, (band.first_row + row) * job.rows.stride);
        }
        outside
    }

    /// That of the kernel's columns, at those of the positions whose bit is set in `told`.
    #[inline(always)]
    pub fn of_columns<const P: usize>(job: &Job<'_, f32>, band: &Band<'_, f32>, first: usize, told: u32) -> Self {
        let mut outside = Self::default();
        for (place, &[_, column]) in band.rows_and_columns::<P>(first).iter().enumerate() {
            if told >> place & 1 != 0 {
                outside.note(&job.columns, place, (band.first_column + column) * job.columns.stride);
            }
        }
        outside
    }

    /// Notes a position whose window starts at `corner` of the padded map.
    #[inline(always)]
    fn note(&mut self, axis: &Axis, place: usize, corner: usize) {
        let corner = corner.wrapping_sub(axis.before) as u32;
        for (offset, bits) in (0..).zip(&mut self.0) {
            *bits |= u32::from(corner.wrapping_add(offset) >= axis.size as u32) << place;
        }
    }

    /// The positions at which a row or column of the kernel lies outside.
    #[inline(always)]
    pub fn at(&self, offset: usize) -> u32 {
        self.0.get(offset).copied().unwrap_or(0)
    }
}
