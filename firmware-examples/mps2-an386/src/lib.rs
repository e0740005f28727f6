//! QEMU's mps2-an386, a Cortex-M4F at 25 MHz, linked for the memory of a common part ([`memory`]): everything else is in
//! `convrnn-firmware-common`.
#![no_std]

pub mod memory;

pub use convrnn_firmware_common::*;
