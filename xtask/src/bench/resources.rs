//! Working memory, flash and skipped work: figures that are exact and the same in every run.

use std::{fmt::Write, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use super::document;
use crate::{
    checkout,
    firmware::{self, Board, operations, parts},
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
         operations take at one moment, below which no order of the same operations gets. The last columns are arenas of \
         programs whose layers are computed in bands of so many rows (`convrnn-export program --bands`). Kernels add their \
         scratch on the stack: 18.0 KiB of a convolution on a Cortex-M4, for widened rows, windows and sums.\n\n{}\n",
        table("memory")?
    );
    document::write_section("memory", &(text + &bands()? + &yardstick()?))
}

/// What bands cost: instructions of a step.
fn bands() -> Result<String> {
    let mut text = format!(
        "What bands cost, in instructions of one step of {BANDED}:\n\n\
         | rows of a band | arena | Cortex-M4 | times whole maps | Cortex-M55 | times whole maps |\n|---|---|---|---|---|---|\n"
    );
    let mut whole = Vec::new();
    for rows in [None, Some(4), Some(2), Some(1)] {
        let mut row = format!("| {} |", rows.map_or_else(|| "whole maps".to_owned(), |rows| rows.to_string()));
        for (index, board) in [Board::CORTEX_M4, Board::CORTEX_M55].into_iter().enumerate() {
            let program = firmware::write_in_bands(BANDED, &format!("{BANDED}-{}", rows.unwrap_or(0)), board, rows)?;
            let operations = operations::measure(board, &program)?;
            let instructions: u64 = operations.iter().map(|operation| operation.instructions).sum();
            if rows.is_none() {
                whole.push(instructions);
            }
            // Writing to a string does not fail.
            if index == 0 {
                let _ = write!(row, " {} |", arena_length(&program)?);
            }
            let times = instructions as f64 / whole.get(index).copied().unwrap_or(instructions) as f64;
            let _ = write!(row, " {instructions} | {times:.3} |");
        }
        let _ = writeln!(text, "{row}");
    }
    Ok(text)
}

/// The network whose bands are counted.
const BANDED: &str = "rgc-32";

/// Bytes of working memory, as the prelude of a program says.
fn arena_length(program: &Path) -> Result<u32> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let field = bytes.get(16..).and_then(|rest| rest.first_chunk()).context("the program is cut short")?;
    Ok(u32::from_le_bytes(*field))
}

/// What TensorFlow Lite Micro's arena takes for the same nets: tensors, then its own structures, in bytes.
const PEER: [(&str, [u64; 2]); 2] = [("ff-28, relu", [3136, 2608]), ("ff-32, relu", [9216, 3088])];

fn yardstick() -> Result<String> {
    let mut text = String::from(
        "\nAs a yardstick two nets that TensorFlow Lite Micro can run too: feedforward, relu, no taps. Its figures are those of \
         `RecordingMicroAllocator` (tflite-micro 0.dev20261023182759, from a Keras model of the same layers that TensorFlow 2.21.0 \
         quantised to int8), taken once outside this project on a 64-bit host, where its structures are larger than on a \
         microcontroller. It computes the whole net in one call, so it has no states; this project's steps are 10 ms each, and a \
         layer's output is a state until the next layer has read it.\n\n\
         | net | states | frame | arena | in bands of 4 rows | of 1 | TensorFlow Lite Micro: tensors | and structures |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in table("feedforward")?.lines() {
        let (_, [tensors, structures]) = PEER
            .iter()
            .find(|(name, _)| row.contains(name))
            .with_context(|| format!("no figure of the peer for {row}"))?;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{row} {tensors} | {structures} |");
    }
    Ok(text + "\n`cargo xtask bench resources`\n")
}

fn skipping() -> Result<()> {
    let text = format!(
        "## Work left out\n\nMultiply-accumulates of 10 steps of an image and 15 of gray, int8, random weights. \"Bound\" is a static \
         analysis of the graph: a layer need not run where neither a new frame nor a layer that ran in the step before reaches it. \
         `--skip propagation` does just that; `--skip comparison` compares values as well, which pays once a net comes to rest. The \
         worst case of a single step is that of the first column, divided by 25. `--precompute` leaves besides, after each reset, every \
         layer until the step at which an image can first reach it: the program holds the states of that step.\n\n{}\n`cargo xtask bench resources`\n",
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
    let stack = parts::footprint(firmware::Board::CORTEX_M4)?.stack;
    let mut table = String::from("| part | bytes |\n|---|---|\n");
    for part in &parts {
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {} | {} |", part.name, part.bytes);
    }
    let runtime: u64 = parts.iter().filter(|part| part.is_runtime).map(|part| part.bytes).sum();
    let text = format!(
        "## Flash of the firmware\n\nThe firmware that streams rgc-28-m4 on a Cortex-M4, with the kernels that this program needs \
         (`Tailored`), by the owner of the source of each instruction after linking, inlined or not. Code of the runtime (kernels, sessions, reading of the program, stream protocol): **{runtime} \
         bytes**, without the compiler's own functions and read-only data, which are listed too, beside the network's program of {program} bytes. Stack at most, painted and read back while it streams: {stack} \
         bytes.\n\n{table}\n`cargo xtask bench resources`\n"
    );
    document::write_section("flash", &text)
}
