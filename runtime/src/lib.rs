//! Steps a ConvRNN in real time: no operating system, no allocator, no panic path.
//!
//! ```text
//! static PROGRAM: BuiltIn = convrnn_runtime::include_program!("net.crnn");  // verified by the compiler
//! static ARENA: Arena<{ convrnn_runtime::arena_length(PROGRAM.bytes()) }> = Arena::new();
//!
//! let mut session = Session::built_in(PROGRAM, arena.as_mut_slice())?;
//! session.present(Frame::Bytes(&pixels))?;                          // when the camera has one
//! session.step();                                                   // every 10 ms; cannot fail
//! session.logits_raw();
//! ```
//!
//! A [`Session`] holds a verified program and the arena it works in. Programs that come from elsewhere are verified by
//! [`Session::new`]. Any bytes are safe to load: a torn or hostile program is refused with a [`LoadError`], and after
//! loading nothing can fail.
//! A [`Backend`] computes the operations; [`Portable`] does so on any machine, [`Host`] is the fastest
//! one there is for the machine at hand, and every backend gives the same integers.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("programs are read in place and are little endian");

pub mod arena;
pub mod backend;
mod beginning;
mod execution;
pub mod frame;
pub mod include;
pub mod kernels;
pub mod parallel;
#[cfg(feature = "protocol")]
pub mod protocol;
pub mod readout;
pub mod session;
pub mod skipping;
pub mod snapshot;
pub mod task;
#[cfg(feature = "threads")]
mod threads;
pub mod uses;
pub mod view;

pub use arena::Arena;
#[cfg(all(feature = "cortex-m55", target_arch = "arm"))]
pub use backend::Helium;
pub use backend::{Backend, Host, Portable, Progress};
pub use convrnn_format as format;
pub use convrnn_format::{
    BuiltIn, LoadError, LoadErrorKind, Numerics, Plan, Program, Skipping, arena_length, assert_fits,
};
pub use frame::{Frame, FrameError};
pub use include::Aligned;
pub use parallel::{LayerTask, LayerTasks};
pub use readout::{Decision, Readout, Rule};
pub use session::{LayerProgress, Session};
pub use skipping::Work;
pub use snapshot::SnapshotError;
pub use task::Task;
pub use uses::Uses;
pub use view::{LengthError, Logits, Tensor};
