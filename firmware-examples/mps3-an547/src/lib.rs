//! QEMU's mps3-an547, a Cortex-M55 with Helium at 32 MHz ([`memory`]): everything else is in `convrnn-firmware-common`.
#![no_std]

pub mod memory;

pub use convrnn_firmware_common::*;
