//! QEMU's mps2-an500, a Cortex-M7 at 25 MHz, with the memory map of the mps2-an386 and linked for the same [`memory`]:
//! everything else is in `convrnn-firmware-common`.
#![no_std]

#[path = "../../mps2-an386/src/memory.rs"]
pub mod memory;

pub use convrnn_firmware_common::*;
