//! Plots.
use crate::error::Result;
use crate::training::Trainer;
use std::path::Path;

/// By step.
pub fn accuracy_by_step(_folder: &Path, _lines: &[(&str, Vec<f64>)]) -> Result<()> { Ok(()) }

/// All.
pub fn training(_trainer: &Trainer) -> Result<()> { Ok(()) }
