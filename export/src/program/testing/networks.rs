//! Random networks as programs.

use super::super::{AlignedBytes, ProgramDescription, ProgramOptions, Target, write_integer, write_real};
use convrnn_format::{Numerics, Plan, Skipping};
use convrnn_graph::quantize::{Calibration, PixelScale, QuantizeOptions, Quantized, quantize};
use convrnn_graph::testing::{RandomNetwork, random_frames, random_network};
use convrnn_graph::{Presentation, Tensor};
use std::num::NonZeroUsize;

/// Steps of every comparison.
pub const STEPS: usize = 7;

/// Every plan with every target, each with one form of skipping and one height of bands.
pub fn variants() -> Vec<ProgramOptions> {
    let mut variants = Vec::new();
    for plan in [Plan::Sequential, Plan::Parallel] {
        for target in [Target::Rows, Target::Portable, Target::X86_64] {
            for keep_taps in [true, false] {
                let skipping = [Skipping::None, Skipping::Propagation, Skipping::Comparison][variants.len() % 3];
                let band_rows = NonZeroUsize::new([0, 1, 0, 2, 3][variants.len() % 5]);
                let shares_windows = !variants.len().is_multiple_of(4);
                variants.push(ProgramOptions {
                    plan,
                    target,
                    keep_taps,
                    skipping,
                    band_rows,
                    shares_windows,
                    precompute: false,
                });
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

/// The program of a random network, packed for a target: one of the plans, with or without memory for taps, one form of
/// skipping and one height of bands, by the seed.
pub fn network_program(seed: u64, target: Target, numerics: Numerics) -> AlignedBytes {
    let (network, frames) = network(seed);
    let variants: Vec<ProgramOptions> =
        variants().into_iter().filter(|options| options.target == Target::Portable).collect();
    // Collections hold networks at one seed of eight.
    let index = seed as usize / 8;
    let band_rows = NonZeroUsize::new(index / variants.len() % 4);
    let options = ProgramOptions { target, band_rows, ..variants[index % variants.len()] };
    let program = match numerics {
        Numerics::Integer => write_integer(&quantized(&network, &frames), &description(), &options),
        Numerics::Real => write_real(&network.graph, &network.parameters, &description(), &options),
    };
    AlignedBytes::copy_of(&program.expect("a program"))
}
