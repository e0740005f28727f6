//! Convolution over weights with 16 output channels side by side.
//!
//! [`job`] checks every length and [`band`] lays out the input, a part of the map at a time, in
//! scratch memory on the stack; then [`bytes`] (AVX-512 VNNI) or [`words`] (AVX2) computes integers
//! and [`real`] f32. Each keeps the sums of a few positions by some tens of output channels in
//! registers over the whole window.

mod band;
mod bytes;
mod depthwise;
mod integer;
mod job;
mod real;
mod words;

use super::level::Available;
use crate::task::Task;
use convrnn_format::Numerics;

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
pub fn run(task: &mut Task<'_>, level: Available) -> bool {
    if depthwise::run(task, level) {
        return true;
    }
    match task.numerics() {
        Numerics::Real => real::run(task, level),
        Numerics::Integer => integer::run(task, level),
    }
}
