//! Writes an int8 program of a catalogue network with random weights, for checks that need a program but no trained one.
//!
//! `cargo run -p convrnn-export --example untrained_program -- rgc-28-m4 net.crnn`

use convrnn_export::program::{ProgramDescription, ProgramOptions, write_integer};
use convrnn_graph::quantize::{Calibration, PixelScale, QuantizeOptions, quantize};
use convrnn_graph::{Parameters, StepGraph, Tensor};
use convrnn_models::files::write_whole;
use convrnn_models::{Preprocessing, catalogue};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// Frames that the scales are found on.
const CALIBRATION_FRAMES: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [architecture, output] = arguments.as_slice() else {
        eprintln!("usage: untrained_program ARCHITECTURE FILE.crnn");
        return ExitCode::from(2);
    };
    match write(architecture, Path::new(output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(architecture: &str, output: &Path) -> Result<(), Box<dyn Error>> {
    let architecture = catalogue::find(architecture)?;
    let graph = architecture.lower()?;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let parameters = random_parameters(&graph, &mut random);
    let channels = graph.frame.channels;
    let preprocessing = Preprocessing {
        channels,
        height: graph.frame.height,
        width: graph.frame.width,
        mean: vec![0.5; channels],
        standard_deviation: vec![0.25; channels],
    };
    let frames: Vec<Tensor> = (0..CALIBRATION_FRAMES)
        .map(|_| {
            let pixels: Vec<u8> = (0..graph.frame.elements()).map(|_| random.random()).collect();
            Tensor::new(graph.frame, preprocessing.normalize(&pixels).into_iter().map(f64::from).collect())
        })
        .collect();
    let presentation = architecture.presentation;
    let calibration = Calibration::of_images(&graph, &parameters, &presentation, &frames)?;
    let pixels = PixelScale { mean: &preprocessing.mean, standard_deviation: &preprocessing.standard_deviation };
    let quantized = quantize(&graph, &parameters, &calibration, pixels, &QuantizeOptions::default())?;
    let class_names: Vec<String> = (0..graph.classes()).map(|class| class.to_string()).collect();
    let description =
        ProgramDescription { class_names: &class_names, preprocessing: Some(&preprocessing), presentation };
    write_whole(output, &write_integer(&graph, &quantized, &description, &ProgramOptions::default())?)?;
    Ok(())
}

/// Uniform weights whose variance keeps that of a layer's input, as in He et al. 2015, and small biases.
fn random_parameters(graph: &StepGraph, random: &mut ChaCha8Rng) -> Parameters<f32> {
    let values = graph.parameters.iter().map(|parameter| {
        let fan_in: usize = parameter.shape.iter().skip(1).product();
        let limit = if parameter.shape.len() > 1 { (6.0 / fan_in as f32).sqrt() } else { 0.1 };
        (0..parameter.elements()).map(|_| random.random_range(-limit..limit)).collect()
    });
    Parameters { values: values.collect() }
}
