//! Showing images to a device over a line that may lose and damage bytes.

use super::StreamError;
use super::link::{Answered, Link, StepScores};
use convrnn_graph::Presentation;
use convrnn_runtime::protocol::{
    ErrorKind, MESSAGE_OVERHEAD, PROTOCOL_VERSION, ProgramInfo, Report, Request, framed_length,
};
use std::time::{Duration, Instant};

/// Attempts before a device counts as silent.
const ATTEMPTS: u32 = 50;
/// Pixels of a chunk on a damaged line: short messages come through more often.
const SHORT_CHUNK: usize = 24;
/// Pixels of a chunk on a good line.
const LONG_CHUNK: usize = 512;
/// An answer may take so many times the usual round trip before it counts as lost.
const PATIENCE: u32 = 4;
/// A step may take so many ticks before it counts as lost.
const LATE_TICKS: u32 = 8;
/// However quick the line: what the host's scheduler may take.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// At most, for an answer before the request is sent again, and for the next step's scores before
    /// they count as lost. A line that has proved to be quicker is waited for less.
    pub answer: Duration,
}

/// What came of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// Steps whose scores arrived, in order.
    pub steps: Vec<StepScores>,
    /// Requests sent again.
    pub resent: u32,
}

/// Talks to a device.
pub struct Client<'b> {
    link: Link<'b>,
    info: ProgramInfo,
    timing: Timing,
    /// Usual time from a request to its answer, once there has been one.
    round_trip: Option<Duration>,
    next_id: u32,
    /// Frames the host had refused when the last step arrived.
    refused_before_step: u32,
}

impl<'b> Client<'b> {
    /// Asks the device who it is, until it answers.
    pub fn connect(mut link: Link<'b>, timing: Timing) -> Result<Self, StreamError> {
        for _ in 0..ATTEMPTS {
            link.send(Request::Hello, 0)?;
            let deadline = Instant::now() + timing.answer;
            while let Some(answer) = link.receive(deadline)? {
                if let Answered::Program(info) = answer {
                    if info.protocol != PROTOCOL_VERSION {
                        return Err(StreamError::Protocol(info.protocol));
                    }
                    link.set_score_scale(info.score_scale);
                    return Ok(Self { link, info, timing, round_trip: None, next_id: 1, refused_before_step: 0 });
                }
            }
        }
        Err(StreamError::Silent { request: "hello", attempts: ATTEMPTS })
    }

    /// What the device runs.
    pub fn info(&self) -> &ProgramInfo {
        &self.info
    }

    /// The line.
    pub fn link(&self) -> &Link<'b> {
        &self.link
    }

    /// Frames the host had refused when the last step arrived: above 0, the stream went on after one.
    pub fn refused_before_step(&self) -> u32 {
        self.refused_before_step
    }

    /// Shows an image from zero states and calls `each` with the scores of every step that arrives.
    pub fn show(
        &mut self,
        pixels: &[u8],
        presentation: &Presentation,
        mut each: impl FnMut(&StepScores),
    ) -> Result<Shown, StreamError> {
        let expected = self.info.frame.iter().map(|&side| usize::from(side)).product();
        if pixels.len() != expected {
            return Err(StreamError::FrameLength { found: pixels.len(), expected });
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut shown = Shown::default();
        let receive_buffer = self.info.receive_buffer as usize;
        let fits = |length: usize| receive_buffer == 0 || framed_length(length + MESSAGE_OVERHEAD) <= receive_buffer;
        let in_one = !self.link.is_damaged() && fits(pixels.len());
        if !in_one {
            let chunk = if self.link.is_damaged() { SHORT_CHUNK } else { LONG_CHUNK };
            let largest = (1..=chunk).rev().find(|&length| fits(length)).unwrap_or(1);
            for (index, part) in pixels.chunks(largest).enumerate() {
                shown.resent += self.send_chunk(id, (index * largest) as u32, part)?;
            }
        }
        let request = Request::Present {
            id,
            steps: presentation.steps as u16,
            image_steps: presentation.image_steps as u16,
            reset: true,
            pixels: if in_one { pixels } else { &[] },
        };
        for attempt in 0..ATTEMPTS {
            shown.resent += u32::from(attempt > 0);
            self.link.send(request, if in_one { pixels.len() } else { 0 })?;
            self.collect(id, presentation.steps as u32, &mut shown.steps, &mut each)?;
            // A request sent again starts afresh by its reset, so its answers can be compared as well.
            if !shown.steps.is_empty() {
                return Ok(shown);
            }
        }
        Err(StreamError::Silent { request: "an image", attempts: ATTEMPTS })
    }

    /// Sends part of a frame until the device says it has come. Gives how often it was sent again.
    fn send_chunk(&mut self, id: u32, offset: u32, pixels: &[u8]) -> Result<u32, StreamError> {
        for attempt in 0..ATTEMPTS {
            self.link.send(Request::Chunk { id, offset, pixels }, pixels.len())?;
            let sent = Instant::now();
            let deadline = sent + self.answer_wait(Duration::ZERO);
            while let Some(answer) = self.link.receive(deadline)? {
                match answer {
                    Answered::Received { id: received, offset: at } if (received, at) == (id, offset) => {
                        let taken = sent.elapsed();
                        self.round_trip = Some(self.round_trip.map_or(taken, |usual| (usual * 7 + taken) / 8));
                        return Ok(attempt);
                    }
                    Answered::Error { kind, detail } => refused(kind, detail)?,
                    Answered::Received { .. } | Answered::Program(_) | Answered::Step(_) | Answered::Report(_) => {}
                }
            }
        }
        Err(StreamError::Silent { request: "part of an image", attempts: ATTEMPTS })
    }

    /// How long to wait for an answer that takes `work` to compute.
    fn answer_wait(&self, work: Duration) -> Duration {
        let usual = self.round_trip.map(|usual| (usual * PATIENCE + work).max(SHORTEST_WAIT));
        usual.map_or(self.timing.answer, |wait| wait.min(self.timing.answer))
    }

    /// Takes scores until the last step's have come or none come any more.
    fn collect(
        &mut self,
        id: u32,
        last: u32,
        steps: &mut Vec<StepScores>,
        each: &mut impl FnMut(&StepScores),
    ) -> Result<(), StreamError> {
        let wait = self.answer_wait(Duration::from_micros(self.info.tick_microseconds.into()) * LATE_TICKS);
        let mut deadline = Instant::now() + wait;
        while let Some(answer) = self.link.receive(deadline)? {
            match answer {
                Answered::Step(step) if step.id == id => {
                    deadline = Instant::now() + wait;
                    let is_last = step.step == last;
                    self.refused_before_step = self.link.refused();
                    each(&step);
                    steps.push(step);
                    if is_last {
                        return Ok(());
                    }
                }
                Answered::Error { kind, detail } => refused(kind, detail)?,
                Answered::Step(_) | Answered::Program(_) | Answered::Received { .. } | Answered::Report(_) => {}
            }
        }
        Ok(())
    }

    /// The device's health.
    pub fn report(&mut self) -> Result<Report, StreamError> {
        for _ in 0..ATTEMPTS {
            self.link.send(Request::Report, 0)?;
            let deadline = Instant::now() + self.timing.answer;
            while let Some(answer) = self.link.receive(deadline)? {
                if let Answered::Report(report) = answer {
                    return Ok(report);
                }
            }
        }
        Err(StreamError::Silent { request: "a report", attempts: ATTEMPTS })
    }
}

/// A device that is still computing is asked again; anything else ends the stream.
fn refused(kind: ErrorKind, detail: u32) -> Result<(), StreamError> {
    match kind {
        ErrorKind::Busy => Ok(()),
        ErrorKind::FrameLength | ErrorKind::ChunkBounds | ErrorKind::Load | ErrorKind::NoTable => {
            Err(StreamError::Refused { kind, detail })
        }
    }
}
