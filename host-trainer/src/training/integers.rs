//! Training in the integers of the int8 form: a run that begins from a trained network.

use super::Trainer;
use crate::error::{Result, TrainerError};
use crate::parameters::from_tensors;
use crate::settings::TrainingFile;
use convrnn_graph::Parameters;
use convrnn_graph::quantize::{Candidates, PixelScale, QuantizedGraph, ValueTypes, quantize_with_types};
use convrnn_models::Checkpoint;
use convrnn_models::calibration::Doubt;
use convrnn_models::checkpoint::{Description, names, read_calibration};
use convrnn_models::quantization::{self, CalibrationOptions};
use std::path::Path;
use std::sync::Arc;
use tch::Tensor;

/// What a run that goes on from a trained network takes from it.
#[derive(Clone, Debug)]
pub struct Start {
    /// Weights.
    pub parameters: Parameters<f32>,
    /// Class names, preprocessing, presentation.
    pub description: Description,
    /// Raw training frames for quantisation, one after the other.
    pub calibration: Vec<u8>,
    /// The integer types to train with.
    pub types: ValueTypes,
    /// How the network was trained, and on which images.
    pub trained: TrainingFile,
}

/// Reads a checkpoint directory to fine-tune: its integer types are found anew, from its calibration frames, and what is
/// doubtful about these is given too.
///
/// # Errors
/// Those of the files; a network with normalisations or trained factors, which are part of other weights in its int8
/// form; one that cannot be quantised.
pub fn types_of(directory: &Path) -> Result<(Checkpoint, Start, Vec<Doubt>)> {
    let checkpoint = Checkpoint::read(directory)?;
    let fail = |found: String, hint: &str| TrainerError::Invalid {
        what: "network to fine-tune",
        expected: "one with an int8 form in which every weight is one of its own".into(),
        found,
        hint: hint.into(),
    };
    let folded = checkpoint.clone().fold().map_err(|error| fail(error.to_string(), "train it first"))?;
    if folded.graph != checkpoint.graph {
        let found = format!("{}, with normalisations or trained factors", checkpoint.graph.name);
        return Err(fail(found, "fine-tune a network without them"));
    }
    let frames = read_calibration(&directory.join(names::CALIBRATION), &checkpoint.description.preprocessing)?;
    // Learning takes care of biases.
    let candidates = Candidates { correct_bias: vec![false], ..Candidates::default() };
    let options = CalibrationOptions { candidates, ..CalibrationOptions::default() };
    let calibrated = quantization::calibrated(&checkpoint, &frames, &options)
        .map_err(|error| fail(error.to_string(), "see `convrnn-export program --report`"))?;
    let start = Start {
        parameters: checkpoint.parameters.clone(),
        description: checkpoint.description.clone(),
        calibration: frames.concat(),
        types: calibrated.chosen.quantized.types,
        trained: TrainingFile::read(&directory.join(names::TRAINING))?,
    };
    Ok((checkpoint, start, calibrated.doubts))
}

impl Trainer {
    /// The int8 form of these weights, where training computes in one.
    pub(super) fn integers(&self, parameters: &[Tensor]) -> Result<Option<Arc<QuantizedGraph>>> {
        let Some(types) = &self.types else { return Ok(None) };
        let preprocessing = &self.training.description.preprocessing;
        let pixels = PixelScale { mean: &preprocessing.mean, standard_deviation: &preprocessing.standard_deviation };
        let quantized = quantize_with_types(&self.graph, &from_tensors(parameters)?, types, pixels);
        let quantized = quantized.map_err(|error| TrainerError::Invalid {
            what: "int8 form of the weights",
            expected: "one whose sums stay within 32 bits".into(),
            found: error.to_string(),
            hint: "start again with a lower --learning-rate".into(),
        })?;
        Ok(Some(Arc::new(quantized.graph)))
    }
}
