//! Finding whole and undamaged messages in a stream of bytes.

use super::Envelope;
use super::framing::open;
use serde::Deserialize;

/// What a decoder has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages accepted.
    pub accepted: u32,
    /// Frames with a broken code or a wrong CRC.
    pub damaged: u32,
    /// Frames longer than the buffer.
    pub overlong: u32,
    /// Undamaged frames that hold no message of this version.
    pub unknown: u32,
    /// Sequence numbers that never came.
    pub lost: u32,
}

impl Counters {
    /// Frames that were not accepted.
    pub fn refused(&self) -> u32 {
        self.damaged.saturating_add(self.overlong).saturating_add(self.unknown)
    }
}

/// Takes bytes one by one and gives messages. A frame that is damaged or too long is dropped; at the
/// next zero byte the decoder starts afresh.
#[derive(Debug)]
pub struct Decoder<'b> {
    buffer: &'b mut [u8],
    length: usize,
    overflow: bool,
    next_sequence: Option<u32>,
    counters: Counters,
}

impl<'b> Decoder<'b> {
    /// A decoder for frames of up to `buffer.len()` encoded bytes.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0, overflow: false, next_sequence: None, counters: Counters::default() }
    }

    /// What has been seen so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes one byte; gives a message if it ends one.
    pub fn push<'s, M: Deserialize<'s>>(&'s mut self, byte: u8) -> Option<Envelope<M>> {
        if byte != 0 {
            match self.buffer.get_mut(self.length) {
                Some(slot) => {
                    *slot = byte;
                    self.length = self.length.saturating_add(1);
                }
                None => self.overflow = true,
            }
            return None;
        }
        let (length, overflow) = (self.length, self.overflow);
        (self.length, self.overflow) = (0, false);
        if overflow {
            count(&mut self.counters.overlong);
            return None;
        }
        // Zeros between frames are no frames.
        let frame = self.buffer.get_mut(..length).filter(|frame| !frame.is_empty())?;
        let Some(payload) = open(frame) else {
            count(&mut self.counters.damaged);
            return None;
        };
        let message = postcard::take_from_bytes::<Envelope<M>>(payload);
        let Some((envelope, [])) = message.ok() else {
            count(&mut self.counters.unknown);
            return None;
        };
        count(&mut self.counters.accepted);
        if let Some(expected) = self.next_sequence {
            let lost = envelope.sequence.wrapping_sub(expected);
            // A jump backwards is a sender that started anew.
            if lost < u32::MAX / 2 {
                self.counters.lost = self.counters.lost.saturating_add(lost);
            }
        }
        self.next_sequence = Some(envelope.sequence.wrapping_add(1));
        Some(envelope)
    }
}

fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
