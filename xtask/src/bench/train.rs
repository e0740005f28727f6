//! Training against PyTorch.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use super::{
    Peer, document,
    measure::{self, Program},
};
use crate::{checkout, process};

#[derive(clap::Args)]
pub struct TrainArguments {
    #[command(flatten)]
    peer: Peer,
    /// Architecture file; the plain program knows one convolution a layer, vanilla and reciprocal gated cells (paper's form)
    #[arg(long, default_value = "xtask/bench/deep-32.toml")]
    architecture: PathBuf,
    /// Images in a batch
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Batches in a run
    #[arg(long, default_value_t = 4)]
    batches: usize,
    /// `cpu` or `cuda:N`; on CUDA also `torch.compile`
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub fn run(arguments: &TrainArguments) -> Result<()> {
    arguments.peer.check()?;
    let folder = checkout::root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let ours = |trimming: bool| move || trained(arguments, trimming);
    let theirs = |compile: bool| move || plain(arguments, compile);
    let mut programs = vec![
        Program { name: "convrnn-train", run: Box::new(ours(true)) },
        Program { name: "convrnn-train --no-trimming", run: Box::new(ours(false)) },
    ];
    if arguments.device != "cpu" {
        programs.push(Program { name: "PyTorch, torch.compile", run: Box::new(theirs(true)) });
    }
    programs.push(Program { name: "PyTorch, eager", run: Box::new(theirs(false)) });
    let figures = measure::in_turn(programs, arguments.peer.runs)?;
    let text = format!(
        "## Training\n\n{} in batches of {}, {} batches a run, SGD with Nesterov momentum, loss at the last step, on `{}`; \
         the peer is `xtask/bench/plain_torch.py`, which computes every layer at every step.\n\n{}\n\
         `cargo xtask bench train --architecture {} --batch {} --batches {} --device {} --runs {}`\n",
        arguments.architecture.display(),
        arguments.batch,
        arguments.batches,
        arguments.device,
        measure::table(&figures),
        arguments.architecture.display(),
        arguments.batch,
        arguments.batches,
        arguments.device,
        arguments.peer.runs,
    );
    document::write_section("train", &text)
}

/// One run of the trainer, from its own metrics.
fn trained(arguments: &TrainArguments, trimming: bool) -> Result<f64> {
    let run = checkout::root().join("target/bench/run");
    if run.exists() {
        fs::remove_dir_all(&run)?;
    }
    let images = arguments.batch * arguments.batches;
    let mut command = Command::new(checkout::built("convrnn-train"));
    command.current_dir(checkout::root()).arg("train").arg("--architecture").arg(&arguments.architecture);
    command.args(["--data", &format!("rendered:size=32,train={images},validation=10"), "--epochs", "1"]);
    command.args(["--batch", &arguments.batch.to_string(), "--learning-rate", "0.001", "--device", &arguments.device]);
    command.arg("--run").arg(&run);
    if !trimming {
        command.arg("--no-trimming");
    }
    let output = process::output(&mut command)?;
    if !output.status.success() {
        bail!("`{}` failed: {}", process::describe(&command), String::from_utf8_lossy(&output.stderr));
    }
    let metrics = fs::read_to_string(run.join("metrics.jsonl"))?;
    let epoch: serde_json::Value = serde_json::from_str(metrics.lines().next().unwrap_or_default())?;
    epoch["images_per_second"].as_f64().context("metrics.jsonl has no images_per_second")
}

fn plain(arguments: &TrainArguments, compile: bool) -> Result<f64> {
    let mut command = Command::new(arguments.peer.python());
    command.current_dir(checkout::root()).arg("xtask/bench/plain_torch.py").arg(&arguments.architecture);
    command.args([arguments.batch.to_string(), arguments.batches.to_string()]);
    command.args(["--device", &arguments.device]);
    if compile {
        command.arg("--compile");
    }
    let output = process::output(&mut command)?;
    if !output.status.success() {
        bail!("`{}` failed: {}", process::describe(&command), String::from_utf8_lossy(&output.stderr));
    }
    measure::number(&output.stdout)
}
