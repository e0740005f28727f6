//! Convolution over weights with 16 output channels side by side.
//!
//! [`bytes`] (AVX-512 VNNI) or [`words`] (AVX2) computes integers and [`real`] f32, of the bands that
//! [`crate::kernels::vectors::convolution`] lays out, or f32 of the map itself. Each keeps the sums of a few positions by some
//! tens of output channels in registers over the whole window.

mod bytes;
mod integer;
mod real;
mod words;

use super::level::Available;
use crate::kernels::vectors::convolution::depthwise;
use crate::task::Task;
use convrnn_format::Numerics;

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
pub(crate) fn run(task: &mut Task<'_>, level: Available) -> bool {
    if depthwise::run(task, level) {
        return true;
    }
    match task.numerics() {
        Numerics::Real => real::run(task, level),
        Numerics::Integer => integer::run(task, level),
    }
}
