//! Vectors and convolutions of x86-64.
//!
//! [`level`] says which instructions there are; each kernel takes that as proof. Integers are those
//! of the portable kernels, to the bit. What a kernel here cannot do it leaves alone and says so.
//! [`dispatch`] compiles the kernels of [`super::vectors`] for both widths of vectors ([`integers`],
//! [`floats`]); convolutions are written for each.

mod avx2;
mod avx512;
pub mod convolution;
mod dispatch;
mod floats;
mod integers;
pub mod level;
