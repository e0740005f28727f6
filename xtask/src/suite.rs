//! `cargo xtask test`: every test of the project.

use std::process::Command;

use anyhow::Result;

use crate::{bench, checkout, firmware, process, setup, stages::Stages};

#[derive(clap::Args)]
pub struct TestArguments {
    /// Leave out the firmware, for machines without QEMU
    #[arg(long)]
    no_firmware: bool,
}

/// Runs the set-up and every part in turn, and stops at the first that fails.
pub fn run(arguments: &TestArguments) -> Result<()> {
    let mut stages = Stages::new();
    stages.run("set-up", setup::run)?;
    if process::answer(Command::new("cargo").args(["clippy", "--version"])).is_some() {
        stages.run("lints", || {
            process::run(checkout::cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ]))
        })?;
    } else {
        eprintln!("left out: lints (no clippy here: rustup component add clippy)");
    }
    stages
        .run("tests of the workspace", || process::run(checkout::cargo().args(["test", "--workspace", "--locked"])))?;
    if arguments.no_firmware {
        eprintln!("left out: firmware (--no-firmware)");
    } else if let (Some(tool), false) = (firmware::missing(), process::is_root()) {
        // Root gets here only when the installation failed, and then the check below fails too.
        eprintln!("left out: firmware (no {tool}; `cargo xtask setup` says how to get it)");
    } else {
        stages.run("firmware", firmware::check)?;
        stages.run("predicted costs", bench::cost::check_some)?;
    }
    eprint!("{}", stages.table());
    Ok(())
}
