//! From a checkpoint to a device program: calibration, quantisation and writing in one.

use crate::program::{AlignedBytes, ProgramDescription, ProgramError, ProgramOptions, write_integer, write_real};
use convrnn_graph::Tensor;
use convrnn_graph::quantize::{QuantizationReport, QuantizeError, Quantized, presented};
use convrnn_models::checkpoint::{names, read_calibration};
use convrnn_models::quantization::{self, Calibrated, CalibrationOptions, LARGE_ERROR};
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

/// How an int8 form comes about.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantization {
    /// With the types that the weights were trained with, where they were; otherwise calibrated.
    Given,
    /// From calibration frames, over all steps of the checkpoint's presentation.
    Calibrated(CalibrationOptions),
}

/// A quantised network and, where it was calibrated, what was tried.
#[derive(Clone, Debug)]
pub struct QuantizedCheckpoint {
    /// The network.
    pub quantized: Quantized,
    /// Root mean square error of its logits, relative to that of the float network's, on calibration frames; none where
    /// there are none.
    pub error: Option<f64>,
    /// None for types that the weights were trained with.
    pub calibrated: Option<Calibrated>,
}

impl QuantizedCheckpoint {
    /// What a user should know before trusting the program: doubts about its calibration, and an error that is large.
    pub fn warnings(&self) -> Vec<String> {
        let error = self.error.filter(|error| *error > LARGE_ERROR).map(|error| {
            format!(
                "on the calibration frames, int8's logits differ from f32's by {:.0} % of their size (root mean square), and \
                 more than {:.0} % is large: see `convrnn-export program --report` for the values that lose most, or \
                 `convrnn-train fine-tune`",
                100.0 * error,
                100.0 * LARGE_ERROR
            )
        });
        let doubts = self.calibrated.iter().flat_map(|calibrated| &calibrated.doubts);
        doubts.map(|doubt| doubt.to_string()).chain(error).collect()
    }
}

/// Quantises a folded checkpoint. Raw training frames, `[N, height, width, channels]`, are read where they are needed.
pub fn quantized(
    checkpoint: &Checkpoint,
    calibration: &Path,
    how: &Quantization,
) -> Result<QuantizedCheckpoint, DeviceError> {
    let calibrated = |options: &CalibrationOptions| {
        let frames = calibration_frames(checkpoint, calibration)?;
        let calibrated = quantization::calibrated(checkpoint, &frames, options)?;
        let (quantized, error) = (calibrated.chosen.quantized.clone(), calibrated.error());
        Ok(QuantizedCheckpoint { quantized, error, calibrated: Some(calibrated) })
    };
    match how {
        Quantization::Given => match quantization::as_trained(checkpoint) {
            Some(quantized) => {
                let quantized = quantized?;
                // Such a checkpoint needs no frames; its error is known where it has some.
                let frames = calibration_frames(checkpoint, calibration).ok();
                let error = frames.and_then(|frames| quantization::error_of(checkpoint, &quantized, &frames));
                Ok(QuantizedCheckpoint { quantized, error, calibrated: None })
            }
            None => calibrated(&CalibrationOptions::default()),
        },
        Quantization::Calibrated(options) => calibrated(options),
    }
}

/// What quantisation costs at every node, on the calibration frames.
pub fn quantization_report(
    checkpoint: &Checkpoint,
    quantized: &Quantized,
    calibration: &Path,
) -> Result<QuantizationReport, DeviceError> {
    let images = quantization::normalized(checkpoint, &calibration_frames(checkpoint, calibration)?);
    let presentation = &checkpoint.description.presentation;
    let blank = Tensor::full(checkpoint.graph.frame, presentation.blank);
    let sequences: Vec<Vec<&Tensor>> = images.iter().map(|image| presented(image, &blank, presentation)).collect();
    Ok(QuantizationReport::new(&checkpoint.graph, &checkpoint.parameters, &quantized.graph, &sequences))
}

fn calibration_frames(checkpoint: &Checkpoint, calibration: &Path) -> Result<Vec<Vec<u8>>, DeviceError> {
    let preprocessing = &checkpoint.description.preprocessing;
    if !calibration.is_file() {
        let (height, width, channels) = (preprocessing.height, preprocessing.width, preprocessing.channels);
        return Err(DeviceError::NoCalibration { path: calibration.into(), height, width, channels });
    }
    Ok(read_calibration(calibration, preprocessing)?)
}

/// Writes the program of a checkpoint. The calibration frames are read for int8 only; each warning about them is told.
pub fn program(
    checkpoint: &Checkpoint,
    numerics: Numerics,
    options: &ProgramOptions,
    calibration: &Path,
    mut warn: impl FnMut(String),
) -> Result<AlignedBytes, DeviceError> {
    match numerics {
        Numerics::Real => {
            let plain = checkpoint.clone().fold_constants().map_err(ProgramError::from)?;
            let bytes = write_real(&plain.graph, &plain.parameters, &description(&plain), options)?;
            Ok(AlignedBytes::copy_of(&bytes))
        }
        Numerics::Integer => {
            let made = quantized(checkpoint, calibration, &Quantization::Given)?;
            made.warnings().into_iter().for_each(&mut warn);
            integer_program(checkpoint, &made.quantized, options)
        }
    }
}

/// Writes the int8 program of a checkpoint that has been quantised.
pub fn integer_program(
    checkpoint: &Checkpoint,
    quantized: &Quantized,
    options: &ProgramOptions,
) -> Result<AlignedBytes, DeviceError> {
    let bytes = write_integer(quantized, &description(checkpoint), options)?;
    Ok(AlignedBytes::copy_of(&bytes))
}

fn description(checkpoint: &Checkpoint) -> ProgramDescription<'_> {
    ProgramDescription {
        class_names: &checkpoint.description.class_names,
        preprocessing: Some(&checkpoint.description.preprocessing),
        presentation: checkpoint.description.presentation,
    }
}
