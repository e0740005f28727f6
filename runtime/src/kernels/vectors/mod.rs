//! Kernels over vectors of any width.
//!
//! A processor says how long its vectors are and what is done with them ([`integers`], [`floats`]), and
//! compiles the kernels for its instructions ([`machine`]); these are written once. Integers are those
//! of the portable kernels, to the bit. What a kernel here cannot do it leaves alone and says so.

pub mod activation;
pub mod convolution;
pub mod elementwise;
pub(crate) mod floats;
pub mod gated_sum;
pub(crate) mod integers;
pub mod lookup;
pub(crate) mod machine;
mod pixel;
pub mod pool;
pub mod resize;
mod tensors;
