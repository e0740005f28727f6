//! One suite over all executors: every catalogue entry for small images and a net with what none of them has, trained a
//! little by libtorch on real or rendered images, and libtorch's trace replayed on every engine.
//!
//! Nothing is left out: every entry for images of at most 32 px goes through every engine. The entries for 224 px differ
//! from them in size alone; they would take hours. With `CONVRNN_THOROUGH=1` the nets are trained for longer and judged on
//! more images, and the accuracies that are printed (`--nocapture`) mean something.

use convrnn_models::catalogue;
use convrnn_tests::{programs, root};
use std::process::{Command, Output};

fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    command.current_dir(root());
    command
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// Epochs of training and images of the trace.
fn effort() -> [&'static str; 2] {
    match std::env::var_os("CONVRNN_THOROUGH") {
        Some(_) => ["3", "1000"],
        None => ["1", "60"],
    }
}

/// Trains briefly, traces, exports and validates; validation makes both device programs.
fn agree(architecture: &str, data: &str) {
    let [epochs, images] = effort();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let trace = folder.path().join("trace.safetensors");
    let train = ["train", "--architecture", architecture, "--data", data, "--epochs", epochs, "--clip", "0.1", "--run"];
    succeed(program("convrnn-train").args(train).arg(&run));
    let record = ["--images", images, "--record", "2", "--output"];
    // A run folder by itself stands for its best epoch.
    succeed(program("convrnn-train").arg("trace").arg(run.join("last")).args(record).arg(&trace));
    succeed(
        program("convrnn-export").arg("onnx").arg(run.join("last")).arg("--output").arg(folder.path().join("onnx")),
    );
    let mut validate = program("convrnn-export");
    validate.arg("validate").arg(run.join("last")).arg("--trace").arg(&trace).args(["--images", "20", "--json"]);
    // The command judges int8 by 0.3 points of top-1, too fine for so few images.
    let output = validate.output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{architecture}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    let engines = answer.as_array().expect("a list of engines");
    assert_eq!(engines.len(), 7, "{architecture}: {answer}");
    let top1 = |field: &str| engines[6]["agreement"][field].as_f64().unwrap_or(f64::NAN);
    println!("{architecture}: {:.1} % in libtorch, {:.1} % in int8, {images} images", top1("trace_top1"), top1("top1"));
    for engine in engines {
        let name = engine["engine"].as_str().unwrap();
        let relative = engine["agreement"]["relative_difference"]
            .as_f64()
            .unwrap_or_else(|| panic!("{architecture}, {name}: {engine}"));
        match (name.contains("int8"), std::env::var_os("CONVRNN_THOROUGH")) {
            (false, _) => assert!(relative < 1e-4 && engine["passed"] == true, "{architecture}, {name}: {engine}"),
            // Hardly trained, a net answers alike whatever it sees: its logits say more than its top-1.
            (true, None) => assert!(relative < 0.2, "{architecture}, {name}: {relative}"),
            (true, Some(_)) => {
                let [float, int8] = ["trace_top1", "top1"].map(top1);
                assert!((float - int8).abs() <= 2.0, "{architecture}: {float} % in f32, {int8} % in int8");
            }
        }
    }
}

/// Catalogue entries for small images of so many channels.
fn small(channels: usize) -> Vec<&'static str> {
    let fits = |name: &&str| {
        let input = catalogue::find(name).unwrap().input;
        input.channels == channels && input.height <= 32
    };
    catalogue::ENTRIES.iter().map(|(name, _)| *name).filter(fits).collect()
}

#[test]
fn every_gray_net_gives_the_same_answers_everywhere() {
    let entries = small(1);
    assert!(entries.len() >= 4, "{entries:?}");
    for architecture in entries {
        let [_, images] = effort();
        let train = if images == "60" { 1500 } else { 8000 };
        agree(architecture, &format!("rendered:train={train},test={images}"));
    }
}

/// Skips, two edges between the same layers, and cells behind convolutions that change the map's size.
#[test]
fn a_net_with_every_kind_of_edge_gives_the_same_answers_everywhere() {
    let [_, images] = effort();
    let train = if images == "60" { 1500 } else { 8000 };
    agree("tests/architectures/skipping-28.toml", &format!("rendered:train={train},test={images}"));
}

#[test]
fn every_colour_net_gives_the_same_answers_everywhere() {
    let archive = root().join("../shared/data/cifar10-jpeg.tar.zst");
    if !archive.is_file() {
        println!("left out: colour nets ({} is missing)", archive.display());
        return;
    }
    let entries = small(3);
    assert!(entries.len() >= 2, "{entries:?}");
    for architecture in entries {
        let [_, images] = effort();
        let train = if images == "60" { 800 } else { 8000 };
        agree(architecture, &format!("folder:{},train-limit={train},test-limit={images}", archive.display()));
    }
}
