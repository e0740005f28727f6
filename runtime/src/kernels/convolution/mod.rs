//! Convolution over the concatenation of several operands, without the concatenation in memory.
//!
//! One code for both arithmetics and three for the packings: [`interleaved`] for weights with
//! a few output channels side by side (the fast one: four for f32, two for i8, whose windows go through
//! [`gathered`] where one fits the stack), [`depthwise`], and [`general`] for any packing there is. On processors with
//! the DSP extension, [`channelwise`] takes the int8 depthwise convolutions it is made for.

#[cfg(any(test, feature = "cortex-m4"))]
mod channelwise;
mod depthwise;
mod gathered;
mod general;
mod interleaved;
mod lanes;
#[cfg(any(test, feature = "cortex-m4"))]
mod quads;
mod rows;
mod scratch;
mod siblings;
mod tiles;
mod way;
mod widen;

use crate::kernels::integer::{Integer, keep_rolled, rescale, with_output};
use crate::kernels::window::Axis;
use crate::task::{Task, constant, elements, elements_mut};
use crate::uses::{Use, Uses};
use bytemuck::Pod;
use convrnn_format::packing::WeightShape;
use convrnn_format::{
    BufferRecord, MAXIMUM_CONVOLUTION_OPERANDS, Numerics, OperationKind, OperationRecord, Packing, Program,
};
use gathered::Part;
pub(crate) use rows::Extent;
pub(crate) use way::{Shape, Way};

/// How values are multiplied and summed.
pub(crate) trait Arithmetic {
    /// Element of operands and weights.
    type Value: Pod;
    /// Accumulator.
    type Sum: Pod;

    /// `sum + (value - zero) * weight`
    fn multiply_add(sum: Self::Sum, value: Self::Value, zero: i32, weight: Self::Value) -> Self::Sum;

    /// Output channels side by side in the packing that [`Arithmetic::interleaved`] takes.
    const TILE: u16;

    /// Weights with [`Arithmetic::TILE`] output channels side by side.
    fn interleaved(geometry: &Geometry, inputs: &[Input<'_, Self::Value>], finish: Finish<'_, Self::Sum>);
}

/// f32 all along; each product is rounded, then each sum.
pub(crate) struct Real;

impl Arithmetic for Real {
    type Value = f32;
    type Sum = f32;
    const TILE: u16 = 4;

    #[inline(always)]
    fn multiply_add(sum: f32, value: f32, _zero: i32, weight: f32) -> f32 {
        sum + value * weight
    }

    #[inline(always)]
    fn interleaved(geometry: &Geometry, inputs: &[Input<'_, f32>], finish: Finish<'_, f32>) {
        #[cfg(feature = "cortex-m4")]
        if geometry.groups == 1 {
            return quads::convolve(geometry, inputs, finish);
        }
        interleaved::convolve::<Self, 4>(geometry, inputs, finish);
    }
}

/// i8 values and weights, i32 sums.
pub(crate) struct Whole;

impl Arithmetic for Whole {
    type Value = i8;
    type Sum = i32;
    const TILE: u16 = 2;

    #[inline(always)]
    fn multiply_add(sum: i32, value: i8, zero: i32, weight: i8) -> i32 {
        // Both factors fit 16 bits, which lets processors use their 16-bit multipliers.
        let value = i16::from(value).wrapping_sub(zero as i16);
        sum.wrapping_add(i32::from(value).wrapping_mul(i32::from(weight)))
    }

    #[inline(always)]
    fn interleaved(geometry: &Geometry, inputs: &[Input<'_, i8>], finish: Finish<'_, i32>) {
        interleaved::convolve::<Self, 2>(geometry, inputs, finish);
    }
}

/// One operand with its weights.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a, V> {
    pub values: &'a [V],
    pub weights: &'a [V],
    /// Channels of the operand.
    pub channels: usize,
    pub zero_point: i32,
}

/// Everything about a convolution but its operands.
pub(crate) struct Geometry {
    pub rows: Axis,
    pub columns: Axis,
    pub height: usize,
    pub width: usize,
    /// Output channels of all groups.
    pub outputs: usize,
    pub groups: usize,
    pub packing: Packing,
}

impl Geometry {
    /// Output channels of one group.
    pub fn group_outputs(&self) -> usize {
        self.outputs.checked_div(self.groups).unwrap_or(0)
    }

    /// The weights of an operand with so many channels.
    pub fn weight_shape(&self, channels: usize) -> WeightShape {
        WeightShape {
            groups: self.groups,
            outputs: self.group_outputs(),
            inputs: channels.checked_div(self.groups).unwrap_or(0),
            height: self.rows.kernel,
            width: self.columns.kernel,
        }
    }
}

/// Receives sums: position (row * width + column), first output channel, sums of the channels from
/// there on. Those past the last channel fill up a tile and are to be ignored.
///
/// A reference, so that there is one kernel for all kinds of output.
pub(crate) type Finish<'f, S> = &'f mut dyn FnMut(usize, usize, &[S]);

/// How integer sums become outputs: `saturate(zero + rescale[o](sum + bias[o]))`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Scaling<'a> {
    /// One an output channel.
    pub bias: &'a [i32],
    /// One an output channel.
    pub multipliers: &'a [i32],
    /// Left shift of the rescale.
    pub shift: u8,
    /// Zero point of the output.
    pub zero: i32,
    /// `Element` of the output.
    pub element: u8,
}

impl<'a> Scaling<'a> {
    /// That of an integer convolution.
    fn new(program: &'a Program<'a>, record: &OperationRecord, target: &BufferRecord) -> Self {
        let channels = target.channels as usize;
        Self {
            bias: constant(program, record.bias, channels),
            multipliers: constant(program, record.multipliers, channels),
            shift: record.first_shift,
            zero: target.zero_point,
            element: target.element,
        }
    }
}

/// `y[o] = bias[o] + sum of w * x`; integer
/// `saturate(z_out + rescale[o](bias[o] + sum of w * (x - z)))`.
pub fn run(task: &mut Task<'_>) {
    run_with::<{ Uses::ALL.bits() }>(task);
}

/// [`run`] with the kernels of `USES` alone.
#[inline(never)]
pub(crate) fn run_with<const USES: u64>(task: &mut Task<'_>) {
    let record = task.record;
    let channels = task.target.channels as usize;
    match task.numerics() {
        Numerics::Real => {
            let bias: &[f32] = task.constant(record.bias, channels);
            with_inputs(task, |shape, geometry, inputs, output| {
                let finish: Finish<'_, f32> = &mut |position, first, sums| {
                    let targets = pixel::<f32>(output, position, channels, first);
                    for (index, (y, &sum)) in targets.iter_mut().zip(sums).enumerate() {
                        *y = sum + bias.get(first.wrapping_add(index)).copied().unwrap_or(0.0);
                    }
                };
                convolve::<Real, USES>(shape.way(), geometry, inputs, finish);
            });
        }
        Numerics::Integer => {
            let scaling = Scaling::new(task.program, &record, &task.target);
            let Scaling { bias, multipliers, shift, zero, element } = scaling;
            let (program, siblings) = (task.program, core::mem::take(&mut task.siblings));
            let mut is_gathered = false;
            with_inputs(task, |shape, geometry, inputs, output| match shape.way() {
                Way::Gathered if uses::<USES>(Way::Gathered) => {
                    is_gathered = true;
                    let first = Part::new(geometry, inputs, scaling, output);
                    siblings::convolve(program, &shape.extent, geometry, first, siblings);
                }
                #[cfg(feature = "cortex-m4")]
                Way::Channelwise if uses::<USES>(Way::Channelwise) => {
                    channelwise::convolve(geometry, inputs, &scaling, elements_mut(output));
                }
                way => with_output!(USES, OperationKind::Convolution, element, Y => {
                    let finish: Finish<'_, i32> = &mut |position, first, sums| {
                        let targets = pixel::<Y>(output, position, channels, first);
                        let bias = bias.get(first..).unwrap_or(&[]);
                        scale(targets, sums, bias, multipliers.get(first..).unwrap_or(&[]), shift, zero);
                    };
                    convolve::<Whole, USES>(way, geometry, inputs, finish);
                }),
            });
            task.siblings = siblings;
            task.has_done_siblings |= is_gathered;
        }
    }
}

/// Whether the kernels of a way to convolve are built.
#[inline(always)]
const fn uses<const USES: u64>(way: Way) -> bool {
    Uses::from_bits(USES).has(Use::Convolution(way))
}

/// `y = saturate(zero + rescale(sum + bias))`
#[inline(never)]
fn scale<Y: Integer>(targets: &mut [Y], sums: &[i32], bias: &[i32], multipliers: &[i32], shift: u8, zero: i32) {
    // Verified to be below 32, so this is the left shift of the rescale.
    let factor = 1_i32.wrapping_shl(shift.into());
    for ((y, &sum), (&bias, &multiplier)) in targets.iter_mut().zip(sums).zip(bias.iter().zip(multipliers)) {
        keep_rolled();
        let value = rescale(sum.wrapping_add(bias).wrapping_mul(factor), multiplier, 0);
        *y = Y::saturate(zero.wrapping_add(value));
    }
}

/// The channels of one output position from channel `first` on.
#[inline(always)]
fn pixel<T: Pod>(output: &mut [u8], position: usize, channels: usize, first: usize) -> &mut [T] {
    let start = position.wrapping_mul(channels);
    let range = start.wrapping_add(first)..start.wrapping_add(channels);
    elements_mut::<T>(output).get_mut(range).unwrap_or(&mut [])
}

/// Calls `then` with everything about a convolution, its operands and the output's bytes.
#[inline(always)]
fn with_inputs<V: Pod>(task: &mut Task<'_>, then: impl FnOnce(&Shape, &Geometry, &[Input<'_, V>], &mut [u8])) {
    let Some(first) = task.operand(0) else { return };
    let record = task.record;
    let geometry = Geometry {
        rows: Axis::rows(&first.buffer, &record),
        columns: Axis::columns(&first.buffer, &record),
        height: task.target.height as usize,
        width: task.target.width as usize,
        outputs: task.target.channels as usize,
        groups: record.groups.into(),
        packing: task.packing(),
    };
    let empty = Input { values: &[], weights: &[], channels: 0, zero_point: 0 };
    let mut inputs: [Input<'_, V>; MAXIMUM_CONVOLUTION_OPERANDS] = [empty; MAXIMUM_CONVOLUTION_OPERANDS];
    let mut extent = Extent::new(geometry.rows, geometry.columns, geometry.width);
    for (index, input) in inputs.iter_mut().enumerate() {
        let Some(operand) = task.operand(index) else { break };
        let channels = operand.buffer.channels as usize;
        let length = geometry.packing.length(geometry.weight_shape(channels)).unwrap_or(0);
        *input = Input {
            values: elements(operand.bytes),
            weights: task.constant(operand.weights, length),
            channels,
            zero_point: operand.buffer.zero_point,
        };
        extent = extent.with(channels);
    }
    let inputs = inputs.get(..usize::from(record.operand_count)).unwrap_or(&[]);
    let shape = Shape {
        packing: geometry.packing,
        groups: geometry.groups,
        extent,
        #[cfg(feature = "cortex-m4")]
        shift: record.first_shift,
        element: task.target.element,
    };
    then(&shape, &geometry, inputs, task.output);
}

/// The ways that give sums.
#[inline(always)]
fn convolve<A: Arithmetic, const USES: u64>(
    way: Way,
    geometry: &Geometry,
    inputs: &[Input<'_, A::Value>],
    finish: Finish<'_, A::Sum>,
) {
    match way {
        Way::Interleaved if uses::<USES>(Way::Interleaved) => A::interleaved(geometry, inputs, finish),
        Way::Depthwise if uses::<USES>(Way::Depthwise) => depthwise::convolve::<A>(geometry, inputs, finish),
        Way::General if uses::<USES>(Way::General) => general::convolve::<A>(geometry, inputs, finish),
        #[cfg(feature = "cortex-m4")]
        Way::Channelwise => {}
        Way::Gathered | Way::Interleaved | Way::Depthwise | Way::General => {}
    }
}
