//! Vectors of 128 bits: NEON of AArch64, SIMD of WebAssembly.
//!
//! [`neon`] and [`wasm`] say the same things with the instructions of each. Elementwise kernels work on
//! two vectors of four at a time ([`integers`], [`floats`]), as the texts of [`super::vectors`] want them;
//! [`convolution`] has a loop of its own.

pub mod convolution;
mod floats;
mod integers;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "wasm32")]
mod wasm;

use super::vectors::machine::{Kernel, Machine};
use floats::Reals;
use integers::Wholes;
#[cfg(target_arch = "aarch64")]
use neon as instructions;
#[cfg(target_arch = "wasm32")]
use wasm as instructions;

/// The instructions that this is built for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BuiltFor;

impl Machine for BuiltFor {
    #[inline(always)]
    #[allow(unsafe_code)]
    fn dispatch(self, kernel: impl Kernel) -> bool {
        // SAFETY: this module is there only where the instructions are.
        unsafe { kernel.run::<Wholes, Reals>() };
        true
    }
}
