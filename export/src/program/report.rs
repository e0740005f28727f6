//! What a program costs: RAM, flash, multiply-accumulates. Read from its bytes, so it holds for any
//! program file.

use convrnn_format::{
    BufferRecord, Element, NO_INDEX, NONE, Numerics, OperationKind, Plan, Prelude, Program, Record, Role, SectionKind,
    SectionRecord, Skipping,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The costs of a program. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProgramReport {
    /// Name of the architecture.
    pub name: String,
    /// `f32` or `int8`.
    pub numerics: &'static str,
    /// `sequential` or `parallel`.
    pub plan: &'static str,
    /// Channels, rows and columns of the frame.
    pub frame: [u32; 3],
    /// Number of classes.
    pub classes: usize,
    /// Whole working memory.
    pub arena: usize,
    /// Part of it that states take.
    pub states: usize,
    /// Part of it that the frame takes.
    pub frame_bytes: usize,
    /// Part of it that transients share.
    pub transients: usize,
    /// The most that transients in use at once need: no plan of this order needs less.
    pub largest_live: usize,
    /// Which layers are left out when nothing that they read has changed: `none`, `propagation` or `comparison`.
    pub skipping: &'static str,
    /// Part of the working memory that is kept for that, besides states that are held twice.
    pub cache: usize,
    /// Bytes copied when a step ends.
    pub committed: usize,
    /// Part of the program that holds the states that it starts from; 0 where all are zero.
    pub initial_states: usize,
    /// Whole program.
    pub flash: usize,
    /// Flash by section.
    pub sections: Vec<SectionUse>,
    /// Multiply-accumulates of a step.
    pub multiply_accumulates: u64,
    /// By layer, in order of execution.
    pub layers: Vec<LayerUse>,
    /// The states.
    pub state_list: Vec<StateUse>,
    /// First step (from 1) whose logits depend on the image.
    pub first_image_step: Option<u32>,
    /// Steps of a presentation, and with the image on show.
    pub presentation: [u32; 2],
}

/// Flash of one section.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SectionUse {
    /// Name.
    pub name: &'static str,
    /// Bytes.
    pub bytes: usize,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerUse {
    /// Name.
    pub name: String,
    /// Multiply-accumulates.
    pub multiply_accumulates: u64,
    /// First step since the reset (from 1) at which it is computed.
    pub first_step: u16,
    /// Its operations in order.
    pub operations: Vec<OperationUse>,
    /// Indices of operations in the order in which they run: those that are computed in bands of rows run many times.
    pub runs: Vec<usize>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationUse {
    /// Path.
    pub name: String,
    /// What it computes.
    pub kind: &'static str,
    /// Channels, rows and columns of its output.
    pub shape: [u32; 3],
    /// Multiply-accumulates.
    pub multiply_accumulates: u64,
}

/// One state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateUse {
    /// Path.
    pub name: String,
    /// Element type.
    pub element: &'static str,
    /// Channels, rows and columns.
    pub shape: [u32; 3],
    /// Bytes.
    pub bytes: usize,
    /// Whether it is copied when the step ends, because its old value is still read after the new
    /// one is computed.
    pub is_committed: bool,
}

impl ProgramReport {
    /// Reads the costs of a verified program.
    pub fn new(program: &Program<'_>) -> Self {
        let prelude = program.prelude();
        let buffers: Vec<BufferRecord> =
            (0..program.buffer_count() as u16).filter_map(|index| program.buffer(index)).collect();
        let bytes_of = |role: Role| -> usize {
            buffers.iter().filter(|buffer| buffer.role == role.to_byte()).map(|buffer| buffer.length as usize).sum()
        };
        let transients: Vec<&BufferRecord> =
            buffers.iter().filter(|buffer| buffer.role == Role::Transient.to_byte()).collect();
        let start =
            transients.iter().map(|buffer| buffer.offset as usize).min().unwrap_or(prelude.arena_length as usize);
        let lives: Vec<((usize, usize), usize)> =
            transients.iter().map(|buffer| (program.life(buffer), buffer.length as usize)).collect();
        let live = |moment: usize| -> usize {
            let in_use = lives.iter().filter(|((first, last), _)| (*first..=*last).contains(&moment));
            in_use.map(|(_, bytes)| bytes).sum()
        };
        let cache = match prelude.cache_offset {
            0 => 0,
            offset => prelude.arena_length.saturating_sub(offset) as usize,
        };
        let metadata = program.metadata();
        let frame = program.buffer(prelude.frame_buffer).unwrap_or_default();
        let state_list: Vec<StateUse> = program.states().map(|state| state_use(program, &state)).collect();
        Self {
            name: metadata.as_ref().map_or("", |metadata| metadata.name).to_owned(),
            numerics: match program.numerics() {
                Numerics::Real => "f32",
                Numerics::Integer => "int8",
            },
            plan: match program.plan() {
                Plan::Sequential => "sequential",
                Plan::Parallel => "parallel",
            },
            frame: shape(&frame),
            classes: program.classes(),
            arena: prelude.arena_length as usize,
            states: bytes_of(Role::State),
            frame_bytes: frame.length as usize,
            transients: prelude.arena_length as usize - cache - start,
            largest_live: (0..=program.operation_count()).map(live).max().unwrap_or(0),
            skipping: match Skipping::from_byte(prelude.skipping) {
                Some(Skipping::Propagation) => "propagation",
                Some(Skipping::Comparison) => "comparison",
                Some(Skipping::None) | None => "none",
            },
            cache,
            committed: state_list.iter().filter(|state| state.is_committed).map(|state| state.bytes).sum(),
            initial_states: initial_states(program),
            flash: program.bytes().len(),
            sections: sections(program),
            multiply_accumulates: prelude.multiply_accumulates,
            layers: program.layers().map(|layer| layer_use(program, &layer)).collect(),
            state_list,
            first_image_step: Some(prelude.first_image_step).filter(|&step| step > 0),
            presentation: metadata.map_or([0, 0], |metadata| [metadata.steps, metadata.image_steps]),
        }
    }
}

impl ProgramReport {
    /// From which step on logits depend on the image, in words.
    ///
    /// Early exporters computed the first step as if biases were zero: a program of theirs may say that there is none where there
    /// is one.
    pub fn first_image_step_in_words(&self) -> String {
        first_step_in_words(self.first_image_step)
    }
}

fn first_step_in_words(step: Option<u32>) -> String {
    match step {
        Some(step) => format!("step {step} (with its weights, as its exporter found)"),
        None => {
            "none: the program holds no image-driven step; a program of an earlier version may lack one that there is, \
                 and `convrnn-export program` writes it anew"
                .into()
        }
    }
}

fn shape(buffer: &BufferRecord) -> [u32; 3] {
    [buffer.channels, buffer.height, buffer.width]
}

fn sections(program: &Program<'_>) -> Vec<SectionUse> {
    let table = Prelude::STRIDE + SectionKind::ALL.len() * SectionRecord::STRIDE;
    let header = SectionUse { name: "prelude and section table", bytes: table };
    let sections = SectionKind::ALL.map(|kind| SectionUse { name: kind.name(), bytes: program.section(kind).len() });
    std::iter::once(header).chain(sections).collect()
}

/// Bytes of the constants that states start from, each counted once.
fn initial_states(program: &Program<'_>) -> usize {
    let given = program.states().filter(|state| state.initial != NONE);
    let lengths: BTreeMap<u32, u32> =
        given.map(|state| (state.initial, program.buffer(state.buffer).unwrap_or_default().length)).collect();
    lengths.values().map(|&length| length as usize).sum()
}

fn layer_use(program: &Program<'_>, layer: &convrnn_format::LayerRecord) -> LayerUse {
    let first = layer.first_operation as usize;
    let operations = (first..first + layer.operation_count as usize).filter_map(|index| program.operation(index));
    LayerUse {
        name: program.name(layer.name, layer.name_length).to_owned(),
        multiply_accumulates: layer.multiply_accumulates,
        runs: runs(program, layer),
        first_step: layer.first_step,
        operations: operations
            .map(|operation| OperationUse {
                name: program.name(operation.name, operation.name_length).to_owned(),
                kind: OperationKind::from_byte(operation.kind).map_or("", OperationKind::name),
                shape: shape(&program.buffer(operation.output).unwrap_or_default()),
                multiply_accumulates: operation.multiply_accumulates,
            })
            .collect(),
    }
}

fn runs(program: &Program<'_>, layer: &convrnn_format::LayerRecord) -> Vec<usize> {
    let first = layer.first_operation as usize;
    let mut runs = Vec::new();
    let mut index = first;
    while index < first + layer.operation_count as usize {
        let together = program.together(index);
        for band in 0..program.bands(&together) {
            runs.extend(together.clone().filter(|&index| has_rows(program, index, band)).map(|index| index - first));
        }
        index = together.end;
    }
    runs
}

/// Whether an operation computes anything in a band.
fn has_rows(program: &Program<'_>, index: usize, band: u32) -> bool {
    let Some(record) = program.operation(index) else { return false };
    let height = program.buffer(record.output).map_or(0, |output| output.height);
    !record.is_in_bands() || !record.rows_of_band(height, band).is_empty()
}

fn state_use(program: &Program<'_>, state: &convrnn_format::StateRecord) -> StateUse {
    let buffer = program.buffer(state.buffer).unwrap_or_default();
    StateUse {
        name: program.name(state.name, state.name_length).to_owned(),
        element: match Element::from_byte(buffer.element) {
            Some(Element::F32) | None => "f32",
            Some(Element::I8) => "i8",
            Some(Element::I16) => "i16",
            Some(Element::I32) => "i32",
        },
        shape: shape(&buffer),
        bytes: buffer.length as usize,
        is_committed: state.commit_source != NO_INDEX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_an_image_driven_step_is_told_of_as_one_that_may_lack_it() {
        assert_eq!(first_step_in_words(Some(4)), "step 4 (with its weights, as its exporter found)");
        let words = first_step_in_words(None);
        assert!(words.contains("holds no image-driven step") && words.contains("writes it anew"), "{words}");
        assert!(!words.contains("never") && !words.contains("exporter found"), "{words}");
    }
}
