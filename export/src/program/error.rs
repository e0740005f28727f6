//! Why a network cannot become a program.

use convrnn_format::LoadError;
use convrnn_graph::ParametersError;

/// A network that cannot become a program.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ProgramError {
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    #[error("{node}: {operation} has no device form; fold the graph first")]
    Unfolded { node: String, operation: &'static str },
    #[error("layers {layers} read each other's values of the same step: only states can connect layers in a circle")]
    LayerCircle { layers: String },
    #[error("{node} reads {read} of layer {layer} in the same step, which rules out {choice}: leave that option out")]
    CurrentRead { choice: &'static str, node: String, read: String, layer: String },
    #[error("{node}: {what} is {value}, expected at most {limit}")]
    Extent { node: String, what: &'static str, value: usize, limit: usize },
    #[error("{node}: the shifts of its output channels differ ({first} and {other}), expected one shift")]
    Shift { node: String, first: u8, other: u8 },
    #[error("{node}: its integers can overflow 32 bits; quantise with larger scales")]
    Overflow { node: String },
    #[error("preprocessing is for frames of {found}, expected {expected}")]
    Preprocessing { found: String, expected: String },
    #[error("there are {found} class names, expected {expected}")]
    ClassNames { found: usize, expected: usize },
    #[error("class name {name:?} has a line break, expected one line")]
    ClassName { name: String },
    #[error("the program would have {size} bytes, expected at most {limit}")]
    Size { size: usize, limit: usize },
    #[error("the metadata cannot be written: {0}")]
    Metadata(String),
    #[error("the exporter wrote a program that does not load, which is its fault: {0}")]
    Rejected(LoadError),
}
