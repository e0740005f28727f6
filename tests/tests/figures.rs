//! The commands behind the figures of docs/QUANTIZATION.md, run in their order on a few images: that each works, and takes
//! what the ones before it made. The figures themselves take hours.

use convrnn_tests::markdown::document;
use convrnn_tests::{programs, root};
use std::process::Command;

/// What a command of the document says, and what runs instead, so that it ends soon.
const SMALLER: [(&str, &str); 12] = [
    ("mnist:MNIST", "mnist:DATA/mnist,train-limit=300,test-limit=40"),
    ("cluttered:MNIST", "cluttered:DATA/mnist,train-limit=300,test-limit=40"),
    ("folder:ARCHIVE", "folder:DATA/cifar10-jpeg.tar.zst,train-limit=200,test-limit=40"),
    ("--images 10000", "--images 40"),
    ("--epochs 5", "--epochs 1"),
    ("--epochs 4", "--epochs 1"),
    ("--epochs 2", "--epochs 1"),
    ("--steps 50000", "--steps 2000 --settle 200"),
    ("drift runs/td-stream", "drift runs/td-stream --steps 2000 --settle 200"),
    ("--architecture NET", "--architecture gru-32"),
    ("--ranges R", "--ranges percentile"),
    ("--biases B", "--biases corrected"),
];

#[test]
fn the_commands_behind_the_figures_of_quantisation_work_in_their_order() {
    let data = root().join("../shared/data");
    if !data.join("mnist").is_dir() || !data.join("cifar10-jpeg.tar.zst").is_file() {
        println!("left out: {} lacks MNIST or CIFAR-10", data.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("models"), folder.path().join("models")).unwrap();
    let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap());
    let mut run = String::new();
    let mut commands = 0;
    for line in document("docs/QUANTIZATION.md").blocks_of("text").iter().flat_map(|block| block.lines()) {
        assert!(line.starts_with("convrnn-") || line.starts_with("sed "), "a command: {line}");
        // RUN is the run that was trained last, T its trace.
        let mut command = line.replace("--run RUN", "--run runs/photographs").replace(" RUN", &format!(" {run}"));
        for option in ["--output", "--trace"] {
            command = command.replace(&format!("{option} T"), &format!("{option} {run}.safetensors"));
        }
        for (shown, smaller) in SMALLER {
            command = command.replace(shown, smaller);
        }
        let command = command.replace("DATA", data.to_str().unwrap());
        if let Some((_, made)) = command.split_once("--run ") {
            run = made.trim_end_matches("-ft").to_owned();
        }
        let output =
            Command::new("bash").args(["-c", &command]).current_dir(folder.path()).env("PATH", &path).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // Few images may show that int8 loses accuracy or that the classes differ, and a tuned net is compared with the trace
        // of the net before on purpose: all are answers.
        let said = text(&output.stdout);
        let is_answer = command.contains(" validate ") && said.contains("points of the trace's")
            || command.contains(" drift ") && said.contains("same class at ");
        let is_right = output.status.success() || output.status.code() == Some(1) && is_answer;
        assert!(is_right, "{command}\n{}{}", text(&output.stdout), text(&output.stderr));
        commands += 1;
    }
    assert!(commands >= 18, "{commands}");
}
