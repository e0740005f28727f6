//! Networks with random weights, for checks and figures that do not depend on training.

use convrnn_graph::quantize::{Calibration, PixelScale, QuantizeOptions, Quantized, quantize};
use convrnn_graph::{Initializer, Parameters, StepGraph, Tensor};
use convrnn_models::{Architecture, Preprocessing};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;

/// Frames that the scales are found on.
const CALIBRATION_FRAMES: usize = 8;

/// A network with random weights, in integers.
pub struct Untrained {
    pub graph: StepGraph,
    pub quantized: Quantized,
    pub preprocessing: Preprocessing,
}

impl Untrained {
    /// The network, and its weights in f32.
    pub fn new(architecture: &Architecture) -> Result<(Self, Parameters<f32>), Box<dyn Error>> {
        let graph = architecture.lower()?;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let parameters = random_parameters(&graph, &mut random);
        let (graph, parameters) = convrnn_graph::passes::fold(&graph, &parameters)?;
        let channels = graph.frame.channels;
        let preprocessing = Preprocessing {
            channels,
            height: graph.frame.height,
            width: graph.frame.width,
            mean: vec![0.5; channels],
            standard_deviation: vec![0.25; channels],
            decoding: Default::default(),
        };
        let frames: Vec<Tensor> = (0..CALIBRATION_FRAMES)
            .map(|_| {
                let pixels: Vec<u8> = (0..graph.frame.elements()).map(|_| random.random()).collect();
                Tensor::new(graph.frame, preprocessing.normalize(&pixels).into_iter().map(f64::from).collect())
            })
            .collect();
        let calibration = Calibration::of_images(&graph, &parameters, &architecture.presentation, &frames)?;
        let pixels = PixelScale { mean: &preprocessing.mean, standard_deviation: &preprocessing.standard_deviation };
        let quantized = quantize(&graph, &parameters, &calibration, pixels, &QuantizeOptions::default())?;
        Ok((Self { graph, quantized, preprocessing }, parameters))
    }
}

/// Uniform weights whose variance keeps that of a layer's input, as in He et al. 2015, and small biases.
fn random_parameters(graph: &StepGraph, random: &mut ChaCha8Rng) -> Parameters<f32> {
    let values = graph.parameters.iter().map(|parameter| -> Vec<f32> {
        if let Initializer::Constant { value } = parameter.initializer {
            // Scales and variances of normalisations among them.
            let near = (0..parameter.elements()).map(|_| value as f32 * random.random_range(0.5..1.5));
            return near.collect();
        }
        let fan_in: usize = parameter.shape.iter().skip(1).product();
        let limit = if parameter.shape.len() > 1 { (6.0 / fan_in as f32).sqrt() } else { 0.1 };
        (0..parameter.elements()).map(|_| random.random_range(-limit..limit)).collect()
    });
    Parameters { values: values.collect() }
}
