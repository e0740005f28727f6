//! Instructions of a step by function, counted by a plugin of QEMU.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{
    board::Board,
    image::{Function, Image},
    stream::Stream,
};
use crate::{checkout, process};

/// Folder of the plugin in `firmware-examples`.
pub const PLUGIN: &str = "instruction-counter";

/// Instructions of a tick: 10 ms of 8 ns each.
const TICK_INSTRUCTIONS: f64 = 1_250_000.0;

/// Images of two runs, whose difference has no start-up in it.
const FEW_IMAGES: u32 = 2;
const MANY_IMAGES: u32 = 12;

/// Functions that are listed; the others are summed up.
const LISTED: usize = 24;

/// Counts by function.
type Counts = BTreeMap<String, u64>;

/// Counts a step of a program and returns the table.
pub fn run(board: Board, program: &Path) -> Result<String> {
    let plugin = build_plugin()?;
    let image = Stream::build(board, program)?;
    let functions = Image::read(&image)?.functions()?;
    let count = |images| {
        let stream = Stream { board, program, trace: None, images, damage: None };
        let output = checkout::firmware_target(PLUGIN).join(format!("counts-{images}.txt"));
        let argument = format!("{},output={}", plugin.display(), output.display());
        let text = stream.run_with(&image, &["-plugin".into(), argument])?;
        anyhow::Ok((steps(&text)?, read(&output, &functions)?))
    };
    let ((few_steps, few), (many_steps, many)) = (count(FEW_IMAGES)?, count(MANY_IMAGES)?);
    Ok(table(&few, &many, many_steps.saturating_sub(few_steps)))
}

/// Builds the plugin for the host.
pub fn build_plugin() -> Result<PathBuf> {
    let target = checkout::firmware_target(PLUGIN);
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(checkout::firmware(PLUGIN))
        .args(["build", "--quiet", "--locked", "--release", "--target-dir"])
        .arg(&target);
    process::run_on_stderr(&mut command)?;
    let library = target.join("release/libconvrnn_instruction_counter.so");
    ensure!(library.is_file(), "cargo reported success but left no {}", library.display());
    Ok(library)
}

/// Sums the counts of a file, one line an instruction, by function.
fn read(path: &Path, functions: &[Function]) -> Result<Counts> {
    let text = fs::read_to_string(path).with_context(|| {
        format!("QEMU left no {}: its plugin interface may not be version 1 (QEMU 4.2 to 8.1)", path.display())
    })?;
    let mut counts = Counts::new();
    for line in text.lines() {
        let (address, count) = line
            .split_once(' ')
            .and_then(|(address, count)| Some((u64::from_str_radix(address, 16).ok()?, count.parse::<u64>().ok()?)))
            .with_context(|| format!("{} has the line {line:?}, expected an address and a count", path.display()))?;
        *counts.entry(name(functions, address).to_owned()).or_default() += count;
    }
    Ok(counts)
}

/// The function that holds an address.
fn name(functions: &[Function], address: u64) -> &str {
    let after = functions.partition_point(|function| function.address <= address);
    functions[..after]
        .last()
        .filter(|function| address < function.address + function.length)
        .map_or("(no function)", |function| function.name.as_str())
}

/// Steps that the host says were answered.
fn steps(text: &str) -> Result<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("steps answered"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("the host does not say how many steps were answered")
}

fn table(few: &Counts, many: &Counts, steps: u64) -> String {
    let steps = steps.max(1) as f64;
    let mut rows: Vec<(f64, &str)> = many
        .iter()
        .map(|(name, &count)| {
            let before = few.get(name).copied().unwrap_or(0);
            (count.saturating_sub(before) as f64 / steps, name.as_str())
        })
        .filter(|(count, _)| *count >= 0.5)
        .collect();
    rows.sort_by(|left, right| right.0.total_cmp(&left.0));
    let mut text = String::from("instructions a step, and their part of the 10 ms tick\n");
    let mut row = |count: f64, name: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{count:>10.0} {:>6.2} %  {name}", count / TICK_INSTRUCTIONS * 100.0);
    };
    for (count, name) in rows.iter().take(LISTED) {
        row(*count, name);
    }
    if let Some(rest) = rows.get(LISTED..).filter(|rest| !rest.is_empty()) {
        let name = format!("{} further functions", rest.len());
        row(rest.iter().map(|(count, _)| count).sum(), &name);
    }
    row(rows.iter().map(|(count, _)| count).sum(), "all, with what the device does between steps");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_further_steps() {
        let counts = |values: [(&str, u64); 2]| values.map(|(name, count)| (name.to_owned(), count)).into();
        let few: Counts = counts([("load", 1000), ("step", 160)]);
        let many: Counts = counts([("load", 1000), ("step", 960)]);
        let text = table(&few, &many, 80);
        assert!(text.contains("        10   0.00 %  step"), "{text}");
        assert!(!text.contains("load"), "{text}");
    }

    #[test]
    fn addresses_belong_to_functions() {
        let functions = [(0x10, 8, "first"), (0x20, 4, "second")].map(|(address, length, name)| Function {
            address,
            length,
            name: name.to_owned(),
        });
        let names = [0x0, 0x10, 0x17, 0x18, 0x23, 0x24].map(|address| name(&functions, address));
        let none = "(no function)";
        assert_eq!(names, [none, "first", "first", none, "second", none]);
    }
}
