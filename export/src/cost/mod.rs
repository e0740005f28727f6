//! What a device program costs a processor, before anything is flashed: instructions by operation and layer, and the most
//! that one `step_layer` can take.
//!
//! Kernels of integers do the same work whatever the values are, so their instructions follow from shapes: a prediction
//! counts what each operation does how often ([`Counts`]) and adds up what one of each costs, which
//! `cargo xtask bench cost --calibrate` has measured in QEMU over many networks and put at the least figures that are
//! nowhere below what was counted. Instructions are not cycles.

mod cortex_m4;
mod cortex_m55;
mod counts;
mod figures;
mod operation;
mod session;

pub use counts::Counts;

use convrnn_format::{LayerRecord, Numerics, OperationKind, Program, Skipping};
use figures::Figures;
use serde::Serialize;

/// A processor with figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Processor {
    /// Cortex-M4, with the backend `Portable` and the feature `cortex-m4`.
    CortexM4,
    /// Cortex-M55, with the backend `Helium`.
    CortexM55,
}

impl Processor {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::CortexM4, Self::CortexM55];

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CortexM4 => "Cortex-M4",
            Self::CortexM55 => "Cortex-M55",
        }
    }
}

/// Why there is no prediction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// There are no figures for f32.
    #[error("the program computes in f32, expected int8: there are figures for int8 programs alone")]
    Real,
    /// There are no figures for looking whether layers can be left.
    #[error(
        "the program was made by `convrnn-export program --skip`, which costs a little more in the worst case, and there are \
         no figures for that: make it without"
    )]
    Skipping,
    /// The file of figures cannot be read.
    #[error("the figures of the {} are damaged: {message}", .processor.name())]
    Figures {
        /// Whose.
        processor: Processor,
        /// What the parser says.
        message: String,
    },
    /// No figures fit the operation.
    #[error(
        "{operation}: no figures for {family} of this kind on the {}: where the program is packed for another processor, \
         make it again with `convrnn-export program --target`; else count it with `cargo xtask firmware operations`",
        .processor.name()
    )]
    Unknown {
        /// Path.
        operation: String,
        /// What kind of kernel it takes.
        family: String,
        /// On which processor.
        processor: Processor,
    },
    /// The program refers to what it does not have; verification excludes that.
    #[error("operation {index} of the program cannot be read")]
    Operation {
        /// Its index.
        index: usize,
    },
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationCost {
    /// Path.
    pub name: String,
    /// What it computes.
    pub kind: &'static str,
    /// Instructions at most.
    pub instructions: u64,
    /// Whether kernels for these types were measured; else the dearest of the kind stands in.
    pub is_measured: bool,
}

/// One layer: a call of `step_layer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerCost {
    /// Name.
    pub name: String,
    /// Instructions at most, those of the session and of the commit at the end of the step included.
    pub instructions: u64,
    /// Part of them that the session takes.
    pub session: u64,
    /// In the order they run in.
    pub operations: Vec<OperationCost>,
}

/// What a step costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// On which processor.
    pub processor: Processor,
    /// Bytes of RAM that the program works in.
    pub arena_bytes: u64,
    /// Bytes of stack that the streaming firmware takes at most, with the demo network.
    pub stack_bytes: u64,
    /// Bytes of flash of the program.
    pub program_bytes: u64,
    /// Bytes of flash of the runtime's code in the streaming firmware.
    pub code_bytes: u64,
    /// Instructions of a whole step at most, nothing left out.
    pub step: u64,
    /// The dearest call of `step_layer`: the deadline that holds whatever the frame and the states are.
    pub worst_layer: u64,
    /// Its index.
    pub worst_layer_index: usize,
    /// Whether all of it rests on kernels that were measured.
    pub is_certified: bool,
    /// In the order they run in.
    pub layers: Vec<LayerCost>,
}

impl Cost {
    /// Predicts what a verified program costs.
    pub fn new(program: &Program<'_>, processor: Processor) -> Result<Self, CostError> {
        let counts = counts(program, processor)?;
        let figures = Figures::of(processor)?;
        let layers = counts
            .iter()
            .enumerate()
            .map(|counts| layer(program, &figures, processor, counts))
            .collect::<Result<Vec<_>, _>>()?;
        let worst = layers.iter().enumerate().max_by_key(|(_, layer)| layer.instructions);
        let (worst_layer_index, worst_layer) = worst.map_or((0, 0), |(index, layer)| (index, layer.instructions));
        let prelude = program.prelude();
        Ok(Self {
            processor,
            arena_bytes: prelude.arena_length.into(),
            stack_bytes: figures.stack_bytes,
            program_bytes: program.bytes().len() as u64,
            code_bytes: figures.code_bytes,
            step: layers.iter().map(|layer| layer.instructions).sum(),
            worst_layer,
            worst_layer_index,
            is_certified: layers.iter().flat_map(|layer| &layer.operations).all(|operation| operation.is_measured),
            layers,
        })
    }
}

/// What a layer does how often: first the session, then operation by operation.
pub type LayerCounts = Vec<Counts>;

/// What a program does how often, layer by layer: what figures are fitted to.
pub fn counts(program: &Program<'_>, processor: Processor) -> Result<Vec<LayerCounts>, CostError> {
    if program.numerics() != Numerics::Integer {
        return Err(CostError::Real);
    }
    if program.prelude().skipping != Skipping::None.to_byte() {
        return Err(CostError::Skipping);
    }
    (0..program.layer_count()).map(|index| layer_counts(program, processor, index)).collect()
}

fn layer_counts(program: &Program<'_>, processor: Processor, index: usize) -> Result<LayerCounts, CostError> {
    let record = program.layer(index).ok_or(CostError::Operation { index })?;
    let operations = operations(&record)
        .map(|index| operation::counts(program, index, processor).ok_or(CostError::Operation { index }));
    let session = session::counts(program, index).ok_or(CostError::Operation { index });
    std::iter::once(session).chain(operations).collect()
}

/// Indices of a layer's operations.
fn operations(record: &LayerRecord) -> std::ops::Range<usize> {
    let first = record.first_operation as usize;
    first..first + record.operation_count as usize
}

fn layer(
    program: &Program<'_>,
    figures: &Figures,
    processor: Processor,
    (index, counts): (usize, &LayerCounts),
) -> Result<LayerCost, CostError> {
    let (Some(record), Some((session, counts))) = (program.layer(index), counts.split_first()) else {
        return Err(CostError::Operation { index });
    };
    let name = program.name(record.name, record.name_length).to_owned();
    let unknown = |operation: &str, family: &str| CostError::Unknown {
        operation: operation.into(),
        family: family.into(),
        processor,
    };
    let session =
        figures.predict(&session.family, session).ok_or_else(|| unknown(&name, &session.family))?.instructions;
    let operations = operations(&record).zip(counts).map(|(index, counts)| {
        let record = program.operation(index).ok_or(CostError::Operation { index })?;
        let kind = OperationKind::from_byte(record.kind).ok_or(CostError::Operation { index })?;
        let name = program.name(record.name, record.name_length).to_owned();
        if counts.terms.is_empty() {
            // Computed with the convolution before it.
            return Ok(OperationCost { name, kind: kind.name(), instructions: 0, is_measured: true });
        }
        let found = figures.predict(family_kind(kind), counts).ok_or_else(|| unknown(&name, &counts.family))?;
        let (instructions, is_measured) = (found.instructions, found.is_measured);
        Ok(OperationCost { name, kind: kind.name(), instructions, is_measured })
    });
    let operations = operations.collect::<Result<Vec<_>, _>>()?;
    let sum: u64 = operations.iter().map(|operation| operation.instructions).sum();
    Ok(LayerCost { name, instructions: sum + session, session, operations })
}

/// What the families of most convolutions begin with.
const CONVOLUTION: &str = "convolution";

/// What the families of a kind begin with.
fn family_kind(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Convolution => CONVOLUTION,
        OperationKind::Add => "add",
        OperationKind::Multiply => "multiply",
        OperationKind::Affine => "affine",
        OperationKind::Activation => "activation",
        OperationKind::Lookup => "lookup",
        OperationKind::Rescale => "rescale",
        OperationKind::MaxPool => "max-pool",
        OperationKind::GlobalAverage => "mean",
        OperationKind::Resize => "resize",
        OperationKind::GatedSum => "gated sum",
    }
}
