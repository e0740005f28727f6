//! What the device must answer: the host's run of the same program.

use super::StreamError;
use super::link::StepScores;
use crate::program::{AlignedBytes, RunError};
use convrnn_graph::Presentation;
use convrnn_runtime::{Frame, Program, Session, arena_length};

/// One step on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostStep {
    /// Real class scores.
    pub scores: Vec<f32>,
    /// CRC of the logits.
    pub logits_crc: u32,
    /// CRC of all states.
    pub states_crc: u32,
}

impl HostStep {
    /// What differs on the device, if anything.
    pub fn difference(&self, device: &StepScores) -> Option<&'static str> {
        let same_bits = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
        let same_scores =
            self.scores.len() == device.scores.len() && self.scores.iter().zip(&device.scores).all(same_bits);
        match (same_scores, self.logits_crc == device.logits_crc, self.states_crc == device.states_crc) {
            (false, _, _) => Some("class scores"),
            (true, false, _) => Some("CRC of the logits"),
            (true, true, false) => Some("CRC of the states"),
            (true, true, true) => None,
        }
    }
}

/// A program on the host.
pub struct Expected<'a> {
    program: &'a AlignedBytes,
    arena: AlignedBytes,
    crc: u32,
}

impl<'a> Expected<'a> {
    /// Loads a program.
    pub fn new(program: &'a AlignedBytes) -> Result<Self, StreamError> {
        let verified = Program::new_checked(program).map_err(RunError::from)?;
        Ok(Self { program, arena: AlignedBytes::zeroed(arena_length(program)), crc: verified.prelude().crc })
    }

    /// Verifies that the device runs this program.
    pub fn check(&self, device: u32) -> Result<(), StreamError> {
        match device == self.crc {
            true => Ok(()),
            false => Err(StreamError::OtherProgram { device, file: self.crc }),
        }
    }

    /// Every step of a presentation of raw pixels, from zero states.
    pub fn run(&mut self, pixels: &[u8], presentation: &Presentation) -> Result<Vec<HostStep>, StreamError> {
        let mut session = Session::new(self.program, &mut self.arena).map_err(RunError::from)?;
        session.present(Frame::Bytes(pixels)).map_err(RunError::from)?;
        let mut steps = Vec::with_capacity(presentation.steps);
        for step in 1..=presentation.steps {
            if step == presentation.image_steps + 1 {
                session.present_blank();
            }
            session.step();
            let logits = session.logits_raw();
            let scores = (0..logits.len()).filter_map(|class| logits.real(class)).collect();
            steps.push(HostStep { scores, logits_crc: session.logits_crc(), states_crc: session.states_crc() });
        }
        Ok(steps)
    }
}
