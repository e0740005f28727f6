//! `cargo xtask test`: every test of the project.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{bench, checkout, firmware, process, setup};

#[derive(clap::Args)]
pub struct TestArguments {
    /// Leave out the firmware, for machines without QEMU
    #[arg(long)]
    no_firmware: bool,
}

/// Runs the set-up and every part in turn, and stops at the first that fails.
pub fn run(arguments: &TestArguments) -> Result<()> {
    let mut times = Vec::new();
    let mut part = |name: &'static str, work: &dyn Fn() -> Result<()>| {
        eprintln!("== {name}");
        let start = Instant::now();
        work()?;
        times.push((name, start.elapsed()));
        anyhow::Ok(())
    };
    part("set-up", &setup::run)?;
    if process::answer(Command::new("cargo").args(["clippy", "--version"])).is_some() {
        part("lints", &|| {
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
    part("tests of the workspace", &|| process::run(checkout::cargo().args(["test", "--workspace", "--locked"])))?;
    if arguments.no_firmware {
        eprintln!("left out: firmware (--no-firmware)");
    } else if let (Some(tool), false) = (firmware::missing(), process::is_root()) {
        // Root gets here only when the installation failed, and then the check below fails too.
        eprintln!("left out: firmware (no {tool}; `cargo xtask setup` says how to get it)");
    } else {
        part("firmware", &firmware::check)?;
        part("predicted costs", &bench::cost::check_some)?;
    }
    for (name, time) in times {
        eprintln!("{name}: {}", seconds(time));
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
