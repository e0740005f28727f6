//! Recurrent cells: one file each, holding the cell's options and the one function that emits its
//! graph nodes. See `docs/adding-a-cell.md`.

mod reciprocal_gated;
mod vanilla;

pub use reciprocal_gated::ReciprocalGated;
pub use vanilla::Vanilla;

use convrnn_graph::{GraphBuilder, GraphError, NodeId, Read};
use serde::{Deserialize, Serialize};

/// The catalogue of cells. In a layer's table: `cell = { kind = "reciprocal-gated", kernel = 3 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cell {
    /// Paper, section 6.2.
    ReciprocalGated(ReciprocalGated),
    /// Elman 1990.
    Vanilla(Vanilla),
}

impl Cell {
    /// Emits the cell's nodes and gives its output. `input` is the layer's convolved input x.
    pub fn emit(&self, builder: &mut GraphBuilder, input: Read) -> Result<NodeId, GraphError> {
        match self {
            Cell::ReciprocalGated(cell) => cell.emit(builder, input),
            Cell::Vanilla(cell) => cell.emit(builder, input),
        }
    }

    /// The name used in files.
    pub fn kind(&self) -> &'static str {
        match self {
            Cell::ReciprocalGated(_) => "reciprocal-gated",
            Cell::Vanilla(_) => "vanilla",
        }
    }
}
