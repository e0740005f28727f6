//! What can be wrong when a graph is quantised, or with a quantised graph.

use crate::parameters::ParametersError;
use crate::shape::Shape;

/// A graph that cannot be quantised.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum QuantizeError {
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    #[error("no calibration frames: give at least one image, better a few hundred training images")]
    NoCalibration,
    #[error("a calibration frame has shape {found}, expected {expected}")]
    Frame { found: Shape, expected: Shape },
    #[error("{value} is not finite in step {step} of a calibration image; the network diverges over its steps")]
    NotFinite { value: String, step: usize },
    #[error("the calibration is of another graph: it holds {found} values, expected {expected}")]
    OtherGraph { found: usize, expected: usize },
    #[error(
        "preprocessing has {means} means and {deviations} standard deviations, expected {channels} finite means and as many positive deviations"
    )]
    Preprocessing { means: usize, deviations: usize, channels: usize },
    #[error(
        "{node}: the sum over {terms} products of output channel {channel} may reach {bound}, beyond 32 bits; use fewer input channels or groups"
    )]
    Accumulator { node: String, channel: usize, terms: usize, bound: i64 },
    #[error(
        "{node}: no scale found at which its integers fit; its range differs by too many orders of magnitude from what it reads"
    )]
    Scale { node: String },
    #[error("{node} has no type among those given: they are of another graph")]
    NoType { node: String },
    #[error("{node}: {operation} has no integer form; fold the graph first")]
    Unfolded { node: String, operation: &'static str },
    #[error(transparent)]
    Check(#[from] CheckError),
}

/// A quantised graph that breaks one of its rules.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct CheckError {
    /// The node, state or part of the graph.
    pub name: String,
    /// What is wrong.
    pub message: String,
}
