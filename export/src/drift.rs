//! Whether int8 drifts from f32 over a long stream: both programs run side by side, states carried over, and their logits
//! are compared at every step.

use crate::program::{AlignedBytes, ProgramReport};
use convrnn_runtime::{Frame, Host, Program, Session, arena_length};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Steps that are compared together.
pub const WINDOW: usize = 1000;

/// Windows that a program may be ahead of the other.
const AHEAD: usize = 4;

/// What is on show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// One frame, all the time.
    Held {
        /// Which.
        frame: usize,
    },
    /// Frames drawn at random, each for so many steps. The last window and what settles it show the frames of the first again.
    Changing {
        /// Steps of each frame.
        hold: usize,
        /// Names the order.
        seed: u64,
    },
}

/// Some steps that follow each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// The first step, from 1.
    pub from: u64,
    /// Steps.
    pub steps: u64,
    /// Root mean square of f32's logits: one that grows without end is of a network that is not stable over time.
    pub signal: f64,
    /// Root mean square of the differences of the logits over that of f32's logits.
    pub error: f64,
    /// Largest difference of a logit.
    pub largest: f64,
    /// Steps at which both give the largest logit to the same class.
    pub agreeing: u64,
}

/// What a stream showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// All windows.
    pub windows: Vec<Window>,
}

impl Drift {
    /// Steps in all.
    pub fn steps(&self) -> u64 {
        self.windows.iter().map(|window| window.steps).sum()
    }

    /// Percent of all steps at which both give the largest logit to the same class.
    pub fn agreement(&self) -> f64 {
        let agreeing: u64 = self.windows.iter().map(|window| window.agreeing).sum();
        100.0 * agreeing as f64 / self.steps().max(1) as f64
    }

    /// Error of the last window over that of the first.
    pub fn growth(&self) -> f64 {
        match (self.windows.first(), self.windows.last()) {
            (Some(first), Some(last)) => last.error / first.error.max(f64::MIN_POSITIVE),
            _ => 1.0,
        }
    }
}

/// A stream that cannot be run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DriftError {
    #[error("{program}: {message}")]
    Program { program: &'static str, message: String },
    #[error("there is no frame {frame}: there are {frames}, counted from 0")]
    NoFrame { frame: usize, frames: usize },
    #[error("frames have {found} bytes, expected {expected}")]
    Frame { found: usize, expected: usize },
}

/// How long a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Steps before those that are compared: in the first ones after a reset states are zero in both programs, so errors
    /// are smaller than they will ever be again.
    pub settle: u64,
    /// Steps that are compared.
    pub steps: u64,
}

impl Length {
    fn all(self) -> u64 {
        self.settle.saturating_add(self.steps)
    }
}

/// Runs both programs of a network over a stream of raw frames, `[height, width, channels]` each, from zero states, and
/// shows each window to an observer when it is done.
pub fn drift(
    real: &AlignedBytes,
    integer: &AlignedBytes,
    frames: &[Vec<u8>],
    stream: Stream,
    length: Length,
    mut observer: impl FnMut(&Window),
) -> Result<Drift, DriftError> {
    let frame = match stream {
        Stream::Held { frame } => frame,
        Stream::Changing { .. } => 0,
    };
    if frame >= frames.len() {
        return Err(DriftError::NoFrame { frame, frames: frames.len() });
    }
    std::thread::scope(|scope| {
        let run = |name: &'static str, program| {
            let (sender, receiver) = sync_channel(AHEAD);
            let thread = scope.spawn(move || play(name, program, frames, stream, length, &sender));
            (thread, receiver)
        };
        let (real, integer) = (run("f32 program", real), run("int8 program", integer));
        let windows = compare(&real.1, &integer.1, &mut observer);
        for (thread, receiver) in [real, integer] {
            // A program that still waits to be heard ends.
            drop(receiver);
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(Drift { windows })
    })
}

/// Runs one program and sends the logits of each window; ends early when nobody listens.
fn play(
    name: &'static str,
    program: &AlignedBytes,
    frames: &[Vec<u8>],
    stream: Stream,
    length: Length,
    windows: &SyncSender<Vec<Vec<f32>>>,
) -> Result<(), DriftError> {
    let failed = |error: &dyn std::fmt::Display| DriftError::Program { program: name, message: error.to_string() };
    let verified = Program::new_checked(program).map_err(|error| failed(&error))?;
    let [channels, height, width] = ProgramReport::new(&verified).frame;
    let expected = (channels * height * width) as usize;
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let session = Session::with_backend(program, &mut arena, Host::default());
    let mut session = session.map_err(|error| failed(&error))?;
    let mut schedule = Schedule::new(stream, frames.len(), length);
    let mut window = Vec::with_capacity(WINDOW);
    for step in 0..length.all() {
        if let Some(frame) = schedule.shown_at(step) {
            let frame = &frames[frame];
            if frame.len() != expected {
                return Err(DriftError::Frame { found: frame.len(), expected });
            }
            session.present(Frame::Bytes(frame)).map_err(|error| failed(&error))?;
        }
        session.step();
        if step < length.settle {
            continue;
        }
        let scores = session.logits_raw();
        window.push((0..scores.len()).filter_map(|class| scores.real(class)).collect());
        if window.len() == WINDOW || step + 1 == length.all() {
            let done = std::mem::replace(&mut window, Vec::with_capacity(WINDOW));
            if windows.send(done).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Which frame comes next, the same for both programs.
struct Schedule {
    stream: Stream,
    frames: usize,
    random: ChaCha8Rng,
    /// The step from which on frames are those of the start, until it is reached.
    again: Option<u64>,
}

impl Schedule {
    fn new(stream: Stream, frames: usize, length: Length) -> Self {
        let again = length.steps.checked_sub(WINDOW as u64);
        Self { stream, frames, random: draws(stream), again }
    }

    /// The frame that is new at a step, if one is.
    fn shown_at(&mut self, step: u64) -> Option<usize> {
        match self.stream {
            Stream::Held { frame } => (step == 0).then_some(frame),
            Stream::Changing { hold, .. } => {
                if !step.is_multiple_of(hold.max(1) as u64) {
                    return None;
                }
                if self.again.is_some_and(|again| step >= again) {
                    (self.random, self.again) = (draws(self.stream), None);
                }
                Some(self.random.random_range(0..self.frames))
            }
        }
    }
}

fn draws(stream: Stream) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(match stream {
        Stream::Held { .. } => 0,
        Stream::Changing { seed, .. } => seed,
    })
}

fn compare(
    real: &Receiver<Vec<Vec<f32>>>,
    integer: &Receiver<Vec<Vec<f32>>>,
    observer: &mut impl FnMut(&Window),
) -> Vec<Window> {
    let (mut windows, mut from) = (Vec::new(), 1);
    while let (Ok(expected), Ok(found)) = (real.recv(), integer.recv()) {
        let (mut signal, mut noise, mut largest, mut agreeing) = (0.0, 0.0, 0.0f64, 0);
        for (expected, found) in expected.iter().zip(&found) {
            for (&x, &y) in expected.iter().zip(found) {
                let difference = f64::from(y) - f64::from(x);
                signal += f64::from(x).powi(2);
                noise += difference.powi(2);
                largest = largest.max(difference.abs());
            }
            agreeing += u64::from(class(expected) == class(found));
        }
        let steps = expected.len() as u64;
        let error = (noise / signal.max(f64::MIN_POSITIVE)).sqrt();
        let logits: usize = expected.iter().map(Vec::len).sum();
        let signal = (signal / logits.max(1) as f64).sqrt();
        let window = Window { from, steps, signal, error, largest, agreeing };
        from += steps;
        observer(&window);
        windows.push(window);
    }
    windows
}

/// The first class with the highest score.
fn class(scores: &[f32]) -> Option<usize> {
    scores.iter().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_held_and_drawn_the_same_way_twice() {
        let stream = Stream::Changing { hold: 4, seed: 7 };
        let draw = || {
            let mut schedule = Schedule::new(stream, 10, Length { settle: 0, steps: 400 });
            (0..400).filter_map(|step| schedule.shown_at(step)).collect::<Vec<_>>()
        };
        let drawn = draw();
        assert_eq!((drawn.len(), draw()), (100, drawn.clone()));
        assert!(drawn.iter().all(|&frame| frame < 10) && (0..10).all(|frame| drawn.contains(&frame)));
        for (settle, steps) in [(0, 5000), (400, 4600)] {
            let length = Length { settle, steps };
            let mut long = Schedule::new(stream, 10, length);
            let long: Vec<usize> = (0..length.all()).filter_map(|step| long.shown_at(step)).collect();
            let same = (settle as usize + WINDOW) / 4;
            assert_eq!(
                long[..same],
                long[1250 - same..],
                "the last window and what settles it show what the first did"
            );
            assert_ne!(long[..same], long[same..2 * same]);
        }
        let mut held = Schedule::new(Stream::Held { frame: 3 }, 10, Length { settle: 0, steps: 50 });
        assert_eq!((0..50).filter_map(|step| held.shown_at(step)).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn windows_hold_what_was_sent() {
        let channel = || sync_channel(2);
        let ((real, heard_real), (integer, heard_integer)) = (channel(), channel());
        real.send(vec![vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        integer.send(vec![vec![1.0, 0.5], vec![2.0, 1.0]]).unwrap();
        drop((real, integer));
        let windows = compare(&heard_real, &heard_integer, &mut |_| {});
        let signal = 0.5f64.sqrt();
        let expected =
            Window { from: 1, steps: 2, signal, error: ((0.25 + 4.0) / 2.0f64).sqrt(), largest: 2.0, agreeing: 1 };
        assert_eq!(windows, [expected]);
        assert_eq!(Drift { windows }.agreement(), 50.0);
    }
}
