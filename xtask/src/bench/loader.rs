//! The data pipeline against torchvision's.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use super::{
    Peer, document,
    measure::{self, Program},
};
use crate::{checkout, process};

#[derive(clap::Args)]
pub struct LoaderArguments {
    #[command(flatten)]
    peer: Peer,
    /// Folder with `val/<class>/*.JPEG`
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Side of the crop, pixels
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// Images in a batch
    #[arg(long, default_value_t = 50)]
    batch: usize,
    /// Passes over the images in a run
    #[arg(long, default_value_t = 4)]
    epochs: usize,
    /// Threads of ours, worker processes of torchvision's
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

pub fn run(arguments: &LoaderArguments) -> Result<()> {
    arguments.peer.check()?;
    let programs = vec![
        Program { name: "convrnn-train's data pipeline", run: Box::new(|| ours(arguments)) },
        Program { name: "torchvision ImageFolder and DataLoader", run: Box::new(|| theirs(arguments)) },
    ];
    let figures = measure::in_turn(programs, arguments.peer.runs)?;
    let text = format!(
        "## Data pipeline\n\nJPEG files decoded, scaled to a random shorter side of {} to {} pixels, cropped to {} x {} at \
         random, mirrored at random, colour jitter along the principal axes, normalised; {} threads or workers. The peer is \
         `xtask/bench/torchvision_loader.py`.\n\n{}\n`cargo xtask bench loader --images DIR --size {} --threads {} --runs \
         {}`\n",
        low(arguments),
        high(arguments),
        arguments.size,
        arguments.size,
        arguments.threads,
        measure::table(&figures),
        arguments.size,
        arguments.threads,
        arguments.peer.runs,
    );
    document::write_section("loader", &text)
}

/// The range of He et al. 2016, 256 to 480 for crops of 224.
fn low(arguments: &LoaderArguments) -> usize {
    arguments.size * 256 / 224
}

fn high(arguments: &LoaderArguments) -> usize {
    arguments.size * 480 / 224
}

fn ours(arguments: &LoaderArguments) -> Result<f64> {
    let program = checkout::built("examples/loader_speed");
    let mut command = Command::new(program);
    command.env("RAYON_NUM_THREADS", arguments.threads.to_string());
    command.arg(format!("folder:{},size={},decode=lazy", arguments.images.display(), arguments.size));
    command.args([low(arguments), high(arguments), arguments.batch, arguments.epochs].map(|number| number.to_string()));
    images_a_second(&mut command)
}

fn theirs(arguments: &LoaderArguments) -> Result<f64> {
    let mut command = Command::new(arguments.peer.python());
    command.current_dir(checkout::root()).arg("xtask/bench/torchvision_loader.py").arg(arguments.images.join("val"));
    let numbers =
        [arguments.size, low(arguments), high(arguments), arguments.batch, arguments.epochs, arguments.threads];
    command.args(numbers.map(|number| number.to_string()));
    images_a_second(&mut command)
}

fn images_a_second(command: &mut Command) -> Result<f64> {
    let output = process::output(command)?;
    if !output.status.success() {
        bail!("`{}` failed: {}", process::describe(command), String::from_utf8_lossy(&output.stderr));
    }
    measure::number(&output.stdout)
}
