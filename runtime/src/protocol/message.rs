//! The messages.

use serde::{Deserialize, Serialize};

/// A message with its number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// Counts the sender's messages from 0, wrapping.
    pub sequence: u32,
    /// The message.
    pub message: M,
}

/// What the host asks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// Who are you?
    Hello,
    /// Set all states to zero.
    Reset {
        /// Chosen by the host, repeated in the answer.
        id: u32,
    },
    /// Part of a frame that is presented later.
    Chunk {
        /// Chosen by the host, repeated in the answer.
        id: u32,
        /// First byte within the frame.
        offset: u32,
        /// Raw pixels in height, width, channel order.
        pixels: &'a [u8],
    },
    /// Show a frame and step.
    Present {
        /// Chosen by the host, repeated in the answers.
        id: u32,
        /// Steps to compute.
        steps: u16,
        /// Steps with the frame on show; the blank follows.
        image_steps: u16,
        /// Whether to set all states to zero before.
        reset: bool,
        /// Raw pixels in height, width, channel order; none to show what chunks have brought.
        pixels: &'a [u8],
    },
    /// How are you?
    Report,
}

/// What the device answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer<'a> {
    /// To [`Request::Hello`].
    Program(ProgramInfo),
    /// To [`Request::Reset`] and [`Request::Chunk`].
    Received {
        /// Of the request.
        id: u32,
        /// Of the chunk; 0 for a reset.
        offset: u32,
    },
    /// After each step of a [`Request::Present`].
    Step(#[serde(borrow)] StepResult<'a>),
    /// To [`Request::Report`].
    Report(Report),
    /// To a request that cannot be met.
    Error {
        /// Why not.
        kind: ErrorKind,
        /// A number that goes with the kind.
        detail: u32,
    },
}

/// What the device runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramInfo {
    /// [`super::PROTOCOL_VERSION`]
    pub protocol: u16,
    /// CRC of the program.
    pub crc: u32,
    /// Channels, rows and columns of the frame.
    pub frame: [u16; 3],
    /// Number of classes.
    pub classes: u16,
    /// Whether the arithmetic is int8.
    pub is_integer: bool,
    /// Real value of one integer step of the scores; 1 for f32.
    pub score_scale: f32,
    /// Bytes of the arena.
    pub arena: u32,
    /// First step whose scores can depend on the image; 0 if none.
    pub first_image_step: u32,
    /// Time between steps in microseconds.
    pub tick_microseconds: u32,
    /// Largest framed message that the device can take.
    pub receive_buffer: u32,
}

impl ProgramInfo {
    /// What a session says of itself; the tick and the receive buffer are the firmware's.
    pub fn of<B: crate::Backend>(session: &crate::Session<'_, '_, B>) -> Self {
        let program = session.program();
        let prelude = program.prelude();
        let frame = program.buffer(prelude.frame_buffer).unwrap_or_default();
        let logits = program.buffer(prelude.logits_buffer).unwrap_or_default();
        Self {
            protocol: super::PROTOCOL_VERSION,
            crc: prelude.crc,
            frame: [frame.channels as u16, frame.height as u16, frame.width as u16],
            classes: logits.channels as u16,
            is_integer: program.numerics() == crate::Numerics::Integer,
            score_scale: logits.scale,
            arena: prelude.arena_length,
            first_image_step: prelude.first_image_step,
            tick_microseconds: 0,
            receive_buffer: 0,
        }
    }
}

/// The class scores of one step, little endian.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Scores<'a> {
    /// Two bytes a class.
    I16(&'a [u8]),
    /// Four bytes a class.
    F32(&'a [u8]),
}

impl<'a> Scores<'a> {
    /// The scores of a session.
    pub fn of<B: crate::Backend>(session: &'a crate::Session<'_, '_, B>) -> Self {
        match session.logits_raw() {
            crate::Logits::Real(values) => Scores::F32(bytemuck::try_cast_slice(values).unwrap_or(&[])),
            crate::Logits::Integer { values, .. } => Scores::I16(bytemuck::try_cast_slice(values).unwrap_or(&[])),
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        match self {
            Scores::I16(bytes) => bytes.len() / 2,
            Scores::F32(bytes) => bytes.len() / 4,
        }
    }

    /// The real score of a class; `scale` is [`ProgramInfo::score_scale`].
    pub fn real(&self, class: usize, scale: f32) -> Option<f32> {
        match self {
            Scores::I16(bytes) => {
                let (values, _) = bytes.as_chunks::<2>();
                values.get(class).map(|&value| f32::from(i16::from_le_bytes(value)) * scale)
            }
            Scores::F32(bytes) => {
                let (values, _) = bytes.as_chunks::<4>();
                values.get(class).map(|&value| f32::from_le_bytes(value))
            }
        }
    }
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult<'a> {
    /// Of the request.
    pub id: u32,
    /// Steps since the last reset, from 1.
    pub step: u32,
    /// Class scores.
    #[serde(borrow)]
    pub scores: Scores<'a>,
    /// [`crate::Session::logits_crc`]
    pub logits_crc: u32,
    /// [`crate::Session::states_crc`]
    pub states_crc: u32,
    /// Ticks of the device's clock when the step began.
    pub tick: u32,
    /// Time of the step in the device's units, of which [`Report::units_per_second`] says the
    /// length.
    pub elapsed: u32,
    /// Deadlines missed since the device started.
    pub missed: u32,
}

/// The device's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Most bytes of stack used so far.
    pub peak_stack: u32,
    /// Bytes of stack there are.
    pub stack: u32,
    /// Bytes of the arena.
    pub arena: u32,
    /// Bytes of flash: code, constants and the program.
    pub flash: u32,
    /// Bytes of static data, the arena included.
    pub static_memory: u32,
    /// Steps since the device started.
    pub steps: u32,
    /// Deadlines missed since the device started.
    pub missed: u32,
    /// Longest step, in the device's units.
    pub longest_step: u32,
    /// Units a second.
    pub units_per_second: u32,
    /// Messages accepted.
    pub accepted: u32,
    /// Frames refused.
    pub refused: u32,
    /// Times that bytes arrived faster than they were taken.
    pub overruns: u32,
    /// Answers that were dropped because the line was busy for too long.
    pub dropped: u32,
}

/// Why a request cannot be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The frame has another length; the detail is the length expected.
    FrameLength,
    /// A chunk passes the end of the frame; the detail is the frame's length.
    ChunkBounds,
    /// The program cannot be loaded; the detail is the number of the load error's kind.
    Load,
    /// The device is computing; the detail is the id it works on.
    Busy,
    /// The program has no table for raw pixels.
    NoTable,
}
