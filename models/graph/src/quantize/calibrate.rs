//! Measures every value of a graph over calibration images and all steps of their presentation.

use super::error::QuantizeError;
use super::histogram::Histogram;
use crate::graph::StepGraph;
use crate::parameters::Parameters;
use crate::presentation::Presentation;
use crate::reference::Interpreter;
use crate::tensor::Tensor;
use rayon::prelude::*;

/// Sequences a worker runs before its result is merged; fixed, so that the result does not depend
/// on the number of threads.
const CHUNK: usize = 8;

/// What was measured. A state's distribution is that of the node that becomes its next value.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The frame.
    pub frame: Histogram,
    /// By node of the float graph.
    pub nodes: Vec<Histogram>,
}

/// The frames of one presentation of one image, step by step.
pub fn presented<'f>(image: &'f Tensor, blank: &'f Tensor, presentation: &Presentation) -> Vec<&'f Tensor> {
    (1..=presentation.steps).map(|step| if presentation.shows_image(step) { image } else { blank }).collect()
}

impl Calibration {
    /// Presents each image (normalised, `[channels, height, width]`) to the f64 reference, all states
    /// zero at the start, and measures every value of every step.
    pub fn of_images(
        graph: &StepGraph,
        parameters: &Parameters<f32>,
        presentation: &Presentation,
        images: &[Tensor],
    ) -> Result<Self, QuantizeError> {
        let blank = Tensor::full(graph.frame, presentation.blank);
        let sequences: Vec<Vec<&Tensor>> = images.iter().map(|image| presented(image, &blank, presentation)).collect();
        Self::of_sequences(graph, parameters, &sequences)
    }

    /// The same for any sequences of frames, each begun with all states zero.
    pub fn of_sequences(
        graph: &StepGraph,
        parameters: &Parameters<f32>,
        sequences: &[Vec<&Tensor>],
    ) -> Result<Self, QuantizeError> {
        parameters.check(graph)?;
        if sequences.iter().all(Vec::is_empty) {
            return Err(QuantizeError::NoCalibration);
        }
        for frame in sequences.iter().flatten() {
            if frame.shape != graph.frame {
                return Err(QuantizeError::Frame { found: frame.shape, expected: graph.frame });
            }
        }
        let values = parameters.to_f64();
        let measured: Vec<Result<Self, QuantizeError>> =
            sequences.par_chunks(CHUNK).map(|chunk| Self::measure(graph, &values, chunk)).collect();
        let mut whole = Self::empty(graph);
        for part in measured {
            let part = part?;
            whole.frame.merge(part.frame);
            for (histogram, more) in whole.nodes.iter_mut().zip(part.nodes) {
                histogram.merge(more);
            }
        }
        Ok(whole)
    }

    fn empty(graph: &StepGraph) -> Self {
        let nodes = graph.nodes.iter().map(|node| Histogram::new(node.shape.channels)).collect();
        Self { frame: Histogram::new(graph.frame.channels), nodes }
    }

    fn measure(graph: &StepGraph, parameters: &Parameters<f64>, chunk: &[Vec<&Tensor>]) -> Result<Self, QuantizeError> {
        let mut measured = Self::empty(graph);
        let mut interpreter = Interpreter::new(graph, parameters);
        for sequence in chunk {
            interpreter.reset();
            for (step, frame) in sequence.iter().enumerate() {
                let not_finite = |name: &str| QuantizeError::NotFinite { value: name.into(), step: step + 1 };
                if !measured.frame.add(&frame.values) {
                    return Err(not_finite("frame"));
                }
                let values = interpreter.step(frame);
                for ((histogram, value), node) in measured.nodes.iter_mut().zip(&values).zip(&graph.nodes) {
                    if !histogram.add(&value.values) {
                        return Err(not_finite(&node.name));
                    }
                }
            }
        }
        Ok(measured)
    }
}
