//! Instructions of every operation of a program, between marks in the firmware.

use std::{fmt::Write, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{
    board::Board,
    build::Firmware,
    count::{PLUGIN, build_plugin},
    qemu,
};
use crate::{checkout, process};

/// One operation of a program, and what it took in the last step.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Path, as `convrnn-export inspect` says it.
    pub name: String,
    /// What it computes.
    pub kind: String,
    /// Channels, height, width of the output.
    pub shape: [u64; 3],
    /// Multiply-accumulates.
    pub multiply_accumulates: u64,
    /// Instructions.
    pub instructions: u64,
}

impl Operation {
    /// Elements of the output.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Instructions for each multiply-accumulate, or for each element of an operation that has none.
    pub fn unit_cost(&self) -> f64 {
        let units = if self.multiply_accumulates > 0 { self.multiply_accumulates } else { self.elements() };
        self.instructions as f64 / units.max(1) as f64
    }
}

/// One layer of a program, and what `step_layer` took for it in the last step.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name.
    pub name: String,
    /// Instructions, those of the operations and of the session; in the last layer also those of committing the states.
    pub instructions: u64,
    /// In the order they first run in.
    pub operations: Vec<Operation>,
    /// Indices of operations in the order they run in: in bands of rows, many times.
    pub runs: Vec<usize>,
}

/// Runs a program on a machine and returns its operations in the order they run in.
pub fn measure(board: Board, program: &Path) -> Result<Vec<Operation>> {
    Ok(measure_layers(board, program)?.into_iter().flat_map(|layer| layer.operations).collect())
}

/// Runs a program on a machine and returns its layers in the order they run in.
pub fn measure_layers(board: Board, program: &Path) -> Result<Vec<Layer>> {
    let mut layers = inspect(program)?;
    let marks = marks(board, program)?;
    let count: usize = layers.iter().map(|layer| 2 + 2 * layer.runs.len()).sum();
    ensure!(
        count > 0 && marks.len() % count == 0,
        "{} marks do not fit the {} layers of {}",
        marks.len(),
        layers.len(),
        program.display()
    );
    let mut last = marks[marks.len() - count..].iter();
    let mut next = || last.next().copied().unwrap_or_default();
    for layer in &mut layers {
        let start = next();
        for &run in &layer.runs {
            let start = next();
            // The first mark itself is counted.
            let instructions = (next() - start).saturating_sub(1);
            layer.operations.get_mut(run).context("a run of no operation")?.instructions += instructions;
        }
        // So are the two of every run.
        layer.instructions = (next() - start).saturating_sub(1 + 2 * layer.runs.len() as u64);
    }
    Ok(layers)
}

/// How many instructions had run at each mark.
fn marks(board: Board, program: &Path) -> Result<Vec<u64>> {
    let plugin = build_plugin()?;
    let image = Firmware { board, program: "operations", network: Some(program) }.release()?;
    let output = checkout::firmware_target(PLUGIN).join("marks.txt");
    if output.exists() {
        fs::remove_file(&output).with_context(|| format!("cannot remove {}", output.display()))?;
    }
    let mut command = qemu::silent(board, &image);
    qemu::load(&mut command, board, program)?;
    command.arg("-plugin").arg(format!("{},marks={}", plugin.display(), output.display()));
    let ended = process::output(&mut command)?;
    if !ended.status.success() {
        bail!("the firmware did not end well ({}): {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    }
    let text = fs::read_to_string(&output).with_context(|| {
        format!("QEMU left no {}: its plugin interface may not be version 1 (QEMU 4.2 to 8.1)", output.display())
    })?;
    text.lines().map(|line| line.parse().with_context(|| format!("{line:?} is no count"))).collect()
}

/// The layers of a program, in the order they run in.
fn inspect(program: &Path) -> Result<Vec<Layer>> {
    let mut command = Command::new(checkout::built("convrnn-export"));
    command.arg("inspect").arg("--json").arg(program);
    let output = process::output(&mut command)?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    parse(&serde_json::from_slice(&output.stdout)?)
        .context("`convrnn-export inspect --json` does not say what it should")
}

fn parse(answer: &Value) -> Option<Vec<Layer>> {
    let operation = |value: &Value| {
        let size = |axis: usize| value["shape"][axis].as_u64();
        Some(Operation {
            name: value["name"].as_str()?.to_owned(),
            kind: value["kind"].as_str()?.to_owned(),
            shape: [size(0)?, size(1)?, size(2)?],
            multiply_accumulates: value["multiply_accumulates"].as_u64()?,
            instructions: 0,
        })
    };
    let layer = |value: &Value| {
        let operations = value["operations"].as_array()?.iter().map(operation).collect::<Option<_>>()?;
        let runs =
            value["runs"].as_array()?.iter().map(|run| run.as_u64().map(|run| run as usize)).collect::<Option<_>>()?;
        Some(Layer { name: value["name"].as_str()?.to_owned(), instructions: 0, operations, runs })
    };
    answer["layers"].as_array()?.iter().map(layer).collect()
}

/// All operations, and their sums by kind.
pub fn table(operations: &[Operation]) -> String {
    let mut text = String::from("instructions  per MAC or element  operation\n");
    let mut row = |count: u64, unit: f64, name: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{count:>12} {unit:>19.2}  {name}");
    };
    let mut kinds: Vec<&str> = operations.iter().map(|operation| operation.kind.as_str()).collect();
    for operation in operations {
        let [channels, height, width] = operation.shape;
        let name = format!("{} ({}, {channels}x{height}x{width})", operation.name, operation.kind);
        row(operation.instructions, operation.unit_cost(), &name);
    }
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of_kind = || operations.iter().filter(|operation| operation.kind == kind);
        let sum = Operation {
            name: format!("all of kind {kind}"),
            kind: kind.to_owned(),
            shape: [of_kind().map(Operation::elements).sum(), 1, 1],
            multiply_accumulates: of_kind().map(|operation| operation.multiply_accumulates).sum(),
            instructions: of_kind().map(|operation| operation.instructions).sum(),
        };
        row(sum.instructions, sum.unit_cost(), &sum.name);
    }
    let all: u64 = operations.iter().map(|operation| operation.instructions).sum();
    let multiply_accumulates: u64 = operations.iter().map(|operation| operation.multiply_accumulates).sum();
    row(all, all as f64 / multiply_accumulates.max(1) as f64, "all operations of a step, per MAC");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_in_order_and_summed_by_kind() {
        let answer = serde_json::json!({ "layers": [
            { "name": "layer2", "runs": [0, 1], "operations": [
                { "name": "layer2.conv", "kind": "convolution", "shape": [2, 3, 4], "multiply_accumulates": 48 },
                { "name": "layer2.gate", "kind": "lookup", "shape": [2, 3, 4], "multiply_accumulates": 0 },
            ] },
            { "name": "layer1", "runs": [0], "operations": [
                { "name": "layer1.conv", "kind": "convolution", "shape": [1, 1, 1], "multiply_accumulates": 2 },
            ] },
        ] });
        let layers = parse(&answer).unwrap();
        assert_eq!(layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>(), ["layer2", "layer1"]);
        let mut operations: Vec<Operation> = layers.into_iter().flat_map(|layer| layer.operations).collect();
        for (operation, instructions) in operations.iter_mut().zip([96, 240, 4]) {
            operation.instructions = instructions;
        }
        assert_eq!(operations.iter().map(Operation::unit_cost).collect::<Vec<_>>(), [2.0, 10.0, 2.0]);
        let text = table(&operations);
        assert!(text.contains("100                2.00  all of kind convolution"), "{text}");
        assert!(text.contains("340                6.80  all operations"), "{text}");
        assert_eq!(parse(&serde_json::json!({ "layers": [{}] })), None);
    }
}
