//! Kernels for x86-64.
//!
//! [`level`] says which instructions there are; each kernel takes that as proof. Integers are those
//! of the portable kernels, to the bit. What a kernel here cannot do it leaves alone and says so.
//! [`dispatch`] compiles one text for both widths of vectors ([`integers`], [`floats`]); convolutions
//! are written for each.

pub mod activation;
mod avx2;
mod avx512;
pub mod convolution;
mod dispatch;
pub mod elementwise;
mod floats;
pub mod gated_sum;
mod integers;
pub mod level;
pub mod lookup;
mod pixel;
pub mod pool;
pub mod resize;
mod vectors;
