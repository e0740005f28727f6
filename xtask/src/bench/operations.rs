//! Instructions of what has no peer in the table of integer kernels: the f32 convolution and the resize, on the Cortex-M4.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{
    checkout,
    firmware::{
        Board,
        operations::{self, Operation},
    },
    process,
};

/// A first layer with feedback from a map of half its sides.
const FEEDBACK: &str = r#"
name = "feedback"
description = "A resize under the instruction counter"
input = { channels = 3, height = 16, width = 16 }
presentation = { steps = 4, image_steps = 4 }
layer = [
    { convolution = { kernel = 3, channels = 32 }, pool = { kernel = 2 } },
    { convolution = { kernel = 3, channels = 32 }, activation = "elu" },
    { convolution = { kernel = 1, channels = 10 }, activation = "none", average = "before" },
]
feedback = [{ from = 2, to = 1 }]
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

/// Counts them and returns the table.
pub fn table(folder: &Path) -> Result<String> {
    let resize = first(&count(FEEDBACK, "feedback", &[], folder)?, "resize")?;
    let convolution = first(&count(PLAIN, "plain-f32", &["f32"], folder)?, "convolution")?;
    let row = |name: &str, operation: &Operation, unit: &str| {
        format!("| {name} | {} | {:.2} | {unit} |\n", operation.instructions, operation.unit_cost())
    };
    Ok(format!(
        "## Instructions of other operations on a Cortex-M4\n\n32 channels of 16x16.\n\n\
         | operation | instructions | per | of these |\n|---|---|---|---|\n{}{}\n`cargo xtask bench kernels`\n",
        row("f32 convolution 3x3", &convolution, "MAC"),
        row("int8 resize from 8x8", &resize, "output")
    ))
}

/// The operation of a kind in the first layer.
fn first(operations: &[Operation], kind: &str) -> Result<Operation> {
    let found = operations.iter().find(|operation| operation.kind == kind && operation.name.starts_with("layer1."));
    found.cloned().with_context(|| format!("the first layer has no {kind}"))
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
