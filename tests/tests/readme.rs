//! The commands of the README, run in its order, and its example, compiled.

use convrnn_export::program::{AlignedBytes, ProgramDescription, ProgramOptions, write_real};
use convrnn_graph::Parameters;
use convrnn_models::{Preprocessing, catalogue};
use convrnn_runtime::format::Prelude;
use convrnn_tests::markdown::document;
use convrnn_tests::{programs, root};
use std::process::Command;

fn blocks(language: &str) -> Vec<String> {
    document("README.md").blocks_of(language)
}

/// `cargo xtask` commands run by themselves: `test` is what runs this, `demo` and `setup` come before.
#[test]
fn every_command_of_the_readme_succeeds() {
    let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let commands: Vec<String> = blocks("sh")
        .iter()
        .flat_map(|block| block.lines())
        .filter(|line| line.starts_with("convrnn-"))
        .map(str::to_owned)
        .collect();
    assert!(commands.len() >= 10, "{} commands", commands.len());
    for command in commands {
        let output =
            Command::new("bash").args(["-c", &command]).current_dir(folder.path()).env("PATH", &path).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{command}\n{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!output.stdout.is_empty(), "{command} printed nothing");
    }
}

/// A program as `include_program!` would give it, and an arena for it.
fn program() -> AlignedBytes {
    let architecture = catalogue::find("rgc-28-m4").unwrap();
    let graph = architecture.lower().unwrap();
    let values = graph
        .parameters
        .iter()
        .map(|parameter| (0..parameter.elements()).map(|i| (i % 5) as f32 * 0.05 - 0.1).collect());
    let parameters = Parameters { values: values.collect() };
    let preprocessing = Preprocessing {
        channels: 1,
        height: 28,
        width: 28,
        mean: vec![0.2],
        standard_deviation: vec![0.3],
        decoding: Default::default(),
    };
    let description = ProgramDescription {
        class_names: &[],
        preprocessing: Some(&preprocessing),
        presentation: architecture.presentation,
    };
    AlignedBytes::copy_of(&write_real(&graph, &parameters, &description, &ProgramOptions::default()).unwrap())
}

#[test]
fn the_example_is_the_code_that_runs_here() {
    let source = include_str!("readme.rs");
    let shown = blocks("rust").concat();
    let body =
        source.split("// What the README shows.\n").nth(1).unwrap().split("// End of what it shows.").next().unwrap();
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(shown.contains(line), "the README lacks: {line}");
    }
    let firmware = std::fs::read_to_string(root().join("firmware-examples/common/programs/stream.rs")).unwrap();
    assert!(firmware.contains("include_program!") && shown.contains("include_program!"));
}

#[test]
fn a_device_reads_out_a_decision() {
    let bytes: &'static AlignedBytes = Box::leak(Box::new(program()));
    let program = BuiltIn::assume_verified(bytes, Prelude::at(bytes, 0).crc);
    let mut arena = AlignedBytes::zeroed(convrnn_runtime::arena_length(bytes));
    let pixels: Vec<u8> = (0..784).map(|i| (i * 11 % 256) as u8).collect();
    let decision = decide(program, &mut arena, &pixels).unwrap();
    assert!(decision.is_some_and(|decision| decision.class < 10));
}

// What the README shows.
use convrnn_runtime::{BuiltIn, Decision, Frame, LoadError, Readout, Rule, Session};

fn decide(program: BuiltIn, arena: &mut [u8], pixels: &[u8]) -> Result<Option<Decision>, LoadError> {
    let mut session = Session::built_in(program, arena)?;
    let mut scores = [0.0; 10];
    let mut readout = Readout::new(Rule::Confidence(0.9), &mut scores);
    let mut decision = None;
    let _ = session.present(Frame::Bytes(pixels)); // when the camera has a frame
    for _ in 0..8 {
        session.step(); // every 10 ms; cannot fail
        decision = readout.update(&session).ok().flatten();
        if decision.is_some_and(|decision| decision.is_done) {
            break;
        }
    }
    Ok(decision)
}
// End of what it shows.
