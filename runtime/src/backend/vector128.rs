//! The backend for vectors of 128 bits.

use super::vector_backend;
use crate::kernels;
use crate::kernels::vector128::{BuiltFor, convolution};

/// Computes with NEON on AArch64, with its dot products where the build has them (`-C target-cpu`, or
/// `-C target-feature=+dotprod`), and with the SIMD instructions of WebAssembly in a build with
/// `-C target-feature=+simd128`.
///
/// Programs with weights packed for these (`convrnn-export program --target aarch64` or `--target wasm`) are
/// computed fastest; convolutions in any other packing are left to the portable kernels, but for depthwise ones.
/// Integer results are those of [`super::Portable`], to the bit. f32 results of one operation may differ from
/// them in the last places, since functions are computed by other polynomials and, on AArch64, products are not
/// rounded before they are added: by no more than 1e-5 times the largest magnitude of the tensor, or 1e-5 if
/// that is below one, where weights and operands are finite.
///
/// A convolution needs up to 160 KiB of stack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vector128;

vector_backend!(Vector128, convolution::run, self => BuiltFor);
