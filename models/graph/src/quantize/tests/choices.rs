//! Choices by measured error, and types that an earlier conversion found.

use crate::parameters::Parameters;
use crate::quantize::*;
use crate::tensor::Tensor;
use crate::testing::{RandomNetwork, random_frames, random_network};

const STEPS: usize = 12;

fn frames(network: &RandomNetwork, seed: u64) -> Vec<Vec<Tensor>> {
    (0..4).map(|run| random_frames(network.graph.frame, STEPS, seed * 10 + run)).collect()
}

fn borrowed(frames: &[Vec<Tensor>]) -> Vec<Vec<&Tensor>> {
    frames.iter().map(|run| run.iter().collect()).collect()
}

/// Calls `test` with a network, its calibration and sequences, and its pixels' meaning.
fn with_network(seed: u64, test: impl FnOnce(&RandomNetwork, &Calibration, &[Vec<&Tensor>], PixelScale<'_>)) {
    let network = random_network(seed);
    let frames = frames(&network, seed);
    let sequences = borrowed(&frames);
    let calibration = Calibration::of_sequences(&network.graph, &network.parameters, &sequences).expect("finite");
    let (mean, deviation) = (vec![0.5; network.graph.frame.channels], vec![0.25; network.graph.frame.channels]);
    test(&network, &calibration, &sequences, PixelScale { mean: &mean, standard_deviation: &deviation });
}

#[test]
fn what_is_chosen_is_the_best_of_what_was_tried() {
    let (mut kept, mut own_rules) = (0, 0);
    for seed in 0..40 {
        with_network(seed, |network, calibration, sequences, pixels| {
            let RandomNetwork { graph, parameters } = network;
            let chosen = quantize_by_error(graph, parameters, calibration, sequences, pixels, &Candidates::default());
            let chosen = chosen.expect("quantises");
            let last = chosen.trials.iter().rev().find(|trial| trial.is_kept).expect("the first is kept");
            for trial in &chosen.trials {
                // A gain of a hundredth of the squared error is asked for.
                assert!(last.error <= 1.006 * trial.error, "seed {seed}: {} after\n{chosen}", last.what);
            }
            let again = quantize(graph, parameters, calibration, pixels, &chosen.options).expect("quantises");
            assert_eq!(again, chosen.quantized, "seed {seed}");
            kept += usize::from(chosen.trials.iter().filter(|trial| trial.is_kept).count() > 1);
            own_rules += chosen.options.exceptions.len();
        });
    }
    assert!(kept > 20 && own_rules > 20, "{kept} networks bettered, {own_rules} values with a rule of their own");
}

#[test]
fn one_candidate_leaves_no_choice() {
    with_network(3, |network, calibration, sequences, pixels| {
        let RandomNetwork { graph, parameters } = network;
        for range in RangeRule::ALL {
            let candidates = Candidates { ranges: vec![range], correct_bias: vec![true] };
            let chosen = quantize_by_error(graph, parameters, calibration, sequences, pixels, &candidates);
            let chosen = chosen.expect("quantises");
            let options = QuantizeOptions { range, correct_bias: true, ..QuantizeOptions::default() };
            assert_eq!((chosen.trials.len(), &chosen.options), (1, &options));
            let plain = quantize(graph, parameters, calibration, pixels, &options).expect("quantises");
            assert_eq!(plain, chosen.quantized);
        }
    });
}

#[test]
fn types_found_once_give_the_same_graph_again() {
    for seed in 0..80 {
        with_network(seed, |network, calibration, _, pixels| {
            let RandomNetwork { graph, parameters } = network;
            let first =
                quantize(graph, parameters, calibration, pixels, &QuantizeOptions::default()).expect("quantises");
            first.types.check().expect("sound");
            let again = quantize_with_types(graph, parameters, &first.types, pixels).expect("quantises");
            assert_eq!(again, first, "seed {seed}");
            // Other weights: types of values stay, unless a sum would no longer fit.
            let smaller = Parameters {
                values: parameters.values.iter().map(|tensor| tensor.iter().map(|w| 0.9 * w).collect()).collect(),
            };
            let other = quantize_with_types(graph, &smaller, &first.types, pixels).expect("quantises");
            assert_ne!(other.graph, first.graph);
            for (node, before) in other.graph.nodes.iter().zip(&first.graph.nodes) {
                assert_eq!(node.output, before.output, "seed {seed}, {}", node.name);
            }
        });
    }
}

#[test]
fn types_of_another_graph_are_refused() {
    let mut types = None;
    with_network(1, |network, calibration, _, pixels| {
        let options = QuantizeOptions::default();
        let quantized = quantize(&network.graph, &network.parameters, calibration, pixels, &options);
        types = Some(quantized.expect("quantises").types);
    });
    let mut types = types.expect("there are some");
    with_network(1, |network, _, _, pixels| {
        types.values.remove(0);
        let found = quantize_with_types(&network.graph, &network.parameters, &types, pixels);
        assert!(matches!(found, Err(QuantizeError::NoType { .. })), "{found:?}");
        types.values[0].scale = 0.0;
        assert!(types.check().is_err());
    });
}
