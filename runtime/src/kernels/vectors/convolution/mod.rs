//! What convolutions over weights with 16 output channels side by side have in common, and those of one
//! channel in and out.
//!
//! [`job`] checks every length and [`band`] lays out the input, a part of the map at a time, in
//! scratch memory on the stack; [`real`] computes f32 from it, or from the map itself where [`outside`]
//! can tell what to leave out, and a processor's own kernels compute integers, which [`scale`] says how
//! to turn into outputs. [`depthwise`] needs none of these.

pub(crate) mod band;
pub(crate) mod depthwise;
pub(crate) mod job;
mod outside;
mod products;
pub(crate) mod real;
pub(crate) mod scale;
