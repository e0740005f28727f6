//! From a trained network and raw training frames to its integer form.

use crate::Checkpoint;
use convrnn_graph::Tensor;
use convrnn_graph::quantize::{
    Calibration, Candidates, Chosen, PixelScale, QuantizeError, Quantized, presented, quantize_by_error,
    quantize_with_types,
};

/// Calibration images, spread over all of them, whose logits choices of the quantisation are measured by.
const CHOSEN_BY: usize = 64;

/// What raw pixels of a checkpoint's frames mean.
pub fn pixel_scale(checkpoint: &Checkpoint) -> PixelScale<'_> {
    let preprocessing = &checkpoint.description.preprocessing;
    PixelScale { mean: &preprocessing.mean, standard_deviation: &preprocessing.standard_deviation }
}

/// Raw frames, `[height, width, channels]` each, as the network sees them.
pub fn normalized(checkpoint: &Checkpoint, frames: &[Vec<u8>]) -> Vec<Tensor> {
    let normalize = |pixels: &Vec<u8>| {
        let values = checkpoint.description.preprocessing.normalize(pixels);
        Tensor::new(checkpoint.graph.frame, values.into_iter().map(f64::from).collect())
    };
    frames.iter().map(normalize).collect()
}

/// Quantises a folded checkpoint with raw training frames, over all steps of its presentation, in the way that leaves its
/// logits nearest to those of the float network.
pub fn calibrated(
    checkpoint: &Checkpoint,
    frames: &[Vec<u8>],
    candidates: &Candidates,
) -> Result<Chosen, QuantizeError> {
    let (graph, parameters) = (&checkpoint.graph, &checkpoint.parameters);
    let images = normalized(checkpoint, frames);
    let presentation = &checkpoint.description.presentation;
    let calibration = Calibration::of_images(graph, parameters, presentation, &images)?;
    let blank = Tensor::full(graph.frame, presentation.blank);
    let every = images.len().div_ceil(CHOSEN_BY).max(1);
    let sequences: Vec<Vec<&Tensor>> =
        images.iter().step_by(every).map(|image| presented(image, &blank, presentation)).collect();
    quantize_by_error(graph, parameters, &calibration, &sequences, pixel_scale(checkpoint), candidates)
}

/// Quantises a checkpoint with the types that it was trained with, where it was.
pub fn as_trained(checkpoint: &Checkpoint) -> Option<Result<Quantized, QuantizeError>> {
    let types = checkpoint.types.as_ref()?;
    Some(quantize_with_types(&checkpoint.graph, &checkpoint.parameters, types, pixel_scale(checkpoint)))
}
