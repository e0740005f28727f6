//! Portable kernels, one family of operations a file.
//!
//! All of them are plain safe Rust without a panic path: slices are cut with `get`, and what
//! verification has excluded would compute nothing.

pub mod activation;
pub mod convolution;
#[cfg(feature = "cortex-m4")]
pub(crate) mod dsp;
pub mod elementwise;
pub mod gated_sum;
#[cfg(all(feature = "cortex-m55", target_arch = "arm"))]
pub mod helium;
pub mod integer;
pub mod lookup;
pub mod pool;
pub mod rescale;
pub mod resize;
#[cfg(any(
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub mod vector128;
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub mod vectors;
pub mod window;
#[cfg(target_arch = "x86_64")]
pub mod x86;

use convrnn_format::{LoadError, LoadErrorKind, Numerics, Program};

/// The arithmetic of a program that [`supports`] has let through: where only one is built in, the
/// compiler drops the code of the other.
#[inline(always)]
pub(crate) const fn built(numerics: Numerics) -> Numerics {
    match (cfg!(feature = "real"), cfg!(feature = "integer")) {
        (true, true) | (false, false) => numerics,
        (true, false) => Numerics::Real,
        (false, true) => Numerics::Integer,
    }
}

/// Whether the kernels were built with the arithmetic of a program (features `real`, `integer`).
pub fn supports(program: &Program<'_>) -> Result<(), LoadError> {
    let numerics = program.numerics();
    let built = match numerics {
        Numerics::Real => cfg!(feature = "real"),
        Numerics::Integer => cfg!(feature = "integer"),
    };
    if built { Ok(()) } else { Err(LoadError::new(LoadErrorKind::Backend, numerics.to_byte().into())) }
}
