//! `cargo xtask bench`: ratios against the peers that a user would pick, measured side by side, written into
//! `docs/PERFORMANCE.md`.

mod archive;
mod cell;
mod cmsis_nn;
pub mod cost;
mod document;
mod kernels;
mod loader;
mod measure;
mod operations;
mod resources;
mod step;
mod train;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{checkout, process, setup};

#[derive(clap::Subcommand)]
pub enum BenchTask {
    /// Training: images a second, against a PyTorch program that unrolls the same network in the plain way
    Train(train::TrainArguments),
    /// Data pipeline: images a second decoded and augmented, against torchvision on the same files and threads
    Loader(loader::LoaderArguments),
    /// An archive of 1.28 million images: seconds and memory to list it, and training that is killed and resumed
    Archive(archive::ArchiveArguments),
    /// Instructions of the integer kernels on the Cortex-M4 and the Cortex-M55 in QEMU, beside CMSIS-NN's
    Kernels,
    /// Working memory, skipped work and flash: exact figures
    Resources,
    /// Predicted instructions of `convrnn-export cost` beside those that QEMU counts
    Cost(cost::CostArguments),
    /// A step on x86-64, f32 and int8, against ONNX Runtime and tract on the same network
    Step(step::StepArguments),
}

#[derive(clap::Args)]
pub struct Peer {
    /// Python with torch 2.11.0 and torchvision (`python3 -m venv V && V/bin/pip install torch==2.11.0 torchvision
    /// safetensors`); the variable CONVRNN_PYTHON if not given, or else `python3`
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// Runs of each program; medians are told
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

impl Peer {
    /// The Python asked for.
    fn python(&self) -> PathBuf {
        let variable = || std::env::var_os("CONVRNN_PYTHON").map(PathBuf::from);
        self.python.clone().or_else(variable).unwrap_or_else(|| "python3".into())
    }

    /// Fails unless the Python can import what the programs need.
    fn check(&self) -> Result<()> {
        let python = self.python();
        let mut command = std::process::Command::new(&python);
        command.args(["-c", "import torch, torchvision; print(torch.__version__)"]);
        match process::answer(&mut command) {
            Some(version) => eprintln!("peer: PyTorch {version}"),
            None => bail!("{} cannot import torch and torchvision; see --help", python.display()),
        }
        Ok(())
    }
}

/// Runs one benchmark.
pub fn run(task: &BenchTask) -> Result<()> {
    setup::run()?;
    if let BenchTask::Step(arguments) = task {
        // Has an optimised build of its own.
        return step::run(arguments);
    }
    process::run_on_stderr(&mut checkout::build_all())?;
    match task {
        BenchTask::Train(arguments) => train::run(arguments),
        BenchTask::Loader(arguments) => loader::run(arguments),
        BenchTask::Archive(arguments) => archive::run(arguments),
        BenchTask::Kernels => kernels::run(),
        BenchTask::Resources => resources::run(),
        BenchTask::Cost(arguments) => cost::run(arguments),
        BenchTask::Step(arguments) => step::run(arguments),
    }
}
