//! A program at work.

use crate::arena::isolate;
use crate::backend::{Backend, Portable};
use crate::execution::{Memory, run, run_layer};
use crate::skipping::{FrameAge, Work};
use crate::task::elements;
use crate::view::{LengthError, Logits, Tensor};
use convrnn_format::{
    ALIGNMENT, BufferRecord, BuiltIn, LayerRecord, LoadError, LoadErrorKind, Numerics, Program, crc32,
};

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerProgress {
    /// More layers are to come in this step.
    Within,
    /// The step has ended: states are committed, logits are those of this step.
    Ended,
}

/// A verified program, the arena it works in and the backend that computes.
///
/// Between steps the arena holds the states after the last step, the frame on show and the last
/// step's logits.
#[derive(Debug)]
pub struct Session<'program, 'arena, B: Backend = Portable> {
    pub(crate) program: Program<'program>,
    pub(crate) arena: &'arena mut [u8],
    backend: B,
    next_layer: usize,
    pub(crate) steps: u32,
    /// The step being computed, counted from 1, as far as layers begin by it.
    pub(crate) step_number: u32,
    pub(crate) is_skipping: bool,
    /// Whether a state was written from outside in the step that has begun.
    pub(crate) has_forgotten: bool,
    pub(crate) frame_age: FrameAge,
    pub(crate) work: Work,
}

impl<'program, 'arena> Session<'program, 'arena, Portable> {
    /// Verifies a program and resets it, computing with [`Portable`]. See
    /// [`Session::with_backend`].
    pub fn new(program: &'program [u8], arena: &'arena mut [u8]) -> Result<Self, LoadError> {
        Session::with_backend(program, arena, Portable)
    }
}

impl<'arena> Session<'static, 'arena, Portable> {
    /// Resets a program of the image, computing with [`Portable`]. See [`Session::built_in_with`].
    pub fn built_in(program: BuiltIn, arena: &'arena mut [u8]) -> Result<Self, LoadError> {
        Session::built_in_with(program, arena, Portable)
    }
}

impl<'arena, B: Backend> Session<'static, 'arena, B> {
    /// Resets a program that was verified when the image was built: as [`Session::with_backend`], without the code that
    /// verifies. Bytes that are no longer those fail by their CRC.
    pub fn built_in_with(program: BuiltIn, arena: &'arena mut [u8], backend: B) -> Result<Self, LoadError> {
        Self::begin(Program::built_in(program)?, arena, backend)
    }
}

impl<'program, 'arena, B: Backend> Session<'program, 'arena, B> {
    /// Verifies a program and resets it. The program's bytes may lie in flash; they and the arena
    /// must start at multiples of [`ALIGNMENT`] ([`crate::Aligned`] and [`crate::Arena`] see to that). The arena may be
    /// longer than needed.
    pub fn with_backend(program: &'program [u8], arena: &'arena mut [u8], backend: B) -> Result<Self, LoadError> {
        Self::begin(Program::new_checked(program)?, arena, backend)
    }

    /// Resets a program that was verified, now or when the image was built.
    fn begin(program: Program<'program>, arena: &'arena mut [u8], mut backend: B) -> Result<Self, LoadError> {
        let remainder = |bytes: &[u8]| bytes.as_ptr().addr() % ALIGNMENT;
        if remainder(program.bytes()) != 0 {
            return Err(LoadError::new(LoadErrorKind::ProgramAlignment, remainder(program.bytes()) as u32));
        }
        if remainder(arena) != 0 {
            return Err(LoadError::new(LoadErrorKind::ArenaAlignment, remainder(arena) as u32));
        }
        let length = program.prelude().arena_length;
        let Some(arena) = arena.get_mut(..length as usize) else {
            return Err(LoadError::new(LoadErrorKind::ArenaTooSmall, length));
        };
        backend.prepare(&program)?;
        let mut session = Self {
            program,
            arena,
            backend,
            next_layer: 0,
            steps: 0,
            step_number: 0,
            is_skipping: true,
            has_forgotten: false,
            frame_age: FrameAge::New,
            work: Work::default(),
        };
        session.arena.fill(0);
        session.reset();
        session.present_blank();
        Ok(session)
    }

    /// Sets every state to what it is before the first step: zero, or what the exporter computed for
    /// a layer that the image reaches later. Such a layer is left until then. The frame on show
    /// stays; logits and taps are those of the last step until their layer is computed.
    pub fn reset(&mut self) {
        self.next_layer = 0;
        self.steps = 0;
        for state in self.program.states() {
            self.initialize(&state);
        }
        self.forget();
    }

    /// Computes one step. Ends a step that [`Self::step_layer`] began.
    pub fn step(&mut self) {
        while self.step_layer() == LayerProgress::Within {}
    }

    /// Computes the next layer of a step, in the order of the program's plan; the last one commits
    /// the states. So one step can be spread over several ticks. Frames presented in between are
    /// seen by layers that have not run yet.
    pub fn step_layer(&mut self) -> LayerProgress {
        if !self.is_within_step() {
            self.begin_numbering();
        }
        if let Some(layer) = self.program.layer(self.next_layer) {
            self.run_layer(&layer);
        }
        self.next_layer = self.next_layer.wrapping_add(1);
        if self.next_layer < self.program.layer_count() {
            return LayerProgress::Within;
        }
        self.commit();
        self.next_layer = 0;
        self.steps = self.steps.saturating_add(1);
        LayerProgress::Ended
    }

    fn run_layer(&mut self, layer: &LayerRecord) {
        if self.leaves(layer) {
            return;
        }
        let mut memory = Memory { shared: &[], region: self.arena, start: 0 };
        let backend = &mut self.backend;
        run_layer::<B>(&self.program, &mut memory, layer, |task| run(backend, task));
    }

    /// The arithmetic; a constant where only one is built in.
    pub(crate) fn numerics(&self) -> Numerics {
        crate::kernels::built(self.program.numerics())
    }

    /// The program.
    pub fn program(&self) -> &Program<'program> {
        &self.program
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Ends the session and gives the backend back.
    pub fn into_backend(self) -> B {
        self.backend
    }

    /// Steps since the last reset.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Whether [`Self::step_layer`] has begun a step and not ended it.
    pub fn is_within_step(&self) -> bool {
        self.next_layer != 0
    }

    /// Whether the logits of the last step can depend on an image presented right after the reset.
    pub fn is_image_driven(&self) -> bool {
        let first = self.program.prelude().first_image_step;
        first != 0 && self.steps >= first
    }

    fn tensor(&self, buffer: BufferRecord) -> Tensor<'_> {
        Tensor { buffer, bytes: self.arena.get(buffer.range()).unwrap_or(&[]) }
    }

    /// A buffer of the arena. Transient buffers hold what the last operation that shared their
    /// bytes left there.
    pub fn buffer(&self, index: u16) -> Option<Tensor<'_>> {
        self.program.buffer(index).map(|buffer| self.tensor(buffer))
    }

    /// A tapped value by path, for instance `layer3.output`.
    pub fn tap(&self, name: &str) -> Option<Tensor<'_>> {
        let tap = self.program.taps().find(|tap| self.program.name(tap.name, tap.name_length) == name)?;
        self.buffer(tap.buffer)
    }

    /// A state by index, in the graph's order.
    pub fn state(&self, index: usize) -> Option<Tensor<'_>> {
        self.buffer(self.program.state(index)?.buffer)
    }

    /// A state by path, for instance `layer3.hidden`.
    pub fn state_named(&self, name: &str) -> Option<Tensor<'_>> {
        let mut states = self.program.states();
        let state = states.find(|state| self.program.name(state.name, state.name_length) == name)?;
        self.buffer(state.buffer)
    }

    /// Overwrites a state with raw elements in height, width, channel order. In a program that starts
    /// from computed states all layers have begun then until the next reset: [`Self::steps`] is at
    /// least what it is before the last of them begins.
    pub fn write_state(&mut self, index: usize, bytes: &[u8]) -> Result<(), LengthError> {
        let buffer = self.program.state(index).and_then(|state| self.program.buffer(state.buffer));
        let target = buffer.and_then(|buffer| isolate(self.arena, &buffer)).map(|(target, _)| target);
        let target = target.unwrap_or(&mut []);
        let found = bytes.len();
        if target.len() != found {
            return Err(LengthError { expected: target.len(), found });
        }
        for (target, source) in target.iter_mut().zip(bytes) {
            *target = *source;
        }
        self.begin_all();
        self.forget();
        Ok(())
    }

    /// The class scores of the last step, as computed.
    pub fn logits_raw(&self) -> Logits<'_> {
        let buffer = self.program.buffer(self.program.prelude().logits_buffer);
        let bytes = buffer.and_then(|buffer| self.arena.get(buffer.range())).unwrap_or(&[]);
        match self.numerics() {
            Numerics::Real => Logits::Real(elements(bytes)),
            Numerics::Integer => {
                Logits::Integer { values: elements(bytes), scale: buffer.map_or(1.0, |buffer| buffer.scale) }
            }
        }
    }

    /// Writes the class scores of the last step as real numbers.
    pub fn logits(&self, scores: &mut [f32]) -> Result<(), LengthError> {
        let logits = self.logits_raw();
        if scores.len() != logits.len() {
            return Err(LengthError { expected: logits.len(), found: scores.len() });
        }
        for (class, score) in scores.iter_mut().enumerate() {
            *score = logits.real(class).unwrap_or(0.0);
        }
        Ok(())
    }

    /// CRC-32/ISO-HDLC of the logits as they lie in the arena.
    pub fn logits_crc(&self) -> u32 {
        let buffer = self.program.buffer(self.program.prelude().logits_buffer);
        crc32::checksum(buffer.and_then(|buffer| self.arena.get(buffer.range())).unwrap_or(&[]))
    }

    /// CRC-32/ISO-HDLC of all states, one after the other in the graph's order, as they lie in the
    /// arena.
    pub fn states_crc(&self) -> u32 {
        let mut digest = crc32::digest();
        for state in self.program.states() {
            if let Some(buffer) = self.program.buffer(state.buffer) {
                digest.update(self.arena.get(buffer.range()).unwrap_or(&[]));
            }
        }
        digest.finalize()
    }
}
