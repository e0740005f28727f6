//! Shows a device new frames while it steps, as a camera does, and compares every step with the host's run of the
//! program: a frame that arrives during a step is on show from the next tick on, and the states go on.
//!
//! `cargo run -p convrnn-export --example camera_stream -- net.crnn tcp:127.0.0.1:PORT`

use convrnn_export::program::AlignedBytes;
use convrnn_export::stream::{Answered, Expected, Link, StepScores, open};
use convrnn_runtime::protocol::{ProgramInfo, Request};
use convrnn_runtime::{Frame, Session, arena_length};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Frames that the camera takes.
const FRAMES: u32 = 12;
/// Answers to a frame before the next one comes; others are on their way then.
const ANSWERS: usize = 5;
/// More steps than there will be: each frame stays on show until the next one.
const HELD: u16 = u16::MAX;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, address] = arguments.as_slice() else {
        eprintln!("usage: camera_stream FILE.crnn tcp:HOST:PORT");
        return ExitCode::from(2);
    };
    match run(program, address) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &str, address: &str) -> Result<String, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let program = AlignedBytes::copy_of(&bytes);
    let mut buffer = vec![0; 16 * 1024];
    let mut link = Link::new(open(address, 115_200, PATIENCE)?, &mut buffer, None);
    link.send(Request::Hello, 0)?;
    let info = hello(&mut link)?;
    Expected::new(&program)?.check(info.crc)?;
    link.set_score_scale(info.score_scale);
    let size = info.frame.iter().map(|&side| usize::from(side)).product();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(|_| (0..size).map(|_| random.random()).collect()).collect();
    let answers = record(&mut link, &frames)?;
    compare(&program, &frames, &answers)
}

fn hello(link: &mut Link<'_>) -> Result<ProgramInfo, Box<dyn Error>> {
    match link.receive(Instant::now() + PATIENCE)? {
        Some(Answered::Program(info)) => Ok(info),
        other => Err(format!("the device answers {other:?} to hello").into()),
    }
}

/// Sends each frame while the one before is being stepped, and ends the stream with a reset.
fn record(link: &mut Link<'_>, frames: &[Vec<u8>]) -> Result<Vec<StepScores>, Box<dyn Error>> {
    let mut answers = Vec::new();
    for (id, pixels) in (0..).zip(frames) {
        let request = Request::Present { id, steps: HELD, image_steps: HELD, reset: id == 0, pixels };
        link.send(request, pixels.len())?;
        let mut own = 0;
        while own < ANSWERS {
            match link.receive(Instant::now() + PATIENCE)? {
                Some(Answered::Step(step)) => {
                    own += usize::from(step.id == id);
                    answers.push(step);
                }
                other => return Err(format!("the device answers {other:?} to frame {id}").into()),
            }
        }
    }
    link.send(Request::Reset { id: FRAMES }, 0)?;
    loop {
        match link.receive(Instant::now() + PATIENCE)? {
            Some(Answered::Step(step)) => answers.push(step),
            Some(Answered::Received { id: FRAMES, .. }) => return Ok(answers),
            other => return Err(format!("the device answers {other:?} to a reset").into()),
        }
    }
}

/// Replays the answers' frames, in their order, on the host.
fn compare(program: &AlignedBytes, frames: &[Vec<u8>], answers: &[StepScores]) -> Result<String, Box<dyn Error>> {
    let mut arena = AlignedBytes::zeroed(arena_length(program));
    let mut session = Session::new(program, &mut arena)?;
    let mut shown = None;
    for (index, answer) in answers.iter().enumerate() {
        if shown != Some(answer.id) {
            let pixels = frames.get(answer.id as usize).ok_or(format!("no frame has the number {}", answer.id))?;
            session.present(Frame::Bytes(pixels))?;
            shown = Some(answer.id);
        }
        session.step();
        let step = session.steps();
        let host = (step, session.logits_crc(), session.states_crc());
        let device = (answer.step, answer.logits_crc, answer.states_crc);
        if device != host {
            return Err(format!("step {step}: the device answers {device:x?}, the host {host:x?}").into());
        }
        let ticks = index.checked_sub(1).map_or(1, |before| answer.tick.wrapping_sub(answers[before].tick));
        if ticks != 1 {
            return Err(format!("step {step} came {ticks} ticks after the one before, expected 1").into());
        }
    }
    let steps = answers.len();
    Ok(format!("{FRAMES} frames shown while stepping, {steps} steps in as many ticks, every one the host's to the bit"))
}
