//! Working memory, flash and skipped work: figures that are exact and the same in every run.

use std::{fmt::Write, process::Command};

use anyhow::{Context, Result, bail};

use super::document;
use crate::{
    checkout,
    firmware::{self, parts},
    process,
};

/// Writes the sections on working memory, skipping and flash.
pub fn run() -> Result<()> {
    memory()?;
    skipping()?;
    flash()
}

fn memory() -> Result<()> {
    let text = format!(
        "## Working memory\n\nint8 programs of the nets of the catalogue with frames of at most 32 pixels, plan sequential, taps kept; \
         bytes. The arena is all the runtime needs beside its stack; \"in use at once\" is the most that values between \
         operations take at one moment, below which no order of the same operations gets. Kernels add their scratch on the stack: \
         18.0 KiB of a convolution on a Cortex-M4, for widened rows, windows and sums.\n\n{}\n`cargo xtask bench resources`\n",
        table("memory")?
    );
    document::write_section("memory", &text)
}

fn skipping() -> Result<()> {
    let text = format!(
        "## Work left out\n\nMultiply-accumulates of 10 steps of an image and 15 of gray, int8, random weights. \"Bound\" is a static \
         analysis of the graph: a layer need not run where neither a new frame nor a layer that ran in the step before reaches it. \
         `--skip propagation` does just that; `--skip comparison` compares values as well, which pays once a net comes to rest. The \
         worst case of a single step is that of the first column, divided by 25.\n\n{}\n`cargo xtask bench resources`\n",
        table("skipping")?
    );
    document::write_section("skipping", &text)
}

fn table(name: &str) -> Result<String> {
    let mut command = Command::new(checkout::built("examples").join("resources"));
    let output = process::output(command.arg(name))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("the table is not text")
}

fn flash() -> Result<()> {
    if let Some(missing) = firmware::missing() {
        bail!("{missing} is missing: run `cargo xtask setup`, which says how to get it");
    }
    let (program, parts) = parts::measure()?;
    let mut table = String::from("| part | bytes |\n|---|---|\n");
    for part in &parts {
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {} | {} |", part.name, part.bytes);
    }
    let runtime: u64 = parts.iter().filter(|part| part.is_runtime).map(|part| part.bytes).sum();
    let text = format!(
        "## Flash of the firmware\n\nThe firmware that streams rgc-28-m4 on a Cortex-M4, with the kernels that this program needs \
         (`Tailored`), by the owner of each function after linking; what the compiler inlined counts for where it went. Code of the runtime (kernels, sessions, loading, stream protocol): **{runtime} \
         bytes** beside the network's program of {program} bytes.\n\n{table}\n`cargo xtask bench resources`\n"
    );
    document::write_section("flash", &text)
}
