//! Kernels of whole operations for processors with the DSP extension (Cortex-M4, M7, M33): the portable ones' bits.
//!
//! Inner loops are assembly; each has a twin in plain Rust, which takes what is left over after whole turns, and all of it
//! on other machines, where tests run the rest of the kernel.

#[cfg(target_arch = "arm")]
pub(crate) mod blend;
pub(crate) mod gated_sum;
pub(crate) mod gates;
#[cfg(target_arch = "arm")]
pub(crate) mod maximum;
#[cfg(target_arch = "arm")]
pub(crate) mod mean;
pub(crate) mod narrow;
