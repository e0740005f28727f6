//! QEMU's mps2-an521, two Cortex-M33 of an SSE-200 at 20 MHz ([`memory`], [`cores`]): everything else is in
//! `convrnn-firmware-common`.
//!
//! The first core has neither floating point nor the DSP extension, so both run the same plain code.
#![no_std]

pub mod cores;
pub mod memory;

pub use convrnn_firmware_common::*;
