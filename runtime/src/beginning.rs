//! Layers that begin late.
//!
//! Before the first step at which the image can reach a layer, the layer's values are the same in every run. A program may
//! hold its states as they are then, and the layer's first step; until that step the layer is left and its states stay.
//! What counts is the number of the step since the reset, nothing about the frame.

use crate::arena::isolate;
use crate::backend::Backend;
use crate::session::Session;
use crate::uses::Use;
use convrnn_format::{Element, StateRecord};
use core::cmp::Ordering;

impl<B: Backend> Session<'_, '_, B> {
    /// A step begins: layers whose first step is later are left in it.
    pub(crate) fn begin_numbering(&mut self) {
        self.step_number = self.steps.saturating_add(1);
    }

    /// Whether a layer or state that begins at a step has begun in the one that is being computed.
    pub(crate) fn has_begun(&self, first_step: u16) -> bool {
        self.begins(first_step).is_le()
    }

    /// A first step beside the step that is being computed: greater where the layer or state begins later.
    pub(crate) fn begins(&self, first_step: u16) -> Ordering {
        match B::USES.has(Use::Beginning) {
            true => u32::from(first_step).cmp(&self.step_number),
            false => 1.cmp(&self.step_number),
        }
    }

    /// States were written that need not be those of any step: from the next step on every layer is computed, as in a run
    /// that has gone on for so long. A step that has begun goes on with the layers it began with.
    pub(crate) fn begin_all(&mut self) {
        if !B::USES.has(Use::Beginning) {
            return;
        }
        let latest = self.program.layers().fold(1, |latest, layer| layer.first_step.max(latest));
        self.steps = self.steps.max(u32::from(latest).wrapping_sub(1));
    }

    /// Sets a state to what it is before the first step.
    pub(crate) fn initialize(&mut self, state: &StateRecord) {
        let Some(buffer) = self.program.buffer(state.buffer) else { return };
        let Some((target, _)) = isolate(self.arena, &buffer) else { return };
        if B::USES.has(Use::Beginning)
            && let Some(initial) = self.program.constant(state.initial, target.len())
        {
            for (target, source) in target.iter_mut().zip(initial) {
                *target = *source;
            }
            return;
        }
        match Element::from_byte(buffer.element) {
            Some(Element::I8) => target.fill(buffer.zero_point as u8),
            Some(Element::I16 | Element::I32 | Element::F32) | None => target.fill(0),
        }
    }
}
