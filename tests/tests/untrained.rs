//! What can be known of a network before it is trained: every command that reads a checkpoint takes an untrained one.

use convrnn_models::Trace;
use convrnn_tests::programs;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    Command::new(programs().join(program)).args(arguments).current_dir(folder).output().unwrap()
}

fn succeeds(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = run(folder, program, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn an_untrained_network_is_exported_counted_and_validated() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (name, data) in [("bare", None), ("measured", Some("rendered:train=64,test=16"))] {
        let mut arguments = vec!["init", "--architecture", "rgc-28-m4", "--seed", "5", "--output", name];
        arguments.extend(data.iter().flat_map(|data| ["--data", *data]));
        let said = succeeds(here, "convrnn-train", &arguments);
        assert!(said.contains("untrained, seed 5") && said.contains("preprocessing"), "{said}");
        assert!(succeeds(here, "convrnn-train", &["info", name]).contains("rgc-28-m4"));
        let program = format!("{name}.crnn");
        let onnx = format!("{name}-onnx");
        succeeds(here, "convrnn-export", &["onnx", name, "--output", &onnx]);
        succeeds(
            here,
            "convrnn-export",
            &["program", name, "--numerics", "int8", "--target", "cortex-m4", "--output", &program],
        );
        assert!(succeeds(here, "convrnn-export", &["inspect", &program]).contains("layer2"));
        assert!(
            succeeds(here, "convrnn-export", &["cost", &program, "--target", "cortex-m4"]).contains("instructions")
        );
        let trace = format!("{name}.safetensors");
        let shown = [
            "trace",
            name,
            "--data",
            "rendered:train=8,test=16",
            "--images",
            "12",
            "--record",
            "1",
            "--output",
            &trace,
        ];
        succeeds(here, "convrnn-train", &shown);
        succeeds(
            here,
            "convrnn-export",
            &["validate", name, "--trace", &trace, "--engine", "runtime f32", "--engine", "ONNX Runtime"],
        );
        let (trace, _) = Trace::read(&here.join(&trace)).unwrap();
        let classes: std::collections::BTreeSet<i64> = trace.labels[..10].iter().copied().collect();
        assert_eq!(classes.len(), 10, "the first images of a trace are of all classes");
    }
    let again = run(here, "convrnn-train", &["init", "--architecture", "rgc-28-m4", "--output", "bare"]);
    let error = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(1));
    assert!(error.contains("exists already") && error.contains("give another --output"), "{error}");
    let error = run(here, "convrnn-train", &["eval", "bare"]);
    assert!(String::from_utf8_lossy(&error.stderr).contains("give --data"), "an untrained net names no data");

    // No epoch of training leaves what `init` draws.
    let train = ["train", "--architecture", "rgc-28-m4", "--data", "rendered:train=192,test=40", "--epochs", "0"];
    let said = succeeds(here, "convrnn-train", &[&train[..], &["--seed", "5", "--run", "run"]].concat());
    assert!(said.contains("done: run"), "{said}");
    let weights = |folder: &str| std::fs::read(here.join(folder).join("weights.safetensors")).unwrap();
    assert!(weights("run/last") == weights("bare"), "the same seed, the same weights");
    succeeds(here, "convrnn-export", &["program", "run", "--numerics", "int8", "--output", "run.crnn"]);
}
