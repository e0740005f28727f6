//! From a trained network and raw training frames to its integer form.

use crate::Checkpoint;
use crate::calibration::{Doubt, doubts_of_frames, doubts_of_values};
use convrnn_graph::quantize::{
    Calibration, Candidates, Chosen, PixelScale, QuantizationReport, QuantizeError, Quantized, presented,
    quantize_by_error, quantize_with_types,
};
use convrnn_graph::{Cost, Operation, StepGraph, Tensor};

/// The most calibration images, spread over all of them, whose logits choices of the quantisation are measured by.
const CHOSEN_BY: usize = 64;
/// Fewer say too little: then nothing is tried, and every value gets the first rule.
const LEAST_CHOSEN_BY: usize = 4;
/// Multiply-accumulates that may be spent on all trials together: some seconds.
const AFFORDABLE: u64 = 2_000_000_000;

/// How many images the choices can be measured by: as many as all trials together can afford.
fn chosen_by(graph: &StepGraph, steps: usize, candidates: &Candidates) -> usize {
    let ways = candidates.ranges.len() * candidates.correct_bias.len();
    let convolutions = graph.nodes.iter().filter(|node| matches!(node.operation, Operation::Convolution(_))).count();
    // Each i8 value by itself: what convolutions read and what states carry, about.
    let values = convolutions + graph.states.len();
    let trials = ways + values * candidates.ranges.len().saturating_sub(1);
    let image = Cost::new(graph).multiply_accumulates() * steps as u64;
    let affordable = AFFORDABLE / (image * trials as u64).max(1);
    usize::try_from(affordable).unwrap_or(CHOSEN_BY).min(CHOSEN_BY)
}

/// How a network is calibrated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalibrationOptions {
    /// What there is to choose from.
    pub candidates: Candidates,
    /// Images of the streams that are shown beside each image by itself, states carried over from one image to the next; 0
    /// for none. As the network was trained if not given: the states of one that was not trained on streams may grow
    /// without end there.
    pub stream: Option<usize>,
}

/// Root mean square error of int8's logits, as a part of the root mean square of the float network's, above which it is
/// called large. Trained networks on images like those of their training lie at 0.02 to 0.05 (docs/QUANTIZATION.md).
pub const LARGE_ERROR: f64 = 0.1;

/// A quantised network, its error, and what is doubtful about the frames that its ranges were found with.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// The network and what else was tried.
    pub chosen: Chosen,
    /// Why its ranges may not hold for other images.
    pub doubts: Vec<Doubt>,
}

impl Calibrated {
    /// Root mean square error of the logits, relative to that of the float network's, on the calibration frames by which
    /// the choices were measured.
    pub fn error(&self) -> Option<f64> {
        self.chosen.trials.iter().rev().find(|trial| trial.is_kept).map(|trial| trial.error)
    }
}

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

/// Quantises a folded checkpoint with raw training frames, over all steps of their presentation and of streams, in the way
/// that leaves its logits nearest to those of the float network.
pub fn calibrated(
    checkpoint: &Checkpoint,
    frames: &[Vec<u8>],
    options: &CalibrationOptions,
) -> Result<Calibrated, QuantizeError> {
    let (graph, parameters) = (&checkpoint.graph, &checkpoint.parameters);
    let images = normalized(checkpoint, frames);
    let presentation = &checkpoint.description.presentation;
    let blank = Tensor::full(graph.frame, presentation.blank);
    let mut alone: Vec<Vec<&Tensor>> = images.iter().map(|image| presented(image, &blank, presentation)).collect();
    let streams: Vec<Vec<&Tensor>> = match options.stream.unwrap_or(checkpoint.stream) {
        0 => Vec::new(),
        count => alone.chunks(count).map(<[Vec<&Tensor>]>::concat).collect(),
    };
    let all: Vec<Vec<&Tensor>> = alone.iter().chain(&streams).cloned().collect();
    let calibration = Calibration::of_sequences(graph, parameters, &all)?;
    let mut candidates = options.candidates.clone();
    let mut count = chosen_by(graph, presentation.steps, &candidates);
    if count < LEAST_CHOSEN_BY {
        candidates.ranges.truncate(1);
        candidates.correct_bias.truncate(1);
        count = 1;
    }
    // As many steps of streams as of images by themselves.
    let every = images.len().div_ceil(count).max(1);
    alone = alone.into_iter().step_by(every).collect();
    alone.extend(streams.into_iter().step_by(every));
    let chosen = quantize_by_error(graph, parameters, &calibration, &alone, pixel_scale(checkpoint), &candidates)?;
    let mut doubts = doubts_of_frames(frames, checkpoint.description.preprocessing.channels);
    doubts.extend(doubts_of_values(graph, parameters, &calibration));
    Ok(Calibrated { chosen, doubts })
}

/// Images that the error of given types is measured by, at the most.
const MEASURED_BY: usize = 16;

/// Root mean square error of the logits of a quantised checkpoint, relative to the root mean square of the float
/// network's, on some of the frames, `[height, width, channels]` each, at every step of their presentation; none without
/// frames.
pub fn error_of(checkpoint: &Checkpoint, quantized: &Quantized, frames: &[Vec<u8>]) -> Option<f64> {
    let (graph, presentation) = (&checkpoint.graph, &checkpoint.description.presentation);
    let image = Cost::new(graph).multiply_accumulates() * presentation.steps as u64;
    let affordable = usize::try_from(AFFORDABLE / image.max(1)).unwrap_or(MEASURED_BY).clamp(1, MEASURED_BY);
    let every = frames.len().div_ceil(affordable).max(1);
    let some: Vec<Vec<u8>> = frames.iter().step_by(every).cloned().collect();
    let images = normalized(checkpoint, &some);
    let blank = Tensor::full(graph.frame, presentation.blank);
    let sequences: Vec<Vec<&Tensor>> = images.iter().map(|image| presented(image, &blank, presentation)).collect();
    let report = QuantizationReport::new(graph, &checkpoint.parameters, &quantized.graph, &sequences);
    let name = &quantized.graph.nodes[quantized.graph.logits.0].name;
    let logits = report.nodes.iter().find(|node| node.name == *name).filter(|_| !frames.is_empty())?;
    Some((logits.noise / logits.signal.max(f64::MIN_POSITIVE)).sqrt())
}

/// Quantises a checkpoint with the types that it was trained with, where it was.
pub fn as_trained(checkpoint: &Checkpoint) -> Option<Result<Quantized, QuantizeError>> {
    let types = checkpoint.types.as_ref()?;
    Some(quantize_with_types(&checkpoint.graph, &checkpoint.parameters, types, pixel_scale(checkpoint)))
}
