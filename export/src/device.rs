//! From a checkpoint to a device program: calibration, quantisation and writing in one.

use crate::program::{AlignedBytes, ProgramDescription, ProgramError, ProgramOptions, write_integer, write_real};
use convrnn_graph::Tensor;
use convrnn_graph::quantize::{
    Calibration, Candidates, Chosen, PixelScale, QuantizationReport, QuantizeError, Quantized, presented,
    quantize_by_error,
};
use convrnn_models::checkpoint::{names, read_calibration};
use convrnn_models::{Checkpoint, FileError};
use convrnn_runtime::Numerics;
use std::path::{Path, PathBuf};

/// A checkpoint that cannot become a program.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DeviceError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "there is no {path}, and int8 needs training images to find its scales: give a safetensors file with frames \
         U8 [N, {height}, {width}, {channels}] with --calibration"
    )]
    NoCalibration { path: PathBuf, height: usize, width: usize, channels: usize },
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// Where the calibration frames of a checkpoint lie.
pub fn calibration_path(checkpoint: &Path) -> PathBuf {
    checkpoint.join(names::CALIBRATION)
}

/// Calibration images, spread over all of them, whose logits choices of the quantisation are measured by.
const CHOSEN_BY: usize = 64;

/// Quantises a checkpoint with raw training frames `[N, height, width, channels]`, over all steps of
/// its presentation, in the way that leaves its logits nearest to those of the float network.
pub fn quantized(checkpoint: &Checkpoint, calibration: &Path, candidates: &Candidates) -> Result<Chosen, DeviceError> {
    let (graph, parameters) = (&checkpoint.graph, &checkpoint.parameters);
    let images = calibration_images(checkpoint, calibration)?;
    let presentation = &checkpoint.description.presentation;
    let calibration = Calibration::of_images(graph, parameters, presentation, &images)?;
    let preprocessing = &checkpoint.description.preprocessing;
    let pixels = PixelScale { mean: &preprocessing.mean, standard_deviation: &preprocessing.standard_deviation };
    let blank = Tensor::full(graph.frame, presentation.blank);
    let every = images.len().div_ceil(CHOSEN_BY);
    let sequences: Vec<Vec<&Tensor>> =
        images.iter().step_by(every).map(|image| presented(image, &blank, presentation)).collect();
    Ok(quantize_by_error(graph, parameters, &calibration, &sequences, pixels, candidates)?)
}

/// What quantisation costs at every node, on the calibration frames.
pub fn quantization_report(
    checkpoint: &Checkpoint,
    quantized: &Quantized,
    calibration: &Path,
) -> Result<QuantizationReport, DeviceError> {
    let images = calibration_images(checkpoint, calibration)?;
    let presentation = &checkpoint.description.presentation;
    let blank = Tensor::full(checkpoint.graph.frame, presentation.blank);
    let sequences: Vec<Vec<&Tensor>> = images.iter().map(|image| presented(image, &blank, presentation)).collect();
    Ok(QuantizationReport::new(&checkpoint.graph, &checkpoint.parameters, &quantized.graph, &sequences))
}

/// Calibration frames as the network sees them.
fn calibration_images(checkpoint: &Checkpoint, calibration: &Path) -> Result<Vec<Tensor>, DeviceError> {
    let preprocessing = &checkpoint.description.preprocessing;
    if !calibration.is_file() {
        let (height, width, channels) = (preprocessing.height, preprocessing.width, preprocessing.channels);
        return Err(DeviceError::NoCalibration { path: calibration.into(), height, width, channels });
    }
    let normalized = |pixels: &Vec<u8>| {
        let values = preprocessing.normalize(pixels).into_iter().map(f64::from).collect();
        Tensor::new(checkpoint.graph.frame, values)
    };
    Ok(read_calibration(calibration, preprocessing)?.iter().map(normalized).collect())
}

/// Writes the program of a checkpoint. The calibration frames are read for int8 only.
pub fn program(
    checkpoint: &Checkpoint,
    numerics: Numerics,
    options: &ProgramOptions,
    calibration: &Path,
) -> Result<AlignedBytes, DeviceError> {
    match numerics {
        Numerics::Real => {
            let bytes = write_real(&checkpoint.graph, &checkpoint.parameters, &description(checkpoint), options)?;
            Ok(AlignedBytes::copy_of(&bytes))
        }
        Numerics::Integer => {
            let chosen = quantized(checkpoint, calibration, &Candidates::default())?;
            integer_program(checkpoint, &chosen.quantized, options)
        }
    }
}

/// Writes the int8 program of a checkpoint that has been quantised.
pub fn integer_program(
    checkpoint: &Checkpoint,
    quantized: &Quantized,
    options: &ProgramOptions,
) -> Result<AlignedBytes, DeviceError> {
    let bytes = write_integer(&checkpoint.graph, quantized, &description(checkpoint), options)?;
    Ok(AlignedBytes::copy_of(&bytes))
}

fn description(checkpoint: &Checkpoint) -> ProgramDescription<'_> {
    ProgramDescription {
        class_names: &checkpoint.description.class_names,
        preprocessing: Some(&checkpoint.description.preprocessing),
        presentation: checkpoint.description.presentation,
    }
}
