//! The host's side of the stream to a device: frames out, class scores of every step back, compared
//! with the host's own run of the same program.

mod client;
mod expected;
mod link;
mod replay;

pub use client::{Client, Shown, Timing};
pub use expected::{Expected, HostStep};
pub use link::{Answered, Damage, Link, StepScores, Transport, open};
pub use replay::{Difference, Images, LineCounters, Observed, Summary, best, replay};

use convrnn_runtime::protocol::{ErrorKind, PROTOCOL_VERSION};

/// A stream that cannot go on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StreamError {
    #[error("cannot open {address}: {message}")]
    Open { address: String, message: String },
    #[error("{address} is not an address: expected tcp:HOST:PORT or the path of a serial device")]
    Address { address: String },
    #[error("the line to the device failed: {0}")]
    Line(#[from] std::io::Error),
    #[error("the device closed the connection")]
    Closed,
    #[error("no answer from the device to {request} after {attempts} attempts: is it running, at this speed?")]
    Silent { request: &'static str, attempts: u32 },
    #[error(
        "the device speaks protocol version {0}, expected {PROTOCOL_VERSION}: build firmware and convrnn-export from \
         one version"
    )]
    Protocol(u16),
    #[error("the device answers {kind:?} (detail {detail})")]
    Refused { kind: ErrorKind, detail: u32 },
    #[error("the frame has {found} bytes, the device expects {expected}")]
    FrameLength { found: usize, expected: usize },
    #[error("the device runs another program: its CRC is {device:08x}, the file's {file:08x}")]
    OtherProgram { device: u32, file: u32 },
    #[error("the program cannot be run on the host: {0}")]
    Host(#[from] crate::program::RunError),
    #[error("a message does not fit into {0} bytes")]
    MessageLength(usize),
}
