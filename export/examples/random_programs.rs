//! Writes device programs of random networks, small ones, in both arithmetics, plans and targets: a
//! start for fuzzing.
//!
//! `cargo run -p convrnn-export --example random_programs -- FOLDER`

use convrnn_export::program::{ProgramDescription, ProgramOptions, Target, write_integer, write_real};
use convrnn_format::{Plan, Skipping};
use convrnn_graph::quantize::{Calibration, PixelScale, QuantizeOptions, quantize};
use convrnn_graph::{Presentation, testing};
use convrnn_models::Preprocessing;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Networks; each gives one program of either arithmetic.
const NETWORKS: u64 = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args().nth(1).ok_or("usage: random_programs FOLDER")?.into();
    std::fs::create_dir_all(&folder)?;
    for seed in 0..NETWORKS {
        write(seed, &folder)?;
    }
    println!("{}: {} programs", folder.display(), 2 * NETWORKS);
    Ok(())
}

fn write(seed: u64, folder: &Path) -> Result<(), Box<dyn Error>> {
    let network = testing::random_network(seed);
    let frame = network.graph.frame;
    let preprocessing = Preprocessing {
        channels: frame.channels,
        height: frame.height,
        width: frame.width,
        mean: vec![0.5; frame.channels],
        standard_deviation: vec![0.25; frame.channels],
        decoding: Default::default(),
    };
    let presentation = Presentation { steps: 8, image_steps: 6, blank: 0.0 };
    let description = ProgramDescription { class_names: &[], preprocessing: Some(&preprocessing), presentation };
    let options = ProgramOptions {
        plan: if seed.is_multiple_of(2) { Plan::Sequential } else { Plan::Parallel },
        target: Target::ALL[seed as usize % Target::ALL.len()],
        keep_taps: !seed.is_multiple_of(4),
        skipping: [Skipping::None, Skipping::Propagation, Skipping::Comparison][seed as usize % 3],
        band_rows: std::num::NonZeroUsize::new(seed as usize % 5 / 2),
        shares_windows: true,
        precompute: seed.is_multiple_of(5),
    };
    let real = write_real(&network.graph, &network.parameters, &description, &options)?;
    std::fs::write(folder.join(format!("real-{seed}.crnn")), real)?;

    let images = testing::random_frames(frame, 4, seed);
    let calibration = Calibration::of_images(&network.graph, &network.parameters, &presentation, &images)?;
    let pixels = PixelScale { mean: &preprocessing.mean, standard_deviation: &preprocessing.standard_deviation };
    let quantized = quantize(&network.graph, &network.parameters, &calibration, pixels, &QuantizeOptions::default())?;
    let integer = write_integer(&quantized, &description, &options)?;
    std::fs::write(folder.join(format!("integer-{seed}.crnn")), integer)?;
    Ok(())
}
