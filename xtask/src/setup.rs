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
    libraries()?;
    packages()
}

/// What the build of the programs needs: a C++ compiler, libtorch, ONNX Runtime.
pub fn libraries() -> Result<()> {
    packages::ensure_compiler();
    libtorch::ensure()?;
    onnxruntime::ensure()
}

/// What firmware and the other processors need: compilers, QEMU, Node.
pub fn packages() -> Result<()> {
    packages::ensure()
}
