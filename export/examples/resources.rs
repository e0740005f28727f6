//! Working memory, and work left out, of the nets of the catalogue that take frames of at most 32 pixels, as two tables
//! in Markdown. Both depend on architectures alone, not on weights.
//!
//! `cargo run -p convrnn-export --example resources -- memory` (or `skipping`, or `feedforward`: the working memory of nets
//! without recurrence and with relu alone, as other runtimes take them)

mod common;

use common::Untrained;
use convrnn_export::program::{AlignedBytes, ProgramDescription, ProgramOptions, ProgramReport, write_integer};
use convrnn_graph::{Presentation, propagation};
use convrnn_models::{Architecture, catalogue};
use convrnn_runtime::{Frame, Program, Session, Skipping, arena_length};
use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

/// Steps with the image on show and steps of gray.
const STEPS: [usize; 2] = [10, 15];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let written = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["memory"] => small_nets().and_then(|nets| memory(&nets)),
        ["skipping"] => small_nets().and_then(|nets| skipping(&nets)),
        ["feedforward"] => feedforward(),
        _ => {
            eprintln!("usage: resources memory|skipping|feedforward");
            return ExitCode::from(2);
        }
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn small_nets() -> Result<Vec<Architecture>, Box<dyn Error>> {
    let mut nets = Vec::new();
    for (name, _) in catalogue::ENTRIES {
        let architecture = catalogue::find(name)?;
        if architecture.lower()?.frame.width <= 32 {
            nets.push(architecture);
        }
    }
    Ok(nets)
}

fn program(
    network: &Untrained,
    presentation: Presentation,
    options: &ProgramOptions,
) -> Result<AlignedBytes, Box<dyn Error>> {
    let description =
        ProgramDescription { class_names: &[], preprocessing: Some(&network.preprocessing), presentation };
    Ok(AlignedBytes::copy_of(&write_integer(&network.quantized, &description, options)?))
}

/// Nets of the catalogue without recurrence, with relu in place of elu and no taps: a row each, without its end.
fn feedforward() -> Result<(), Box<dyn Error>> {
    for (name, text) in catalogue::ENTRIES.iter().filter(|(name, _)| ["ff-28", "ff-32"].contains(name)) {
        let at = text.rfind("[[layer]]").ok_or("no layer")?;
        let (body, last) = text.split_at(at);
        let relu = body.replace("[[layer]]\n", "[[layer]]\nactivation = \"relu\"\n") + last;
        let architecture = Architecture::parse(&relu, name)?;
        let (network, _) = Untrained::new(&architecture)?;
        let report = |band_rows| -> Result<ProgramReport, Box<dyn Error>> {
            let band_rows = NonZeroUsize::new(band_rows);
            let options = ProgramOptions { keep_taps: false, band_rows, ..ProgramOptions::default() };
            let bytes = program(&network, architecture.presentation, &options)?;
            Ok(ProgramReport::new(&Program::new_checked(&bytes)?))
        };
        let whole = report(0)?;
        let [four, one] = [report(4)?.arena, report(1)?.arena];
        println!("| {name}, relu | {} | {} | {} | {four} | {one} |", whole.states, whole.frame_bytes, whole.arena);
    }
    Ok(())
}

fn memory(nets: &[Architecture]) -> Result<(), Box<dyn Error>> {
    println!(
        "| net | states | frame | most transients in use at once | arena | arena / sum of these | in bands of 4 rows | of 1 |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for architecture in nets {
        let (network, _) = Untrained::new(architecture)?;
        let report = |band_rows| -> Result<ProgramReport, Box<dyn Error>> {
            let options = ProgramOptions { band_rows: NonZeroUsize::new(band_rows), ..ProgramOptions::default() };
            let bytes = program(&network, architecture.presentation, &options)?;
            Ok(ProgramReport::new(&Program::new_checked(&bytes)?))
        };
        let [four, one] = [report(4)?.arena, report(1)?.arena];
        let report = report(0)?;
        let needed = report.states + report.frame_bytes + report.largest_live;
        println!(
            "| {} | {} | {} | {} | {} | {:.3} | {four} | {one} |",
            report.name,
            report.states,
            report.frame_bytes,
            report.largest_live,
            report.arena,
            report.arena as f64 / needed as f64
        );
    }
    Ok(())
}

/// The image for some steps, then gray; nothing is presented in between.
fn skipping(nets: &[Architecture]) -> Result<(), Box<dyn Error>> {
    println!(
        "| net | every layer, each step | bound by propagation | done by propagation | done by comparison | same bits |"
    );
    println!("|---|---|---|---|---|---|");
    let [image_steps, gray_steps] = STEPS;
    let presentation = Presentation { steps: image_steps + gray_steps, image_steps, blank: 0.0 };
    let changes: Vec<bool> = (0..presentation.steps).map(|step| step == 0 || step == image_steps).collect();
    for architecture in nets {
        let (network, _) = Untrained::new(architecture)?;
        let bound = propagation::multiply_accumulates(&network.graph, &changes);
        let whole = convrnn_graph::Cost::new(&network.graph).multiply_accumulates() * presentation.steps as u64;
        let mut answers = Vec::new();
        for skipping in [Skipping::None, Skipping::Propagation, Skipping::Comparison] {
            let options = ProgramOptions { skipping, ..ProgramOptions::default() };
            let bytes = program(&network, presentation, &options)?;
            let mut arena = AlignedBytes::zeroed(arena_length(&bytes));
            let mut session = Session::new(&bytes, &mut arena)?;
            let pixels: Vec<u8> = (0..network.graph.frame.elements()).map(|index| (index * 37 % 251) as u8).collect();
            let mut checksums = Vec::new();
            for step in 0..presentation.steps {
                if step == 0 {
                    session.present(Frame::Bytes(&pixels))?;
                } else if step == image_steps {
                    session.present_blank();
                }
                session.step();
                checksums.push((session.states_crc(), session.logits_crc()));
            }
            answers.push((checksums, session.work().multiply_accumulates));
        }
        let is_same = answers.iter().all(|(checksums, _)| *checksums == answers[0].0);
        let same = if is_same { "yes" } else { "no" };
        let [_, (_, propagated), (_, compared)] = &answers[..] else { unreachable!("three programs") };
        println!("| {} | {whole} | {bound} | {propagated} | {compared} | {same} |", architecture.name);
    }
    Ok(())
}
