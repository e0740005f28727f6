//! The backend for x86-64.

use super::vector_backend;
use crate::kernels;
use crate::kernels::x86;
use crate::kernels::x86::level::{Available, Level};

/// Computes with AVX2 or AVX-512 VNNI where the processor has them. With the feature `std` the
/// processor is asked when the backend is made; without it, the build's target features count.
///
/// Programs with weights packed for x86-64 (`convrnn-export program --target x86-64`) are computed
/// fastest; convolutions in any other packing are left to the portable kernels. Integer results
/// are those of [`super::Portable`], to the bit. f32 results of one operation may differ from them in
/// the last places, since products are not rounded before they are added and functions are computed
/// by other polynomials: by no more than 1e-5 times the largest magnitude of the tensor, or 1e-5 if
/// that is below one, where weights and operands are finite.
///
/// A convolution needs up to 160 KiB of stack.
#[derive(Clone, Copy, Debug)]
pub struct X86 {
    level: Available,
}

impl X86 {
    /// With the best instructions there are.
    pub fn new() -> Self {
        Self { level: Available::best() }
    }

    /// With the instructions of a level; none if the processor lacks them.
    pub fn with_level(level: Level) -> Option<Self> {
        Available::level(level).map(|level| Self { level })
    }

    /// The instructions in use.
    pub fn level(&self) -> Level {
        self.level.get()
    }
}

impl Default for X86 {
    fn default() -> Self {
        Self::new()
    }
}

vector_backend!(X86, x86::convolution::run, self => self.level);
