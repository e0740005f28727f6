//! Work that need not be done, because its result is provably that of the step before.
//!
//! A layer's values depend on the frame and on states alone, all of them as they were when the step
//! before ended. So where none of what a layer reads has changed since it last ran, its states and
//! survivors already hold what it would compute, to the bit. What is remembered for that is one byte
//! a state and one a layer in the arena, if the program was exported with it.
//!
//! [`Skipping::Propagation`] takes every state that was computed anew as changed;
//! [`Skipping::Comparison`] compares it with its old value, so that a network at rest does nothing.

use crate::arena::{copy, isolate};
use crate::backend::Backend;
use crate::session::Session;
use crate::uses::Use;
use convrnn_format::{BufferRecord, LayerRecord, NO_INDEX, Role, Skipping};
use core::cmp::Ordering;

/// What has been done and left since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Layers computed.
    pub layers: u32,
    /// Layers left, since their values were there.
    pub skipped_layers: u32,
    /// Multiply-accumulates of the layers computed.
    pub multiply_accumulates: u64,
    /// Multiply-accumulates of the layers left.
    pub skipped_multiply_accumulates: u64,
}

/// A frame's age in steps, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameAge {
    /// On show for a whole step already.
    Held,
    /// Presented since the last step ended.
    New,
    /// Presented within a step: some layers have not seen it yet.
    Late,
}

impl<B: Backend> Session<'_, '_, B> {
    /// Whether layers may be left that would compute what they computed last; on from the start. Without
    /// effect on values, and in programs that were exported without a cache.
    pub fn set_skipping(&mut self, is_on: bool) {
        self.is_skipping = is_on;
    }

    /// The form of skipping that the program has memory for.
    pub fn skipping(&self) -> Skipping {
        match B::USES.has(Use::Skipping) {
            true => Skipping::from_byte(self.program.prelude().skipping).unwrap_or(Skipping::None),
            false => Skipping::None,
        }
    }

    /// Counts since the session began.
    pub fn work(&self) -> Work {
        self.work
    }

    /// States were written from outside: nothing is known about them, nor what the frame on show would make of them.
    pub(crate) fn forget(&mut self) {
        self.frame_is_new();
        // A step that has begun goes on with the layers that it leaves; what is forgotten is so from the next one on, too.
        self.has_forgotten = self.is_within_step();
        let forgotten = match self.has_forgotten {
            true => self.program.prelude().state_count as usize,
            false => usize::MAX,
        };
        for flag in self.cache().unwrap_or_default().iter_mut().take(forgotten) {
            *flag = 1;
        }
    }

    pub(crate) fn frame_is_new(&mut self) {
        self.frame_age = if self.is_within_step() { FrameAge::Late } else { FrameAge::New };
    }

    /// The flags: by state, whether it changed in the last step; then by layer of the architecture,
    /// whether it ran in this one.
    fn cache(&mut self) -> Option<&mut [u8]> {
        let prelude = self.program.prelude();
        if self.skipping() == Skipping::None {
            return None;
        }
        let start = prelude.cache_offset as usize;
        let length = (prelude.state_count as usize).wrapping_add(prelude.layer_count as usize);
        self.arena.get_mut(start..start.wrapping_add(length))
    }

    fn flag(&self, index: usize) -> bool {
        // Nobody asks then: so the compiler leaves the rest out where no program skips.
        if self.skipping() == Skipping::None {
            return true;
        }
        let start = self.program.prelude().cache_offset as usize;
        self.arena.get(start.wrapping_add(index)).is_none_or(|&flag| flag != 0)
    }

    fn set_flag(&mut self, index: usize, value: bool) {
        if let Some(flag) = self.cache().and_then(|flags| flags.get_mut(index)) {
            *flag = value.into();
        }
    }

    /// Whether a layer can be left in this step, which is then counted and remembered.
    pub(crate) fn leaves(&mut self, layer: &LayerRecord) -> bool {
        // Before its first step a layer's values are there; in it nobody has computed them yet.
        let settled = match self.begins(layer.first_step) {
            Ordering::Greater => true,
            Ordering::Equal => false,
            Ordering::Less => self.skipping() != Skipping::None && self.is_skipping && self.is_settled(layer),
        };
        let work = &mut self.work;
        let (layers, sum) = match settled {
            true => (&mut work.skipped_layers, &mut work.skipped_multiply_accumulates),
            false => (&mut work.layers, &mut work.multiply_accumulates),
        };
        *layers = layers.saturating_add(1);
        *sum = sum.saturating_add(layer.multiply_accumulates);
        let states = self.program.prelude().state_count as usize;
        self.set_flag(states.wrapping_add(layer.layer.into()), !settled);
        settled
    }

    /// Whether nothing that a layer reads has changed since it last ran.
    fn is_settled(&self, layer: &LayerRecord) -> bool {
        let first = layer.first_operation as usize;
        let range = first..first.wrapping_add(layer.operation_count as usize);
        for operation in range.clone().filter_map(|index| self.program.operation(index)) {
            for slot in 0..usize::from(operation.operand_count) {
                let Some(operand) = self.program.operand(&operation, slot) else { return false };
                let Some(buffer) = self.program.buffer(operand.buffer) else { return false };
                let is_same = match Role::from_byte(buffer.role) {
                    Some(Role::Frame) => self.frame_age == FrameAge::Held,
                    Some(Role::State) => !self.has_changed(operand.buffer),
                    // Of its own making, or of another layer, which then might be left too.
                    Some(Role::Transient) => range.contains(&(buffer.first_use as usize)),
                    None => false,
                };
                if !is_same {
                    return false;
                }
            }
        }
        true
    }

    fn has_changed(&self, buffer: u16) -> bool {
        let state = self.program.states().position(|state| state.buffer == buffer);
        state.is_none_or(|state| self.flag(state))
    }

    /// Copies what the step computed beside the states to them, and notes which have changed.
    pub(crate) fn commit(&mut self) {
        let states = self.program.prelude().state_count as usize;
        let skipping = self.skipping();
        for (index, state) in self.program.states().enumerate() {
            let ran = match skipping {
                Skipping::None => self.has_begun(state.first_step),
                Skipping::Propagation | Skipping::Comparison => self.flag(states.wrapping_add(state.layer.into())),
            };
            let source = (state.commit_source != NO_INDEX).then(|| self.program.buffer(state.commit_source)).flatten();
            let mut has_changed = ran;
            if let (true, Some(source), Some(target)) = (ran, source, self.program.buffer(state.buffer)) {
                if skipping == Skipping::Comparison {
                    has_changed = self.differ(&source, &target);
                }
                if has_changed {
                    copy(self.arena, &source, &target);
                }
            }
            self.set_flag(index, has_changed || self.has_forgotten);
        }
        self.has_forgotten = false;
        self.frame_age = match self.frame_age {
            FrameAge::Held | FrameAge::New => FrameAge::Held,
            FrameAge::Late => FrameAge::New,
        };
    }

    fn differ(&mut self, left: &BufferRecord, right: &BufferRecord) -> bool {
        isolate(self.arena, left).is_none_or(|(left, around)| *left != *around.get(right))
    }
}
