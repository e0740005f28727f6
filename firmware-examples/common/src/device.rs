//! What the stream's device does: takes requests between steps, computes a step at a tick, answers.
//!
//! Nothing here but [`Session`] computes, in the integers that the program defines, and requests are taken between
//! steps only. So scores and states of step n after a reset depend on the program and on the frames that were on show
//! in steps 1 to n, and on nothing else; each answer says whose frame that was. A host that runs the same file gets the
//! same bits, whatever the timing was.

use convrnn_runtime::{
    Backend, Frame, FrameError, Session,
    protocol::{Answer, ErrorKind, ProgramInfo, Report, Request, Scores, StepResult},
};

use crate::{machine::CORE_HZ, outbox::Outbox, tick};

/// Largest frame that can be sent in pieces.
pub const STAGED_BYTES: usize = 4096;

/// A presentation under way.
#[derive(Clone, Copy)]
struct Presentation {
    id: u32,
    /// Steps still to come.
    steps: u16,
    /// Steps still to come with the frame on show.
    image_steps: u16,
}

/// What a request is answered with.
#[derive(Clone, Copy)]
pub enum Reply {
    /// Nothing now: steps follow, or the request was the report's and the caller answers.
    Silence,
    /// The program.
    Program,
    /// The report, for which the caller adds what the device does not know.
    Report,
    /// Done.
    Received {
        /// Of the request.
        id: u32,
        /// Of the chunk.
        offset: u32,
    },
    /// Refused.
    Error {
        /// Why.
        kind: ErrorKind,
        /// What goes with it.
        detail: u32,
    },
}

/// A network at work.
pub struct Device<'program, 'memory, B: Backend> {
    session: Session<'program, 'memory, B>,
    staged: &'memory mut [u8; STAGED_BYTES],
    presentation: Option<Presentation>,
    steps: u32,
    missed: u32,
    longest_step: u32,
}

impl<'program, 'memory, B: Backend> Device<'program, 'memory, B> {
    /// A device at rest.
    pub fn new(session: Session<'program, 'memory, B>, staged: &'memory mut [u8; STAGED_BYTES]) -> Self {
        Self { session, staged, presentation: None, steps: 0, missed: 0, longest_step: 0 }
    }

    /// The program, for a host that asks.
    pub fn program(&self) -> ProgramInfo {
        ProgramInfo { tick_microseconds: tick::STEP_MILLISECONDS * 1000, ..ProgramInfo::of(&self.session) }
    }

    /// The steps so far. Stack, memory and line are the caller's to fill in.
    pub fn report(&self) -> Report {
        Report {
            arena: self.session.program().prelude().arena_length,
            steps: self.steps,
            missed: self.missed,
            longest_step: self.longest_step,
            units_per_second: CORE_HZ,
            ..Report::default()
        }
    }

    /// Takes a request. A presentation that arrives while another runs takes its place at the next tick: the newest
    /// frame is what a camera shows.
    pub fn take(&mut self, request: &Request<'_>) -> Reply {
        match *request {
            Request::Hello => Reply::Program,
            Request::Report => Reply::Report,
            Request::Reset { id } => {
                self.presentation = None;
                self.session.reset();
                Reply::Received { id, offset: 0 }
            }
            Request::Chunk { id, offset, pixels } => self.stage(id, offset, pixels),
            Request::Present { id, steps, image_steps, reset, pixels } => {
                let shown = if pixels.is_empty() {
                    let length = frame_length(&self.session);
                    let staged = self.staged.get(..length).unwrap_or(&[]);
                    self.session.present(Frame::Bytes(staged))
                } else {
                    self.session.present(Frame::Bytes(pixels))
                };
                if let Err(error) = shown {
                    return refusal(error);
                }
                if reset {
                    self.session.reset();
                }
                self.presentation = (steps > 0).then_some(Presentation { id, steps, image_steps });
                Reply::Silence
            }
        }
    }

    fn stage(&mut self, id: u32, offset: u32, pixels: &[u8]) -> Reply {
        let length = frame_length(&self.session);
        let start = offset as usize;
        let target =
            self.staged.get_mut(..length).and_then(|frame| frame.get_mut(start..start.checked_add(pixels.len())?));
        let Some(target) = target else {
            return Reply::Error { kind: ErrorKind::ChunkBounds, detail: length.min(STAGED_BYTES) as u32 };
        };
        for (target, &pixel) in target.iter_mut().zip(pixels) {
            *target = pixel;
        }
        Reply::Received { id, offset }
    }

    /// Computes the step of a tick, if there is one to compute, and queues its answer. A deadline is missed for every
    /// tick that comes before the answer is queued.
    pub fn step(&mut self, outbox: &mut Outbox) {
        let Some(mut presentation) = self.presentation else {
            return;
        };
        let begin = tick::moment();
        if presentation.image_steps == 0 {
            self.session.present_blank();
        }
        self.session.step();
        let elapsed = tick::moment().cycles_since(begin);
        self.steps = self.steps.saturating_add(1);
        self.longest_step = self.longest_step.max(elapsed);
        outbox.put(&Answer::Step(StepResult {
            id: presentation.id,
            step: self.session.steps(),
            scores: Scores::of(&self.session),
            logits_crc: self.session.logits_crc(),
            states_crc: self.session.states_crc(),
            tick: begin.ticks,
            elapsed,
            missed: self.missed,
        }));
        let late = tick::now().wrapping_sub(begin.ticks);
        self.missed = self.missed.saturating_add(late);
        presentation.image_steps = presentation.image_steps.saturating_sub(1);
        presentation.steps = presentation.steps.saturating_sub(1);
        self.presentation = (presentation.steps > 0).then_some(presentation);
    }
}

/// Bytes of a frame of raw pixels.
fn frame_length<B: Backend>(session: &Session<'_, '_, B>) -> usize {
    let program = session.program();
    let frame = program.buffer(program.prelude().frame_buffer);
    frame.map_or(0, |frame| frame.elements())
}

fn refusal(error: FrameError) -> Reply {
    let (kind, detail) = match error {
        FrameError::Length { expected, .. } => (ErrorKind::FrameLength, expected as u32),
        FrameError::Numerics | FrameError::NoTable => (ErrorKind::NoTable, 0),
    };
    Reply::Error { kind, detail }
}
