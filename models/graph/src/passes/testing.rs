//! Random networks in integers for the tests of passes.

use crate::quantize::{Calibration, PixelScale, QuantizeOptions, QuantizedGraph, quantize};
use crate::testing::{RandomNetwork, random_frames, random_network};

/// A network as the conversion leaves it, before any pass.
pub(super) fn quantized_parts(seed: u64) -> QuantizedGraph {
    let RandomNetwork { graph, parameters } = random_network(seed);
    let frames = random_frames(graph.frame, 12, seed);
    let calibration = Calibration::of_sequences(&graph, &parameters, &[frames.iter().collect()]).expect("finite");
    let (mean, deviation) = (vec![0.5; graph.frame.channels], vec![0.25; graph.frame.channels]);
    let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
    let options = QuantizeOptions { passes: false, ..QuantizeOptions::default() };
    quantize(&graph, &parameters, &calibration, pixels, &options).expect("quantises").graph
}
