//! `cargo xtask setup`: everything that cargo does not fetch by itself.

mod cache;
mod libtorch;
mod link;
mod onnxruntime;
mod packages;
mod wheel;

use anyhow::Result;

/// Puts everything in place, and says on standard error what was chosen. What is there already is kept.
pub fn run() -> Result<()> {
    // Packages first: libtorch needs a C++ compiler.
    packages::ensure()?;
    libtorch::ensure()?;
    onnxruntime::ensure()
}
