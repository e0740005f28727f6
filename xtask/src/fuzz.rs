//! `cargo xtask fuzz`: libFuzzer with the address sanitizer over the program loader, `step` and the
//! stream protocol.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{checkout, process};

#[derive(clap::Args)]
pub struct FuzzArguments {
    /// Time for each target [seconds]
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// One target only; both when left out
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
}

const TARGETS: [&str; 2] = ["program", "protocol"];

/// Instrumentation that libFuzzer reads, and the sanitizer.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address --cfg fuzzing -Ccodegen-units=1";

const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Fuzzes each target for the time given; a finding is an error that names the input's file.
pub fn run(arguments: &FuzzArguments) -> Result<()> {
    let folder = checkout::root().join("tests/fuzz");
    let corpus = folder.join("target/corpus");
    seeds(&corpus.join("program"))?;
    std::fs::create_dir_all(corpus.join("protocol"))?;
    build(&folder)?;
    for target in TARGETS.into_iter().filter(|target| arguments.target.as_deref().is_none_or(|only| only == *target)) {
        let findings = folder.join("target/findings").join(target);
        std::fs::create_dir_all(&findings)?;
        eprintln!("== fuzzing {target} for {} s", arguments.seconds);
        let program = folder.join("target").join(PLATFORM).join("release").join(target);
        let mut command = Command::new(program);
        command
            .arg(corpus.join(target))
            .arg(format!("-max_total_time={}", arguments.seconds))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .args(["-max_len=65536", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]);
        process::run(&mut command).with_context(|| {
            format!("a finding; the input is in {}: run the target with that file to see it again", findings.display())
        })?;
        println!("{target}: {} s, no finding", arguments.seconds);
    }
    Ok(())
}

/// The sanitizer needs unstable compiler flags: a nightly where there is one, else the same compiler
/// told to accept them.
fn build(folder: &Path) -> Result<()> {
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))) {
        bail!("fuzzing is set up for {PLATFORM} only");
    }
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS).args([
        "build",
        "--release",
        "--locked",
        "--target",
        PLATFORM,
    ]);
    process::run(&mut command)
}

/// Programs of random networks, small enough to be mutated usefully.
fn seeds(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    process::run_on_stderr(&mut checkout::build_all())?;
    let mut command = Command::new(checkout::built("examples").join("random_programs"));
    command.current_dir(checkout::root()).arg(folder);
    process::run(&mut command)
}
