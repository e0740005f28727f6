//! Kernels for x86-64.
//!
//! [`level`] says which instructions there are; each kernel takes that as proof. Integers are those
//! of the portable kernels, to the bit. What a kernel here cannot do it leaves alone and says so.

mod avx2;
mod avx512;
pub mod convolution;
mod floats;
pub mod level;
