//! Convolution over weights with 16 output channels side by side and four input channels of each together.
//!
//! A vector of weights has four output channels by four input channels, and four values of a pixel are
//! multiplied with it at once. Values are kept as they are, and what adds nothing as the zero point, so
//! over a whole window, padding included,
//!
//! ```text
//! sum of (x - z) * w = sum of x * w - z * sum of w
//! ```
//!
//! and the second sum is the same for every position. It is what a window of zero points gives, and is
//! computed as such, once for a group of output channels. All sums wrap at 32 bits, as the definition's do.

use super::BuiltFor;
use super::floats::Reals;
use super::instructions::{I32x4, PAIRS, POSITIONS, Quad, Sums, Weights};
use super::integers::Wholes;
use crate::kernels::integer::with_integer;
use crate::kernels::vectors::convolution::band::{Band, Extent, Kept, for_each};
use crate::kernels::vectors::convolution::job::{CHANNEL_TILE, Job, OUTPUT_TILE, Operand};
use crate::kernels::vectors::convolution::scale::Scale;
use crate::kernels::vectors::convolution::{depthwise, real};
use crate::kernels::vectors::floats::Floats;
use crate::kernels::vectors::integers::{Element, Integers};
use crate::task::{Task, elements_mut};
use convrnn_format::Numerics;

/// Bytes of a vector of weights.
const VECTOR: usize = 16;

/// Output channels of a group.
const GROUP: usize = PAIRS * Wholes::LANES;

/// Bytes of the weights of one tile of output channels and one tile of input channels.
const STEP: usize = OUTPUT_TILE * CHANNEL_TILE;

/// Kept values of the smaller scratch.
const SMALL: usize = 16 << 10;

/// Kept values of the larger scratch, which costs time to enter.
const LARGE: usize = 96 << 10;

/// Positions by eight output channels of an f32 block.
const REAL_POSITIONS: usize = 6;

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
pub(crate) fn run(task: &mut Task<'_>, machine: BuiltFor) -> bool {
    if depthwise::run(task, machine) {
        return true;
    }
    match task.numerics() {
        Numerics::Real => real_convolution(task),
        Numerics::Integer => integers(task),
    }
}

fn real_convolution(task: &mut Task<'_>) -> bool {
    let Some((work, source)) = real::Work::new(task, None) else { return false };
    match source {
        real::Source::Map => reals::<{ real::MAP }>(&work, &work.map()),
        real::Source::PaddedMap => return false,
        real::Source::Small => return reals_by_bands::<{ real::SMALL }>(&work),
        real::Source::Large => return reals_by_bands::<{ real::LARGE }>(&work),
    }
    true
}

#[inline(never)]
fn reals_by_bands<const LENGTH: usize>(work: &real::Work<'_>) -> bool {
    work.for_each_band::<LENGTH>(|band| reals::<{ real::BAND }>(work, band))
}

/// `SOURCE` is the one that the work has.
#[inline(never)]
#[allow(unsafe_code)]
fn reals<const SOURCE: usize>(work: &real::Work<'_>, band: &Band<'_, f32>) {
    for first in (0..work.outputs()).step_by(Reals::LANES) {
        // SAFETY: the instructions are those that this is built for, the vector lies in a tile, the output is
        // as long as the work says, and the source is the one that it has.
        unsafe { real::group::<Reals, 1, REAL_POSITIONS, SOURCE>(work, band, first) };
    }
}

fn integers(task: &mut Task<'_>) -> bool {
    let Some(job) = Job::<i8>::new(task, CHANNEL_TILE) else { return false };
    let scale = Scale::new(task, job.outputs);
    let mut done = false;
    with_integer!(task.target.element, Y => {
        let output = elements_mut::<Y>(task.output);
        if output.len() == job.height * job.width * job.outputs {
            let small = Extent::fitting(&job, SMALL).filter(|extent| extent.is_whole(&job));
            done = match small {
                Some(extent) => integers_by_bands::<Y, SMALL>(&job, &scale, output, extent),
                None => match Extent::fitting(&job, LARGE) {
                    Some(extent) => integers_by_bands::<Y, LARGE>(&job, &scale, output, extent),
                    None => false,
                },
            };
        }
    });
    done
}

/// The output has `job.height * job.width * job.outputs` elements.
#[inline(never)]
#[allow(unsafe_code)]
fn integers_by_bands<Y: Element, const LENGTH: usize>(
    job: &Job<'_, i8>,
    scale: &Scale<'_>,
    output: &mut [Y],
    extent: Extent,
) -> bool {
    for_each::<i8, i8, LENGTH>(job, extent, |band| {
        let positions = band.positions();
        for channel in (0..job.outputs).step_by(GROUP) {
            let group = Group::new(job, band, scale, channel, output.as_mut_ptr());
            let mut first = 0;
            while first < positions {
                // SAFETY: as many positions are left as each block takes, and the output is as long as this
                // function's callers say.
                unsafe {
                    first += match positions - first {
                        left if left >= POSITIONS => group.block::<POSITIONS>(first),
                        2.. => group.block::<2>(first),
                        _ => group.block::<1>(first),
                    };
                }
            }
        }
    })
}

/// As they are; the sums are put right.
impl Kept<i8> for i8 {
    #[inline(always)]
    fn keep(value: i8, _zero_point: i32) -> Self {
        value
    }

    #[inline(always)]
    fn nothing(zero_point: i32) -> Self {
        zero_point as i8
    }
}

/// [`GROUP`] output channels, all in one tile.
struct Group<'j, 'a, Y> {
    job: &'j Job<'a, i8>,
    band: &'j Band<'j, i8>,
    /// The first of them.
    channel: usize,
    /// The bias less what zero points give.
    start: [Wholes; PAIRS],
    multipliers: [Wholes; PAIRS],
    shift: u8,
    zero: i32,
    output: *mut Y,
}

/// The sums of a group at a position.
type Totals = [[Sums; 2]; PAIRS];

impl<'j, 'a, Y: Element> Group<'j, 'a, Y> {
    fn new(job: &'j Job<'a, i8>, band: &'j Band<'j, i8>, scale: &Scale<'_>, channel: usize, output: *mut Y) -> Self {
        let multipliers = lanes(scale.multipliers, channel);
        let start = lanes(scale.bias, channel);
        let mut group = Self { job, band, channel, start, multipliers, shift: scale.shift, zero: scale.zero, output };
        group.take_zero_points_off();
        group
    }

    /// The first weights of the group for an operand, and how many the tile has.
    #[inline(always)]
    fn weights(&self, operand: &Operand<'_, i8>) -> (*const i8, usize) {
        let (tile, within) = (self.channel / OUTPUT_TILE, self.channel % OUTPUT_TILE);
        let length = self.job.rows.kernel * self.job.columns.kernel * operand.padded * OUTPUT_TILE;
        (operand.weights.as_ptr().wrapping_add(tile * length + within * CHANNEL_TILE), length)
    }

    /// The group's weights for four input channels.
    ///
    /// # Safety
    /// They are readable.
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn load_weights(weights: *const i8) -> [[Weights; 2]; PAIRS] {
        core::array::from_fn(|pair| {
            // SAFETY: the caller's promise.
            core::array::from_fn(|half| unsafe { Weights::load(weights.wrapping_add((2 * pair + half) * VECTOR)) })
        })
    }

    /// Subtracts from where sums start what a window of zero points gives.
    #[allow(unsafe_code)]
    fn take_zero_points_off(&mut self) {
        let mut sums: Totals = [[Sums::zero(); 2]; PAIRS];
        for operand in self.job.operands().iter().filter(|operand| operand.zero_point != 0) {
            let values = Quad::splat(<i8 as Kept<i8>>::nothing(operand.zero_point));
            let (mut weights, length) = self.weights(operand);
            for _ in 0..length / STEP {
                // SAFETY: a tile has `length` weights, a group's lie within every `STEP` of them.
                let vectors = unsafe { Self::load_weights(weights) };
                add_products(&mut sums, values, &vectors);
                weights = weights.wrapping_add(STEP);
            }
        }
        for (start, sums) in self.start.iter_mut().zip(&sums) {
            // SAFETY: the instructions are those that this is built for.
            *start = unsafe { start.subtract(total(sums)) };
        }
    }

    /// `P` positions from `first` on; gives `P`.
    ///
    /// # Safety
    /// The band has them, and the output is there as a whole.
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn block<const P: usize>(&self, first: usize) -> usize {
        let (job, band) = (self.job, self.band);
        let (pixels, targets) = band.places::<_, P>(job, first);
        let mut sums: [Totals; P] = [[[Sums::zero(); 2]; PAIRS]; P];
        let mut plane = band.kept.as_ptr();
        for operand in job.operands() {
            let run = job.columns.kernel * operand.padded;
            let (mut weights, _) = self.weights(operand);
            let offsets = pixels.map(|pixel| pixel * operand.padded);
            for row in 0..job.rows.kernel {
                let mut values = plane.wrapping_add(row * band.line * operand.padded);
                let end = values.wrapping_add(run);
                while values != end {
                    // SAFETY: a tile has the weights of every row's run, a group's lie within every `STEP` of
                    // them.
                    let vectors = unsafe { Self::load_weights(weights) };
                    for (sums, &offset) in sums.iter_mut().zip(&offsets) {
                        // SAFETY: the run lies in the plane of the operand for every pixel at which a
                        // window starts, and its length is a multiple of four.
                        let values = unsafe { Quad::load(values.wrapping_add(offset)) };
                        add_products(sums, values, &vectors);
                    }
                    weights = weights.wrapping_add(STEP);
                    values = values.wrapping_add(CHANNEL_TILE);
                }
            }
            plane = plane.wrapping_add(band.plane * operand.padded);
        }
        for (sums, &target) in sums.iter().zip(&targets) {
            for (pair, sums) in sums.iter().enumerate() {
                let channel = self.channel + pair * Wholes::LANES;
                if channel >= job.outputs {
                    break;
                }
                let output = self.output.wrapping_add(target * job.outputs + channel);
                // SAFETY: the position lies in the output, and so do the channels that are left.
                unsafe {
                    let value = self.start[pair].add(total(sums)).rescale_each(self.multipliers[pair], self.shift);
                    Y::store_first(output, job.outputs - channel, Wholes::splat(self.zero).add(value));
                }
            }
        }
        P
    }
}

#[inline(always)]
fn add_products(sums: &mut Totals, values: Quad, weights: &[[Weights; 2]; PAIRS]) {
    for (sums, weights) in sums.iter_mut().zip(weights) {
        for (sum, &weights) in sums.iter_mut().zip(weights) {
            *sum = sum.add_products(values, weights);
        }
    }
}

#[inline(always)]
fn total(sums: &[Sums; 2]) -> Wholes {
    Wholes(sums.map(Sums::total))
}

/// The group's lanes of a slice from `first` on; zeros past its end.
#[allow(unsafe_code)]
fn lanes(values: &[i32], first: usize) -> [Wholes; PAIRS] {
    let mut lanes = [[[0; 4]; 2]; PAIRS];
    let slots = lanes.as_flattened_mut().as_flattened_mut();
    for (lane, &value) in slots.iter_mut().zip(values.get(first..).unwrap_or(&[])) {
        *lane = value;
    }
    // SAFETY: each array has the four elements of a vector.
    lanes.map(|pair| Wholes(pair.map(|half| unsafe { I32x4::load(half.as_ptr()) })))
}
