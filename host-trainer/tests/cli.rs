//! The command as its users meet it.

use assert_cmd::Command;
use convrnn_graph::{Interpreter, Tensor};
use convrnn_models::{Checkpoint, Trace};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const DATA: &str = "rendered:size=28,train=192,test=40";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("convrnn-train").unwrap();
    // A user who debugs other programs has this set; our errors stay one line.
    command.args(arguments).env("RUST_BACKTRACE", "1");
    command
}

fn stdout(arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with exit code 1 and one line on standard error.
fn error(arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    assert!(text.starts_with("error: ") && !text.contains("backtrace") && !text.contains("panicked"), "{text}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn train(folder: &Path, epochs: &str) -> PathBuf {
    let run = folder.join("run");
    let arguments = [
        "train",
        "--architecture",
        "rgc-28-m4",
        "--data",
        DATA,
        "--epochs",
        epochs,
        "--batch",
        "32",
        "--learning-rate",
        "0.02",
        "--threads",
        "1",
        "--run",
        text(&run),
    ];
    let output = stdout(&arguments);
    assert!(output.contains("epoch 1/") && output.contains("done: "), "{output}");
    assert!(output.contains("; held-out loss ") && output.contains("held-out accuracy at the last step"), "{output}");
    assert!(!output.contains("test"), "nothing of the test images is shown: {output}");
    run
}

#[test]
fn train_evaluate_trace() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), "1");
    for file in [
        "metrics.jsonl",
        "summary.csv",
        "tensorboard/events.out.tfevents.000001.convrnn",
        "plots/state-norms.svg",
        "plots/training.svg",
        "plots/training.csv",
        "plots/accuracy-by-step.svg",
        "plots/logits.svg",
        "plots/samples.png",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }
    for name in ["last", "best"] {
        for file in [
            "architecture.toml",
            "weights.safetensors",
            "optimizer.safetensors",
            "training.toml",
            "state.json",
            "metrics.jsonl",
            "calibration.safetensors",
        ] {
            assert!(run.join(name).join(file).is_file(), "{name}/{file}");
        }
    }
    assert!(
        error(&["train", "--architecture", "rgc-28-m4", "--data", DATA, "--run", text(&run)])
            .contains("exists already")
    );

    let answer: Value =
        serde_json::from_str(&stdout(&["eval", text(&run), "--ablate", "recurrence", "--json"])).unwrap();
    assert_eq!((&answer["images"], &answer["split"]), (&Value::from(40), &Value::from("test")));
    assert_eq!(answer["accuracy_by_step"].as_array().unwrap().len(), 8);
    assert_eq!(answer["ablated_accuracy_by_step"].as_array().unwrap().len(), 8);
    let decoded: Value =
        serde_json::from_str(&stdout(&["eval", text(&run), "--decoders", "--threshold", "0.2", "--json"])).unwrap();
    assert_eq!(decoded["decoders"]["first_image_step"], 4);
    assert_eq!(decoded["decoders"]["last_accuracy"], decoded["last_accuracy"]);
    assert!(decoded["decoders"]["threshold"]["undecided"].as_f64().unwrap() < 1.0, "{decoded}");
    let decoders = stdout(&["eval", text(&run), "--decoders"]);
    assert!(decoders.contains("maximum confidence") && decoders.contains("% undecided"), "{decoders}");
    assert!(error(&["eval", text(&run), "--decoders", "--threshold", "2"]).contains("--threshold: expected"));
    assert!(error(&["eval", text(&run), "--decoders", "--steps", "3"]).contains("reach the logits"));

    let features = folder.path().join("features.npz");
    let arguments = ["features", text(&run), "--layers", "layer3.output", "--limit", "9", "--output", text(&features)];
    assert!(stdout(&arguments).contains("9 images x 256 values x 8 time bins"));
    assert!(features.is_file());
    assert!(error(&arguments).contains("is there already"), "nothing is overwritten");
    let other = folder.path().join("other.npz");
    let bad = ["features", text(&run), "--layers", "layer3.outputt", "--output", text(&other)];
    assert!(error(&bad).contains("did you mean layer3.output?"));

    let streamed: Value =
        serde_json::from_str(&stdout(&["eval", text(&run), "--sequence", "stream=3", "--json"])).unwrap();
    // 13 streams of three images and one image alone.
    assert_eq!((&streamed["images"], &streamed["sequence"]), (&Value::from(40), &Value::from("stream=3")));
    assert_eq!(streamed["accuracy_by_step"].as_array().unwrap().len(), 8);
    let reset: Value =
        serde_json::from_str(&stdout(&["eval", text(&run), "--sequence", "stream-reset=3", "--json"])).unwrap();
    assert_eq!(reset["accuracy_by_step"], answer["accuracy_by_step"]);
    assert_ne!(reset["loss_by_step"], streamed["loss_by_step"]);
    // Decoders look at each image of a stream by the steps since it appeared.
    let arguments = ["eval", text(&run), "--sequence", "stream-reset=3", "--decoders", "--threshold", "0.2", "--json"];
    let reset: Value = serde_json::from_str(&stdout(&arguments)).unwrap();
    assert_eq!(reset["decoders"], decoded["decoders"]);
    let table = stdout(&["eval", text(&run), "--steps", "5", "--image-steps", "2"]);
    assert!(table.lines().any(|line| line.starts_with('5') && line.contains("blank")), "{table}");

    let file = folder.path().join("trace.safetensors");
    stdout(&["trace", text(&run), "--images", "30", "--record", "3", "--output", text(&file)]);
    let (trace, graph) = Trace::read(&file).unwrap();
    assert_eq!((trace.images(), trace.recorded), (30, 3));
    assert!(trace.labels.iter().any(|&label| label != trace.labels[0]), "several classes");
    // The trace against the f64 reference: every value of every step.
    let parameters = Checkpoint::read(&run.join("best")).unwrap().parameters.to_f64();
    let mut interpreter = Interpreter::new(&graph, &parameters);
    let close = |found: &[f32], expected: &Tensor, what: &str| {
        let range = expected.values.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(&expected.values) {
            assert!((f64::from(*found) - expected).abs() < 1e-5 * range, "{what}: {found} {expected}");
        }
    };
    for image in [0, 2, 29] {
        interpreter.reset();
        let frame = trace.description.preprocessing.normalize(trace.frame(image));
        let frame = Tensor::new(graph.frame, frame.into_iter().map(f64::from).collect());
        for step in 1..=trace.description.presentation.steps {
            let values = interpreter.step(&frame);
            close(trace.logits_at(image, step), &values[graph.logits.0], "logits");
            if image < trace.recorded {
                for (node, value) in values.iter().enumerate() {
                    close(trace.value_at(&graph, node, image, step), value, &graph.nodes[node].name);
                }
                for (state, value) in interpreter.states().iter().enumerate() {
                    close(trace.state_at(&graph, state, image, step), value, &graph.states[state].name);
                }
            }
        }
    }
}

#[test]
fn a_comparison_by_options_is_skipped_when_done() {
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("study");
    let mut arguments = vec!["compare", "--architectures", "ff-28,rgc-28-m4", "--data", DATA, "--seeds", "1,2"];
    arguments.extend(["--set", "epochs=1", "--set", "batch=32", "--set", "optimizer.clip=0.1", "--reference", "ff-28"]);
    arguments.extend(["--trials", "2", "--trial-epochs", "1", "--hold-out", "40", "--output", text(&study)]);
    let first = stdout(&arguments);
    assert!(first.contains("run 1/12 ff-28 trial-1: held-out accuracy") && first.contains("minus ff-28"), "{first}");
    let again = stdout(&arguments);
    assert_eq!(again.matches("(done before)").count(), 12, "{again}");
    arguments.push("--json");
    let summary: Value = serde_json::from_str(&stdout(&arguments)).unwrap();
    assert_eq!(summary.as_array().unwrap().len(), 4);
    assert_eq!(summary[2]["architecture"], "rgc-28-m4");
    assert_eq!(summary[2]["difference"]["count"], 2);
    assert!(summary[0]["difference"].is_null());
    for name in ["results.csv", "summary.csv", "trials.csv", "accuracy-against-parameters.svg"] {
        assert!(study.join(name).is_file(), "{name}");
    }
    let wrong = ["compare", "--architectures", "ff-28", "--data", DATA, "--set", "epoch=1", "--output", text(&study)];
    assert!(error(&wrong).contains("did you mean \"epochs\"?"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("convrnn-train"))
        .args(["train", "--architecture", "rgc-28-m4", "--data", DATA, "--epochs", "100000", "--batch", "32"])
        .args(["--threads", "1", "--learning-rate", "0.001", "--run", text(&run)])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !run.join("metrics.jsonl").is_file() {
        assert!(started.elapsed() < Duration::from_secs(120), "no epoch in two minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let message = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(message.contains("interrupted after") && message.contains("--resume"), "{message}");
    let trainer = convrnn_trainer::training::Trainer::resume(&run).unwrap();
    assert!(trainer.state().step > 0);
}

#[test]
fn reports() {
    let list: Value = serde_json::from_str(&stdout(&["list", "--json"])).unwrap();
    let six = list.as_array().unwrap().iter().find(|entry| entry["name"] == "ff-6").unwrap();
    assert_eq!(six["parameters"], 4_197_736);
    assert!(stdout(&["list"]).contains("4,197,736"));
    let info = stdout(&["info", "rgc-6"]);
    assert!(info.contains("layer3.cell.w_ch.weight"), "{info}");
    let step =
        "first image-driven logits: step 4, by the arrows and edges alone (no weights make it sooner, some later)";
    assert!(stdout(&["info", "rgc-28"]).contains(step));
    let info: Value = serde_json::from_str(&stdout(&["info", "rgc-28", "--json"])).unwrap();
    assert_eq!(info["first_image_step"], 4);
    assert!(stdout(&["completions", "bash"]).contains("convrnn-train"));
    assert_eq!(command(&["train", "--epochs", "3"]).output().unwrap().status.code(), Some(2));
    assert_eq!(command(&["eval"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn bad_inputs_are_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let train = |extra: &[&str]| {
        let run = nowhere.to_str().unwrap();
        let mut arguments = vec!["train", "--run", run, "--epochs", "1"];
        arguments.extend(extra);
        error(&arguments)
    };
    for (arguments, expected) in [
        (vec!["--architecture", "rgc-82", "--data", DATA], "did you mean"),
        (vec!["--architecture", "rgc-32", "--data", DATA], "expected 3x32x32"),
        (
            vec!["--architecture", "rgc-28", "--data", "rendered:size=28,classes=4,train=40,test=8"],
            "classes of the data set: expected 10",
        ),
        (vec!["--architecture", "rgc-28", "--data", "mnist:/no/such/folder"], "/no/such/folder"),
        (vec!["--architecture", "rgc-28", "--data", "renderd"], "rendered"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--device", "cuda:99"], "--device"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--batch", "0"], "--batch: expected at least 1"),
        (
            vec!["--architecture", "rgc-28", "--data", DATA, "--batch", "5000"],
            "--batch: expected at most the 173 images to learn from",
        ),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--steps", "3", "--image-steps", "5"], "image_steps is 5"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--learning-rate", "NaN"], "--learning-rate"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--hold-out", "192"], "--hold-out"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--loss-steps", "4=0.5,99=1"], "each once, found 99=1"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--ema-decay", "1"], "--ema-decay: expected 0 to 0.999999"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--accumulate", "0"], "--accumulate: expected at least 1"),
        (vec!["--architecture", "rgc-28", "--data", DATA, "--sequence", "shift=30"], "--sequence: expected a shift"),
        (
            vec!["--architecture", "rgc-28", "--data", DATA, "--batch", "31", "--sequence", "stream=2"],
            "--batch: expected a multiple of the images a stream",
        ),
    ] {
        let found = train(&arguments);
        assert!(found.contains(expected), "{arguments:?}: {found}");
        assert!(!nowhere.exists(), "{arguments:?} left a run folder behind");
    }
    assert!(error(&["info", text(folder.path())]).contains("is not a checkpoint"));
    assert!(error(&["train", "--resume", text(folder.path())]).contains("is not a checkpoint"));
    assert!(error(&["eval", text(&nowhere)]).contains("is not a checkpoint"));
}
