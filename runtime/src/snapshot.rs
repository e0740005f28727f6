//! Saving and restoring the states between steps.
//!
//! A snapshot is the program's CRC, the number of steps since the reset (both u32, little endian)
//! and the state buffers in the graph's order.

use crate::arena::isolate;
use crate::backend::Backend;
use crate::session::Session;
use core::fmt;

const HEADER: usize = 8;

/// A snapshot that cannot be taken or restored. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// A buffer or a snapshot of another length.
    Length {
        /// Bytes of a snapshot of this program.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A snapshot of another program.
    Program {
        /// CRC of this program.
        expected: u32,
        /// CRC of the snapshot's program.
        found: u32,
    },
    /// A step has begun and not ended: snapshots are taken between steps only.
    WithinStep,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Length { expected, found } => {
                write!(formatter, "the snapshot has {found} bytes, expected {expected}")
            }
            SnapshotError::Program { expected, found } => {
                write!(formatter, "the snapshot is of program {found:08x}, expected {expected:08x}")
            }
            SnapshotError::WithinStep => formatter.write_str("a step has begun: finish it before taking a snapshot"),
        }
    }
}

impl core::error::Error for SnapshotError {}

impl<B: Backend> Session<'_, '_, B> {
    /// Bytes of a snapshot.
    pub fn snapshot_length(&self) -> usize {
        self.program.state_bytes().saturating_add(HEADER)
    }

    /// Writes the states to `bytes`, whose length is [`Self::snapshot_length`].
    pub fn snapshot(&self, bytes: &mut [u8]) -> Result<(), SnapshotError> {
        self.check_between_steps()?;
        self.check_length(bytes.len())?;
        let header = self.program.prelude().crc.to_le_bytes().into_iter().chain(self.steps.to_le_bytes());
        let states = self.program.states().filter_map(|state| self.program.buffer(state.buffer));
        let states = states.flat_map(|buffer| self.arena.get(buffer.range()).unwrap_or(&[])).copied();
        for (target, source) in bytes.iter_mut().zip(header.chain(states)) {
            *target = source;
        }
        Ok(())
    }

    /// Sets the states to those of a snapshot; the frame on show stays.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.check_between_steps()?;
        self.check_length(bytes.len())?;
        let (crc, rest) = split_word(bytes);
        let (steps, mut rest) = split_word(rest);
        let expected = self.program.prelude().crc;
        if crc != expected {
            return Err(SnapshotError::Program { expected, found: crc });
        }
        for state in self.program.states() {
            let Some(buffer) = self.program.buffer(state.buffer) else { continue };
            let Some((target, _)) = isolate(self.arena, &buffer) else { continue };
            let (source, after) = rest.split_at_checked(target.len()).unwrap_or((rest, &[]));
            for (target, source) in target.iter_mut().zip(source) {
                *target = *source;
            }
            rest = after;
        }
        self.steps = steps;
        self.forget();
        Ok(())
    }

    fn check_length(&self, found: usize) -> Result<(), SnapshotError> {
        let expected = self.snapshot_length();
        if found == expected { Ok(()) } else { Err(SnapshotError::Length { expected, found }) }
    }

    fn check_between_steps(&self) -> Result<(), SnapshotError> {
        if self.is_within_step() { Err(SnapshotError::WithinStep) } else { Ok(()) }
    }
}

fn split_word(bytes: &[u8]) -> (u32, &[u8]) {
    match bytes.split_first_chunk::<4>() {
        Some((word, rest)) => (u32::from_le_bytes(*word), rest),
        None => (0, bytes),
    }
}
