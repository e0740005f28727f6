//! Kernels for Arm's M-profile vector extension (Helium), one family of operations a file.
//!
//! Each `run` says whether it computed the operation: what it is not made for, the portable kernel computes. The inner loops
//! are functions of assembly alone, which are given everything they need in one record and so have all registers to
//! themselves; the Rust around them checks every length before it calls one.

/// The body of a function of assembly alone. It names the processor, since the assembler looks at such functions before it
/// is told what the module is compiled for.
macro_rules! helium_asm {
    ($($argument:tt)*) => {
        core::arch::naked_asm!(".cpu cortex-m55", $($argument)*)
    };
}

pub mod convolution;
pub mod elementwise;
pub mod gated_sum;
pub mod lookup;
pub mod pool;
pub mod resize;
