//! f32 convolution.

use super::band::{Band, Extent, for_each};
use super::job::{Job, OUTPUT_TILE};
use super::outside::MOST_TOLD;
pub(crate) use super::products::{BAND, MAP, PADDED_MAP};
use super::products::{LEAST_CHANNELS, Weights, ZEROS, add_windows};
use crate::kernels::vectors::floats::{Floats, store_first};
use crate::task::{Task, elements_mut};

/// Kept values of the smaller scratch.
pub(crate) const SMALL: usize = 8 << 10;

/// Kept values of the larger scratch, which costs time to enter.
pub(crate) const LARGE: usize = 32 << 10;

/// A convolution and where its output goes: `job.height * job.width * job.outputs` numbers.
pub(crate) struct Work<'a> {
    job: Job<'a, f32>,
    /// One for each output channel, or none.
    bias: &'a [f32],
    output: *mut f32,
    /// Of the bands.
    extent: Extent,
}

/// Where the windows of a convolution are read: [`MAP`], [`PADDED_MAP`], or a [`BAND`] in a scratch of [`SMALL`] or
/// [`LARGE`] values.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Map,
    PaddedMap,
    Small,
    Large,
}

impl<'a> Work<'a> {
    /// The convolution of a task, and where its windows are read; none if these kernels cannot do it. Padded maps
    /// are read in blocks of so many `positions`, if any.
    pub fn new(task: &mut Task<'a>, positions: Option<usize>) -> Option<(Self, Source)> {
        let job = Job::<f32>::new(task, 1)?;
        let bias: &[f32] = task.constant(task.record.bias, job.outputs);
        let output = elements_mut::<f32>(task.output);
        if output.len() != job.height * job.width * job.outputs {
            return None;
        }
        // Blocks that do not lie in whole rows of a padded map cost more than a copy of it.
        let is_in_rows = positions.is_some_and(|count| job.width.is_multiple_of(count) || job.width * 2 == count);
        let is_told = job.rows.kernel.max(job.columns.kernel) <= MOST_TOLD;
        let channels = LEAST_CHANNELS..=ZEROS.len();
        let whole = Extent { rows: job.height, columns: job.width };
        let (extent, source) = match Extent::fitting(&job, SMALL) {
            _ if !job.has_padding => (whole, Source::Map),
            _ if is_in_rows && is_told && job.operands().iter().all(|operand| channels.contains(&operand.channels)) => {
                (whole, Source::PaddedMap)
            }
            Some(extent) if extent == whole => (whole, Source::Small),
            _ => (Extent::fitting(&job, LARGE)?, Source::Large),
        };
        Some((Self { job, bias, output: output.as_mut_ptr(), extent }, source))
    }

    /// Output channels.
    pub fn outputs(&self) -> usize {
        self.job.outputs
    }

    /// The whole map, as a band of a map that is not copied.
    pub fn map(&self) -> Band<'_, f32> {
        Band::of_map(&self.job)
    }

    /// Band by band in a scratch of `LENGTH` values. Gives whether that is enough.
    #[inline(always)]
    pub fn for_each_band<const LENGTH: usize>(&self, work: impl FnMut(&Band<'_, f32>)) -> bool {
        for_each::<f32, f32, LENGTH>(&self.job, self.extent, work)
    }
}

/// `T` vectors of output channels from `first` on at every position of the band, `P` positions at
/// once as long as there are so many.
///
/// # Safety
/// The processor has the instructions; the vectors lie in the tiles that there are; the output is
/// there; the band is one of the source that the work has.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn group<F: Floats, const T: usize, const P: usize, const SOURCE: usize>(
    work: &Work<'_>,
    band: &Band<'_, f32>,
    first: usize,
) {
    let positions = band.positions();
    // In a narrow map, whole rows leave out more.
    let most = if band.extent.columns == 4 { P / 4 * 4 } else { P };
    let mut start = [[0.0; OUTPUT_TILE]; T];
    let bias = work.bias.get(first..).unwrap_or(&[]);
    for (start, bias) in start.iter_mut().zip(bias.chunks(F::LANES)) {
        for (start, &bias) in start.iter_mut().zip(bias) {
            *start = bias;
        }
    }
    let mut position = 0;
    while position < positions {
        // SAFETY: as many positions are left as each block takes; the rest is the caller's promise.
        unsafe {
            let start = start.each_ref().map(|start| F::load(start.as_ptr()));
            let left = if work.job.width == 1 { 1 } else { positions - position };
            position += match left {
                _ if left >= P && most == P => block::<F, T, P, SOURCE>(work, band, first, position, start),
                4.. => block::<F, T, 4, SOURCE>(work, band, first, position, start),
                2.. => block::<F, T, 2, SOURCE>(work, band, first, position, start),
                _ => block::<F, T, 1, SOURCE>(work, band, first, position, start),
            };
        }
    }
}

/// `P` positions by `T` vectors of output channels; gives `P`.
///
/// # Safety
/// As of [`group`], and the band has the positions.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn block<F: Floats, const T: usize, const P: usize, const SOURCE: usize>(
    work: &Work<'_>,
    band: &Band<'_, f32>,
    first: usize,
    position: usize,
    start: [F; T],
) -> usize {
    let job = &work.job;
    let targets = band.places::<_, P>(job, position).1;
    let (tile, within) = (first / OUTPUT_TILE, first % OUTPUT_TILE);
    let mut sums = [start; P];
    let mut plane = band.kept.as_ptr();
    for operand in job.operands() {
        let length = job.rows.kernel * job.columns.kernel * operand.padded * OUTPUT_TILE;
        let weights = Weights {
            first: operand.weights.as_ptr().wrapping_add(tile * length + within),
            step: if F::LANES == OUTPUT_TILE { length } else { F::LANES },
        };
        let source = match SOURCE {
            MAP | PADDED_MAP => {
                let padding = (job.rows.before * band.line + job.columns.before) * operand.padded;
                operand.values.as_ptr().wrapping_sub(padding)
            }
            _ => plane,
        };
        // SAFETY: the vectors of weights lie in tiles of the operand, and the band has the positions, as the caller
        // says; the work has seen to what is asked of padded maps.
        unsafe {
            add_windows::<F, T, P, SOURCE>(&mut sums, job, band, position, operand.padded, source, weights);
        }
        plane = plane.wrapping_add(band.plane * operand.padded);
    }
    for (sums, &target) in sums.iter().zip(&targets) {
        for (index, &sum) in sums.iter().enumerate() {
            let channel = first + index * F::LANES;
            let output = work.output.wrapping_add(target * job.outputs + channel);
            // SAFETY: the position lies in the output, and so do the channels that are left.
            unsafe { store_first(sum, output, job.outputs - channel) };
        }
    }
    P
}
