//! A line to a device: bytes over TCP or a serial port, damaged on purpose where asked for.

use super::StreamError;
use convrnn_runtime::protocol::{
    Answer, Counters, Decoder, Envelope, ErrorKind, ProgramInfo, Report, Request, Scores, encode, framed_length,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long one read may block.
const READ: Duration = Duration::from_millis(5);
/// Time between attempts to connect.
const RETRY: Duration = Duration::from_millis(100);

/// Something bytes can be sent over.
pub trait Transport: Read + Write + Send {}

impl<T: Read + Write + Send> Transport for T {}

/// Opens `tcp:HOST:PORT` or a serial device. While nothing is there yet, tries again until `wait` has
/// passed; an error that waiting does not mend is given at once.
pub fn open(address: &str, baud: u32, wait: Duration) -> Result<Box<dyn Transport>, StreamError> {
    let start = Instant::now();
    loop {
        let opened = match address.strip_prefix("tcp:") {
            Some(host) if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => open_tcp(host),
            Some(_) => return Err(StreamError::Address { address: address.into() }),
            None => open_serial(address, baud),
        };
        match opened {
            Ok(transport) => return Ok(transport),
            Err(error) if !may_pass(error.kind()) || start.elapsed() >= wait => {
                return Err(StreamError::Open { address: address.into(), message: error.to_string() });
            }
            Err(_) => std::thread::sleep(RETRY),
        }
    }
}

/// Whether an address may open later: a device that is still starting or not plugged in yet.
fn may_pass(kind: IoErrorKind) -> bool {
    matches!(kind, IoErrorKind::ConnectionRefused | IoErrorKind::TimedOut | IoErrorKind::NotFound)
}

fn open_tcp(host: &str) -> std::io::Result<Box<dyn Transport>> {
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ))?;
    Ok(Box::new(stream))
}

#[cfg(feature = "serial")]
fn open_serial(path: &str, baud: u32) -> std::io::Result<Box<dyn Transport>> {
    Ok(Box::new(serialport::new(path, baud).timeout(READ).open()?))
}

#[cfg(not(feature = "serial"))]
fn open_serial(path: &str, _baud: u32) -> std::io::Result<Box<dyn Transport>> {
    let message = format!(
        "this program was built without serial ports; build it with `cargo build -p convrnn-export --features serial`, or \
         reach {path} over tcp:HOST:PORT"
    );
    Err(std::io::Error::new(IoErrorKind::Unsupported, message))
}

/// Flips a bit of one byte in so many, in both directions, as a bad line would.
#[derive(Clone, Debug)]
pub struct Damage {
    one_in: u32,
    random: ChaCha8Rng,
    /// Bytes damaged so far.
    pub damaged: u64,
}

impl Damage {
    /// One byte in `one_in` on average; the seed decides which.
    pub fn new(one_in: u32, seed: u64) -> Self {
        Self { one_in: one_in.max(1), random: ChaCha8Rng::seed_from_u64(seed), damaged: 0 }
    }

    fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.random.random_range(0..self.one_in) == 0 {
                *byte ^= 1 << self.random.random_range(0..8);
                self.damaged += 1;
            }
        }
    }
}

/// An answer that owns its scores.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// What the device runs.
    Program(ProgramInfo),
    /// A chunk or a reset has arrived.
    Received {
        /// Of the request.
        id: u32,
        /// Of the chunk.
        offset: u32,
    },
    /// A step has ended.
    Step(StepScores),
    /// The device's health.
    Report(Report),
    /// A request cannot be met.
    Error {
        /// Why not.
        kind: ErrorKind,
        /// A number that goes with the kind.
        detail: u32,
    },
}

/// The class scores of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepScores {
    /// Of the request.
    pub id: u32,
    /// From 1.
    pub step: u32,
    /// Real class scores.
    pub scores: Vec<f32>,
    /// CRC of the logits as they lie on the device.
    pub logits_crc: u32,
    /// CRC of all states.
    pub states_crc: u32,
    /// Ticks of the device's clock when the step began.
    pub tick: u32,
    /// Time of the step in the device's units.
    pub elapsed: u32,
    /// Deadlines missed since the device started.
    pub missed: u32,
}

/// Sends requests and takes answers.
pub struct Link<'b> {
    transport: Box<dyn Transport>,
    decoder: Decoder<'b>,
    damage: Option<Damage>,
    sequence: u32,
    pending: Vec<u8>,
    taken: usize,
    score_scale: f32,
}

impl<'b> Link<'b> {
    /// Over an open transport; `buffer` must hold the longest answer.
    pub fn new(transport: Box<dyn Transport>, buffer: &'b mut [u8], damage: Option<Damage>) -> Self {
        let decoder = Decoder::new(buffer);
        Self { transport, decoder, damage, sequence: 0, pending: Vec::new(), taken: 0, score_scale: 1.0 }
    }

    /// What integer scores are multiplied with from now on.
    pub fn set_score_scale(&mut self, scale: f32) {
        self.score_scale = scale;
    }

    /// What the decoder has seen.
    pub fn counters(&self) -> Counters {
        self.decoder.counters()
    }

    /// Frames refused so far, whatever was wrong with them.
    pub fn refused(&self) -> u32 {
        let counters = self.decoder.counters();
        counters.damaged.saturating_add(counters.overlong).saturating_add(counters.unknown)
    }

    /// Whether the line is damaged on purpose.
    pub fn is_damaged(&self) -> bool {
        self.damage.is_some()
    }

    /// Bytes damaged on purpose so far.
    pub fn damaged_bytes(&self) -> u64 {
        self.damage.as_ref().map_or(0, |damage| damage.damaged)
    }

    /// Sends a request. `payload` bounds the length of its pixels.
    pub fn send(&mut self, message: Request<'_>, payload: usize) -> Result<(), StreamError> {
        let length = framed_length(payload + convrnn_runtime::protocol::MESSAGE_OVERHEAD);
        let mut buffer = vec![0; length];
        let envelope = Envelope { sequence: self.sequence, message };
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = encode(&envelope, &mut buffer).map_err(|_| StreamError::MessageLength(length))?.to_vec();
        if let Some(damage) = &mut self.damage {
            damage.apply(&mut bytes);
        }
        self.transport.write_all(&bytes)?;
        self.transport.flush()?;
        Ok(())
    }

    /// The next undamaged answer, or none until the deadline.
    pub fn receive(&mut self, deadline: Instant) -> Result<Option<Answered>, StreamError> {
        loop {
            while let Some(&byte) = self.pending.get(self.taken) {
                self.taken += 1;
                if let Some(envelope) = self.decoder.push::<Answer<'_>>(byte) {
                    return Ok(Some(owned(envelope.message, self.score_scale)));
                }
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), StreamError> {
        let mut bytes = [0; 1024];
        match self.transport.read(&mut bytes) {
            Ok(0) => Err(StreamError::Closed),
            Ok(count) => {
                if let Some(damage) = &mut self.damage {
                    damage.apply(&mut bytes[..count]);
                }
                self.pending.clear();
                self.pending.extend_from_slice(&bytes[..count]);
                self.taken = 0;
                Ok(())
            }
            Err(error) => match error.kind() {
                IoErrorKind::WouldBlock | IoErrorKind::TimedOut | IoErrorKind::Interrupted => Ok(()),
                _ => Err(error.into()),
            },
        }
    }
}

fn owned(answer: Answer<'_>, scale: f32) -> Answered {
    match answer {
        Answer::Program(info) => Answered::Program(info),
        Answer::Received { id, offset } => Answered::Received { id, offset },
        Answer::Step(step) => {
            let scores = real(&step.scores, scale);
            let (id, number, tick, elapsed, missed) = (step.id, step.step, step.tick, step.elapsed, step.missed);
            let (logits_crc, states_crc) = (step.logits_crc, step.states_crc);
            Answered::Step(StepScores { id, step: number, scores, logits_crc, states_crc, tick, elapsed, missed })
        }
        Answer::Report(report) => Answered::Report(report),
        Answer::Error { kind, detail } => Answered::Error { kind, detail },
    }
}

fn real(scores: &Scores<'_>, scale: f32) -> Vec<f32> {
    (0..scores.classes()).filter_map(|class| scores.real(class, scale)).collect()
}
