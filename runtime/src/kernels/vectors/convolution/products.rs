//! Sums of products of f32 over windows, for a few positions by a few vectors of output channels.

use super::band::Band;
use super::job::{Job, OUTPUT_TILE};
use super::outside::Outside;
use crate::kernels::vectors::floats::Floats;

/// A source of windows: the map itself, where none reaches over its edges.
pub(crate) const MAP: usize = 0;

/// A source of windows: the map itself; what lies outside is left out.
pub(crate) const PADDED_MAP: usize = 1;

/// A source of windows: a band in a scratch, of whatever size.
pub(crate) const BAND: usize = 2;

/// With fewer channels, columns of zeros are not worth a loop for each column.
pub(super) const LEAST_CHANNELS: usize = 8;

/// What stands for the part of a window that lies outside the map, where there is no scratch.
pub(super) static ZEROS: [f32; 2048] = [0.0; 2048];

/// Input channels between two tests for the end.
const UNROLLED: usize = 4;

/// So few sums wait for their own last product; each is then added up in parts, where all blocks of a map have so few.
const FEW_SUMS: usize = 3;

/// Some vectors of weights of each input channel.
#[derive(Clone, Copy)]
pub(super) struct Weights {
    /// The first vector of the first input channel.
    pub first: *const f32,
    /// From one vector to the next: within a tile, or to the same place of the next.
    pub step: usize,
}

impl Weights {
    /// Those of a later input channel.
    #[inline(always)]
    fn after(self, channels: usize) -> Self {
        Self { first: self.first.wrapping_add(channels * OUTPUT_TILE), step: self.step }
    }
}

/// Adds what an operand contributes at `P` positions from `first` on. `plane` is where the operand's part of the band
/// starts, or would start around its map if the band is one.
///
/// # Safety
/// The processor has the instructions, and the plane and the weights are there. With [`PADDED_MAP`], the kernel has no
/// more rows or columns than are told apart ([`super::outside::MOST_TOLD`]), and the operand has no more channels than
/// there are [`ZEROS`].
#[inline(always)]
#[allow(unsafe_code)]
pub(super) unsafe fn add_windows<F: Floats, const T: usize, const P: usize, const SOURCE: usize>(
    sums: &mut [[F; T]; P],
    job: &Job<'_, f32>,
    band: &Band<'_, f32>,
    first: usize,
    pixel: usize,
    plane: *const f32,
    weights: Weights,
) {
    let width = job.columns.kernel;
    // The order of a sum must not depend on which rows are computed together: in maps of one column every position is
    // computed for itself.
    let in_parts = job.width == 1;
    let mut corners = [plane; P];
    for (corner, place) in corners.iter_mut().zip(band.places::<_, P>(job, first).0) {
        *corner = plane.wrapping_add(place * pixel);
    }
    let (mut rows, mut outside_rows, mut outside_columns) =
        (0..job.rows.kernel, Outside::default(), Outside::default());
    if SOURCE == PADDED_MAP {
        outside_rows = Outside::of_rows::<P>(job, band, first);
        outside_columns = Outside::of_columns::<P>(job, band, first, u32::MAX);
    } else if SOURCE != MAP {
        // Zeros of a band are left out where that is a whole row for all positions, or a column for the first or the
        // last of them.
        rows = band.kernel_rows(job, first, P);
        if pixel >= LEAST_CHANNELS {
            outside_columns = Outside::of_columns::<P>(job, band, first, 1 | 1 << (P - 1));
        }
    }
    let has_border = SOURCE != MAP && (0..width).any(|column| outside_columns.at(column) != 0);
    for row in rows {
        let outside_row = outside_rows.at(row);
        let (values, weights) = (moved(corners, row * band.line * pixel), weights.after(row * width * pixel));
        if SOURCE == MAP || (!has_border && outside_row == 0) {
            // SAFETY: the row of every window lies in the map or in the band.
            unsafe { add_products::<F, T, P, 0>(sums, &values, weights, width * pixel, in_parts) };
            continue;
        }
        for column in 0..width {
            let outside = outside_row | outside_columns.at(column);
            if outside.count_ones() as usize == P {
                continue;
            }
            let (values, weights) = (moved(values, column * pixel), weights.after(column * pixel));
            // SAFETY: this pixel of every window lies in the map or in the band, but for those that are outside.
            unsafe { add_products_inside::<F, T, P, SOURCE>(outside, sums, values, weights, pixel, in_parts) };
        }
    }
}

/// Pointers, each so many values further on.
#[inline(always)]
fn moved<const P: usize>(mut values: [*const f32; P], offset: usize) -> [*const f32; P] {
    for value in &mut values {
        *value = value.wrapping_add(offset);
    }
    values
}

/// [`add_products`] without those of the positions in `outside`, a bit for each.
///
/// # Safety
/// As of [`add_products`]; but with [`PADDED_MAP`] nothing need be there for the positions in `outside`, and `length`
/// is no more than there are [`ZEROS`].
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn add_products_inside<F: Floats, const T: usize, const P: usize, const SOURCE: usize>(
    outside: u32,
    sums: &mut [[F; T]; P],
    mut values: [*const f32; P],
    weights: Weights,
    length: usize,
    in_parts: bool,
) {
    macro_rules! without {
        ($outside:literal) => {
            // SAFETY: the caller's promise.
            unsafe { add_products::<F, T, P, $outside>(sums, &values, weights, length, in_parts) }
        };
    }
    macro_rules! without_any {
        () => {{
            // At the cost of products with zeros, which in a band are there already.
            if SOURCE == PADDED_MAP {
                for (place, values) in values.iter_mut().enumerate() {
                    if outside >> place & 1 != 0 {
                        *values = ZEROS.as_ptr();
                    }
                }
            }
            without!(0);
        }};
    }
    // A match for each number of positions, so that no loops are compiled but those that it needs.
    match P {
        8 if SOURCE == PADDED_MAP => match outside {
            0 => without!(0),
            // The first position or the last one of a row, or both.
            0b0000_0001 => without!(0b0000_0001),
            0b1000_0000 => without!(0b1000_0000),
            // Two rows of four positions.
            0b0001_0001 => without!(0b0001_0001),
            0b1000_1000 => without!(0b1000_1000),
            0b0000_1111 => without!(0b0000_1111),
            0b0001_1111 => without!(0b0001_1111),
            0b1000_1111 => without!(0b1000_1111),
            0b1111_0000 => without!(0b1111_0000),
            0b1111_0001 => without!(0b1111_0001),
            0b1111_1000 => without!(0b1111_1000),
            _ => without_any!(),
        },
        8 => match outside {
            0b0000_0001 => without!(0b0000_0001),
            0b1000_0000 => without!(0b1000_0000),
            _ => without_any!(),
        },
        6 => match outside {
            0b00_0001 => without!(0b00_0001),
            0b10_0000 => without!(0b10_0000),
            _ => without_any!(),
        },
        4 => match outside {
            0b0001 => without!(0b0001),
            0b1000 => without!(0b1000),
            0b1001 => without!(0b1001),
            _ => without_any!(),
        },
        _ => without_any!(),
    }
}

/// Adds the products of `length` values of each position, all but those whose bit is set in `OUTSIDE`, with `T`
/// vectors of weights each; `in_parts`, if a single position has few sums, by four sums that are added in the end.
///
/// # Safety
/// The processor has the instructions, and the values and weights are there.
#[inline(always)]
#[allow(unsafe_code)]
#[allow(clippy::needless_range_loop)]
unsafe fn add_products<F: Floats, const T: usize, const P: usize, const OUTSIDE: u32>(
    sums: &mut [[F; T]; P],
    values: &[*const f32; P],
    weights: Weights,
    length: usize,
    in_parts: bool,
) {
    let mut weights_now = weights.first;
    macro_rules! add_one {
        ($index:expr, $sums:expr) => {
            // SAFETY: the caller's promise.
            unsafe {
                let mut vectors = [F::splat(0.0); T];
                for index in 0..T {
                    vectors[index] = F::load(weights_now.wrapping_add(index * weights.step));
                }
                for place in 0..P {
                    if OUTSIDE >> place & 1 != 0 {
                        continue;
                    }
                    let value = F::splat(*values[place].wrapping_add($index));
                    for index in 0..T {
                        $sums[place][index] = value.multiply_add(vectors[index], $sums[place][index]);
                    }
                }
            }
            weights_now = weights_now.wrapping_add(OUTPUT_TILE);
        };
    }
    let mut index = 0;
    if const { P == 1 && T <= FEW_SUMS } && in_parts {
        // SAFETY: the caller's promise.
        let mut parts = [[[unsafe { F::splat(0.0) }; T]; P]; UNROLLED];
        while index + UNROLLED <= length {
            for part in 0..UNROLLED {
                add_one!(index + part, parts[part]);
            }
            index += UNROLLED;
        }
        for part in &parts {
            for place in 0..P {
                for index in 0..T {
                    // SAFETY: the caller's promise.
                    sums[place][index] = unsafe { sums[place][index].add(part[place][index]) };
                }
            }
        }
    } else {
        while index + UNROLLED <= length {
            for part in 0..UNROLLED {
                add_one!(index + part, sums);
            }
            index += UNROLLED;
        }
    }
    while index < length {
        add_one!(index, sums);
        index += 1;
    }
}
