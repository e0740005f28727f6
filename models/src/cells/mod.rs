//! Recurrent cells: one file each, holding the cell's options and the one function that emits its
//! graph nodes. See `docs/adding-a-cell.md`.

mod affine;
mod context;
mod gru;
mod intersection;
mod lstm;
mod reciprocal_gated;
mod search;
mod time_decay;
mod ugrnn;
mod vanilla;

pub use affine::AffineKind;
pub(crate) use context::add;
pub use context::{CellContext, Entering};
pub use gru::Gru;
pub use intersection::Intersection;
pub use lstm::{Kernels, Lstm};
pub use reciprocal_gated::{Form, ReciprocalGated};
pub use search::{Gate, InputMap, Operand, Search, Update};
pub use time_decay::TimeDecay;
pub use ugrnn::Ugrnn;
pub use vanilla::Vanilla;

use convrnn_graph::{GraphBuilder, GraphError, NodeId, Read};
use serde::{Deserialize, Serialize};

/// The catalogue of cells. In a layer's table: `cell = { kind = "reciprocal-gated", kernel = 3 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cell {
    /// Paper, section 6.2.
    ReciprocalGated(ReciprocalGated),
    /// Paper, section 6.3.
    Search(Search),
    /// Elman 1990.
    Vanilla(Vanilla),
    /// A leaky integrator.
    TimeDecay(TimeDecay),
    /// Cho et al. 2014.
    Gru(Gru),
    /// Hochreiter and Schmidhuber 1997.
    Lstm(Lstm),
    /// Collins et al. 2017.
    Ugrnn(Ugrnn),
    /// Collins et al. 2017.
    Intersection(Intersection),
}

impl Cell {
    /// Emits the cell's nodes and gives its output. An edge to the output is added to the gated input of the output of a
    /// reciprocal gated or search cell, and to the output itself of any other.
    pub fn emit(&self, builder: &mut GraphBuilder, context: &CellContext<'_>) -> Result<NodeId, GraphError> {
        let output = match self {
            Cell::ReciprocalGated(cell) => return cell.emit(builder, context),
            Cell::Search(cell) => return cell.emit(builder, context),
            Cell::Vanilla(cell) => cell.emit(builder, context),
            Cell::TimeDecay(cell) => cell.emit(builder, context),
            Cell::Gru(cell) => cell.emit(builder, context),
            Cell::Lstm(cell) => cell.emit(builder, context),
            Cell::Ugrnn(cell) => cell.emit(builder, context),
            Cell::Intersection(cell) => cell.emit(builder, context),
        }?;
        match context.output(builder, Read::Node(output))? {
            Read::Node(output) => Ok(output),
            Read::Frame | Read::State(_) => Ok(output),
        }
    }

    /// The name used in files.
    pub fn kind(&self) -> &'static str {
        match self {
            Cell::ReciprocalGated(_) => "reciprocal-gated",
            Cell::Search(_) => "search",
            Cell::Vanilla(_) => "vanilla",
            Cell::TimeDecay(_) => "time-decay",
            Cell::Gru(_) => "gru",
            Cell::Lstm(_) => "lstm",
            Cell::Ugrnn(_) => "ugrnn",
            Cell::Intersection(_) => "intersection",
        }
    }
}
