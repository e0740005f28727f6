//! Answers on their way to the host. They wait here while the line is busy, so that sending never delays a step.

use convrnn_runtime::protocol::{Answer, Envelope, MESSAGE_OVERHEAD, encode, framed_length};
use heapless::Deque;

use crate::registers;

/// Longest framed answer: a step with the scores of 256 classes.
const ANSWER_BYTES: usize = framed_length(MESSAGE_OVERHEAD + 2 * 256);

/// Bytes that can wait.
const QUEUE_BYTES: usize = 4096;

/// Framed answers, numbered from 0.
pub struct Outbox {
    queue: Deque<u8, QUEUE_BYTES>,
    sequence: u32,
    dropped: u32,
}

impl Outbox {
    /// Nothing to send.
    pub const fn new() -> Self {
        Self { queue: Deque::new(), sequence: 0, dropped: 0 }
    }

    /// Queues an answer. One that finds no room is dropped whole; its number is used up, so the host sees the gap.
    pub fn put(&mut self, message: &Answer<'_>) {
        let envelope = Envelope { sequence: self.sequence, message: *message };
        self.sequence = self.sequence.wrapping_add(1);
        let mut buffer = [0; ANSWER_BYTES];
        match encode(&envelope, &mut buffer) {
            Ok(frame) if frame.len() <= QUEUE_BYTES.saturating_sub(self.queue.len()) => {
                for &byte in frame {
                    // Cannot fail: there is room.
                    let _ = self.queue.push_back(byte);
                }
            }
            Ok(_) | Err(_) => self.dropped = self.dropped.saturating_add(1),
        }
    }

    /// Answers that were dropped.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Sends what the transmitter takes now.
    pub fn send_waiting(&mut self) {
        while let Some(&byte) = self.queue.front() {
            if !registers::uart_send(byte) {
                return;
            }
            let _ = self.queue.pop_front();
        }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}
