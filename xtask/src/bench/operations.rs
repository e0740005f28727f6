//! Instructions of the other operations on the Cortex-M4: depthwise and f32 convolutions, gates, elementwise operations.

use std::{fmt::Write, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    checkout,
    firmware::{
        Board,
        operations::{self, Operation},
    },
    process,
};

/// Layers with 32 channels of 16x16: gates, tables, pooling, feedback from a smaller map.
const GATED: &str = r#"
name = "gated"
description = "Operations of a reciprocal gated layer under the instruction counter"
input = { channels = 3, height = 16, width = 16 }
presentation = { steps = 4, image_steps = 4 }
layer = [
    { convolution = { kernel = 3, channels = 32 }, cell = { kind = "reciprocal-gated", kernel = 1 }, pool = { kernel = 2 } },
    { convolution = { kernel = 3, channels = 32 }, activation = "elu" },
    { convolution = { kernel = 1, channels = 10 }, activation = "none", average = "before" },
]
feedback = [{ from = 2, to = 1 }]
"#;

/// One layer with 32 channels of 16x16 whose gates are depth-separable; `KERNEL` stands for their side.
const SEPARABLE: &str = r#"
name = "separable"
description = "Depth-separable gates under the instruction counter"
input = { channels = 3, height = 16, width = 16 }
presentation = { steps = 4, image_steps = 4 }

[[layer]]
convolution = { kernel = 3, channels = 32, activation = "elu" }

[layer.cell]
kind = "search"
memory_channels = 32
hidden.activation = "tanh"
hidden.gate = { reads = ["hidden", "input"], affine = "separable", kernel = KERNEL, bias = true }
hidden.keep = { reads = ["hidden", "below"], kernel = 1, squash = "tanh", offset = 0.8, factor = 0.5 }
memory.input = { kernel = 1 }
memory.gate = { reads = ["memory"], affine = "sum", offset = 0.5, factor = 0.5 }
memory.keep = { reads = [], offset = 0.9, factor = -0.2 }

[[layer]]
convolution = { kernel = 1, channels = 10 }
activation = "none"
average = "before"
"#;

/// A 3x3 convolution from 32 to 32 channels of 16x16.
const PLAIN: &str = r#"
name = "plain"
description = "One f32 convolution under the instruction counter"
input = { channels = 32, height = 16, width = 16 }
presentation = { steps = 3, image_steps = 3 }
layer = [
    { convolution = { kernel = 3, channels = 32 }, activation = "relu" },
    { convolution = { kernel = 1, channels = 10 }, activation = "none", average = "before" },
]
"#;

/// Operations that work on every element alike, and what a unit of them is. Products are part of gated sums.
const KINDS: [(&str, &str); 7] = [
    ("gated-sum", "element"),
    ("add", "element"),
    ("lookup", "element"),
    ("rescale", "element"),
    ("max-pool", "output"),
    ("resize", "output"),
    ("global-average", "input"),
];

/// Counts them and returns the table.
pub fn table(folder: &Path) -> Result<String> {
    let mut text = String::from("| operation | instructions | per | |\n|---|---|---|---|\n");
    let mut row = |name: &str, instructions: u64, units: u64, unit: &str| {
        let each = instructions as f64 / units.max(1) as f64;
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {instructions} | {each:.2} | {unit} |");
    };
    let mut all = count(GATED, "gated", &[], folder)?;
    for kernel in [3, 7] {
        let name = format!("separable-{kernel}");
        let operations = count(&SEPARABLE.replace("KERNEL", &kernel.to_string()), &name, &[], folder)?;
        let depthwise = operations.iter().find(|operation| operation.name.contains("depthwise"));
        let depthwise = depthwise.context("the network has no depthwise convolution")?;
        let macs = depthwise.multiply_accumulates;
        row(&format!("depthwise convolution {kernel}x{kernel}"), depthwise.instructions, macs, "MAC");
        all.extend(operations);
    }
    let plain = count(PLAIN, "plain-f32", &["f32"], folder)?;
    let first = plain.iter().find(|operation| operation.name.starts_with("layer1.") && operation.kind == "convolution");
    let first = first.context("the network has no convolution in its first layer")?;
    row("f32 convolution 3x3", first.instructions, first.multiply_accumulates, "MAC");
    for (kind, unit) in KINDS {
        let of_kind = || all.iter().filter(|operation| operation.kind == kind);
        ensure!(of_kind().count() > 0, "the networks have no operation of kind {kind}");
        let units = match unit {
            // All of them average 32 channels, of 8x8 in the first network and 16x16 in the others.
            "input" => {
                of_kind().zip([64, 256, 256]).map(|(operation, positions)| operation.elements() * positions).sum()
            }
            _ => of_kind().map(Operation::elements).sum(),
        };
        row(kind, of_kind().map(|operation| operation.instructions).sum(), units, unit);
    }
    Ok(format!(
        "## Instructions of other operations on a Cortex-M4\n\n32 channels of 16x16, except resize (from 8x8) and max-pool (to \
         8x8); int8 but where it says f32. Kinds that occur more than once are summed.\n\n{text}\n`cargo xtask bench kernels`\n"
    ))
}

/// The operations of a network without training.
fn count(architecture: &str, name: &str, numerics: &[&str], folder: &Path) -> Result<Vec<Operation>> {
    let path = folder.join(format!("{name}.toml"));
    let program = path.with_extension("crnn");
    fs::write(&path, architecture).with_context(|| format!("cannot write {}", path.display()))?;
    let example = checkout::built("examples").join("untrained_program");
    process::run_on_stderr(Command::new(example).arg(&path).arg(&program).args(numerics))?;
    operations::measure(Board::CORTEX_M4, &program)
}
