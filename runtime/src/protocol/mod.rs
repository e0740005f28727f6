//! The stream between a host and a device: who says what, and how it is framed on a serial line.
//!
//! A frame is `0x00`, COBS of (postcard of an [`Envelope`], CRC-32/ISO-HDLC little endian), `0x00`.
//! No encoded frame holds a zero byte, so a receiver that has lost its way is right again at the
//! next one, and the CRC keeps damaged frames out. Sequence numbers show what was lost.
//!
//! The host asks, the device answers: [`Request::Hello`] with [`Answer::Program`];
//! [`Request::Present`] with `steps` times [`Answer::Step`]; [`Request::Chunk`], by which a long
//! frame can be sent over a bad line piece by piece, with [`Answer::Received`]; [`Request::Report`]
//! with [`Answer::Report`]; [`Request::Reset`] with [`Answer::Received`]. What cannot be done is
//! answered with [`Answer::Error`].

mod decoder;
mod framing;
mod message;

pub use decoder::{Counters, Decoder};
pub use message::{Answer, Envelope, ErrorKind, ProgramInfo, Report, Request, Scores, StepResult};

use serde::Serialize;

/// Version of the messages and the framing.
pub const PROTOCOL_VERSION: u16 = 1;

/// Bytes that framing adds at most to a payload of `length` bytes: three zeros and COBS's own byte,
/// one byte in 254, and the CRC.
pub const fn framed_length(length: usize) -> usize {
    length + length / 254 + 12
}

/// Bytes of a message without its pixels or scores, at most.
pub const MESSAGE_OVERHEAD: usize = 64;

/// A message that does not fit its buffer; see [`framed_length`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferTooSmall;

impl core::fmt::Display for BufferTooSmall {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("the message does not fit into the buffer")
    }
}

impl core::error::Error for BufferTooSmall {}

/// Writes a framed message to the start of `buffer` and gives the bytes to send.
pub fn encode<'b, M: Serialize>(envelope: &Envelope<M>, buffer: &'b mut [u8]) -> Result<&'b [u8], BufferTooSmall> {
    let framing = framing::Framing::new(buffer).map_err(|_| BufferTooSmall)?;
    postcard::serialize_with_flavor(envelope, framing).map_err(|_| BufferTooSmall)
}
