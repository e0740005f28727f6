//! Programs one after the other.

use crate::both::{Both, Difference, fold};
use crate::random::Random;
use convrnn_runtime::format::Element;
use convrnn_runtime::task::elements;
use convrnn_runtime::{Backend, Frame, LoadError, Numerics, Session};

/// Steps of each program. Before every other one all states are overwritten, so that one operation is computed of new
/// numbers and a network of states that it made itself.
pub const STEPS: u32 = 4;

/// Why a collection ended early. Programs count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The collection's bytes end within this program.
    Torn {
        /// The program.
        program: u32,
    },
    /// The program does not load, or needs a larger arena.
    Load {
        /// The program.
        program: u32,
        /// Why.
        error: LoadError,
    },
    /// A tensor does not fit the scratch memory.
    Scratch {
        /// The program.
        program: u32,
        /// Bytes of the tensor.
        bytes: u32,
    },
    /// The backends differ.
    Difference {
        /// The program.
        program: u32,
        /// Where.
        difference: Difference,
    },
}

/// Runs programs and keeps count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runner {
    programs: u32,
    checksum: u32,
}

impl Runner {
    /// Before the first program.
    pub fn new() -> Self {
        Self::default()
    }

    /// Programs so far.
    pub fn programs(&self) -> u32 {
        self.programs
    }

    /// Of everything so far: for each program in turn the checksum that [`Runner::run`] gives is folded in, see
    /// [`crate::both::fold`].
    pub fn checksum(&self) -> u32 {
        self.checksum
    }

    /// Runs a program; gives the checksum of everything that the portable backend computed in it: of each operation's
    /// output, and after each step of the states and of the logits. The contents of frames and states depend on the
    /// number of programs before it.
    pub fn run<B: Backend>(
        &mut self,
        program: &[u8],
        arena: &mut [u8],
        scratch: &mut [u8],
        backend: B,
    ) -> Result<u32, Failure> {
        let index = self.programs;
        let third = scratch.len() / 3;
        let (tensor, outputs) = scratch.split_at_mut_checked(third).unwrap_or((&mut [], &mut []));
        let (before, found) = outputs.split_at_mut_checked(third).unwrap_or((&mut [], &mut []));
        let both = Both::new(backend, before, found);
        let mut session =
            Session::with_backend(program, arena, both).map_err(|error| Failure::Load { program: index, error })?;
        let mut random = Random::new(index);
        let mut checksum = 0;
        for step in 0..STEPS {
            let filled = if step % 2 == 0 { fill_states(&mut session, &mut random, tensor) } else { Ok(()) };
            filled
                .and_then(|()| fill_frame(&mut session, &mut random, tensor))
                .map_err(|bytes| Failure::Scratch { program: index, bytes })?;
            session.step();
            checksum = fold(fold(checksum, session.states_crc()), session.logits_crc());
        }
        let both = session.backend();
        if both.missing() > 0 {
            return Err(Failure::Scratch { program: index, bytes: both.missing() });
        }
        if let Some(difference) = both.difference() {
            return Err(Failure::Difference { program: index, difference });
        }
        checksum = fold(checksum, both.checksum());
        self.checksum = fold(self.checksum, checksum);
        self.programs = index.wrapping_add(1);
        Ok(checksum)
    }
}

/// Overwrites all states; fails with the size of one that does not fit.
fn fill_states<B: Backend>(
    session: &mut Session<'_, '_, B>,
    random: &mut Random,
    tensor: &mut [u8],
) -> Result<(), u32> {
    let program = *session.program();
    for (index, state) in program.states().enumerate() {
        let Some(buffer) = program.buffer(state.buffer) else { continue };
        let bytes = tensor.get_mut(..buffer.length as usize).ok_or(buffer.length)?;
        random.fill(Element::from_byte(buffer.element).unwrap_or(Element::I8), bytes);
        session.write_state(index, bytes).map_err(|_| buffer.length)?;
    }
    Ok(())
}

/// Shows a new frame, past the table of the program; fails with the size of one that does not fit.
pub(crate) fn fill_frame<B: Backend>(
    session: &mut Session<'_, '_, B>,
    random: &mut Random,
    tensor: &mut [u8],
) -> Result<(), u32> {
    let program = session.program();
    let Some(buffer) = program.buffer(program.prelude().frame_buffer) else { return Ok(()) };
    let numerics = program.numerics();
    let bytes = tensor.get_mut(..buffer.length as usize).ok_or(buffer.length)?;
    random.fill(Element::from_byte(buffer.element).unwrap_or(Element::I8), bytes);
    let frame = match numerics {
        Numerics::Integer => Frame::Quantized(elements(bytes)),
        Numerics::Real => Frame::Real(elements(bytes)),
    };
    session.present(frame).map_err(|_| buffer.length)
}
