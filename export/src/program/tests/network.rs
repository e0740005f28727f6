//! Random networks as programs.

use super::super::*;
use convrnn_graph::quantize::{Calibration, IntegerTensor, PixelScale, QuantizeOptions, Quantized, quantize};
use convrnn_graph::testing::{RandomNetwork, random_frames, random_network};
use convrnn_graph::{Shape, Tensor};
use convrnn_runtime::Tensor as View;

/// Steps of every comparison.
pub const STEPS: usize = 7;

/// Every plan with every target, each with one form of skipping.
pub fn variants() -> Vec<ProgramOptions> {
    let mut variants = Vec::new();
    for plan in [Plan::Sequential, Plan::Parallel] {
        for target in [Target::Rows, Target::Portable, Target::X86_64] {
            for keep_taps in [true, false] {
                let skipping = [Skipping::None, Skipping::Propagation, Skipping::Comparison][variants.len() % 3];
                variants.push(ProgramOptions { plan, target, keep_taps, skipping });
            }
        }
    }
    variants
}

pub fn description() -> ProgramDescription<'static> {
    ProgramDescription { class_names: &[], preprocessing: None, presentation: Presentation::held(STEPS) }
}

pub fn network(seed: u64) -> (RandomNetwork, Vec<Tensor>) {
    let network = random_network(seed);
    let frames = random_frames(network.graph.frame, STEPS, seed);
    (network, frames)
}

/// The network in integers, calibrated on the very frames.
pub fn quantized(network: &RandomNetwork, frames: &[Tensor]) -> Quantized {
    let RandomNetwork { graph, parameters } = network;
    let sequence: Vec<&Tensor> = frames.iter().collect();
    let calibration = Calibration::of_sequences(graph, parameters, &[sequence]).expect("the frames fit");
    let (mean, deviation) = (vec![0.5; graph.frame.channels], vec![0.25; graph.frame.channels]);
    let pixels = PixelScale { mean: &mean, standard_deviation: &deviation };
    quantize(graph, parameters, &calibration, pixels, &QuantizeOptions::default()).expect("the network quantises")
}

/// `[channels, height, width]` to `[height, width, channels]`.
pub fn interleave<T: Copy>(shape: Shape, planes: &[T]) -> Vec<T> {
    let positions = shape.positions();
    (0..positions)
        .flat_map(|position| (0..shape.channels).map(move |channel| planes[channel * positions + position]))
        .collect()
}

/// Integers of a tensor in the arena, `[channels, height, width]`.
pub fn integers(view: &View<'_>, shape: Shape) -> IntegerTensor {
    let mut values = Vec::with_capacity(shape.elements());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                values.push(view.integer(view.index(channel, row, column)).expect("an integer"));
            }
        }
    }
    IntegerTensor { shape, values }
}

/// Reals of a tensor in the arena, `[channels, height, width]`.
pub fn reals(view: &View<'_>, shape: Shape) -> Vec<f64> {
    let mut values = Vec::with_capacity(shape.elements());
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                values.push(f64::from(view.real(view.index(channel, row, column)).expect("a real")));
            }
        }
    }
    values
}
