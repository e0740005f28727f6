//! Instructions of the integer convolution on the Cortex-M4, shape by shape, exact and the same in every run.

use std::{fmt::Write, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use super::document;
use crate::{
    checkout,
    firmware::{self, operations},
    process,
};

/// A convolution: input channels, height and width, output channels, side of the kernel, stride; padded to "same".
struct Shape {
    input: [u64; 3],
    outputs: u64,
    kernel: u64,
    stride: u64,
}

const fn shape(input: [u64; 3], outputs: u64, kernel: u64, stride: u64) -> Shape {
    Shape { input, outputs, kernel, stride }
}

/// From 3 to 128 channels, 4x4 to 32x32, kernels of 1 to 7, a stride of 2, odd sizes.
const SHAPES: [Shape; 9] = [
    shape([32, 16, 16], 32, 3, 1),
    shape([3, 32, 32], 16, 5, 1),
    shape([16, 32, 32], 16, 3, 1),
    shape([64, 8, 8], 64, 3, 1),
    shape([128, 4, 4], 128, 3, 1),
    shape([32, 16, 16], 32, 1, 1),
    shape([8, 15, 13], 24, 3, 1),
    shape([16, 16, 16], 32, 3, 2),
    shape([16, 8, 8], 16, 7, 1),
];

/// What a shape may cost: so many instructions for each multiply-accumulate and for each output.
const PER_MULTIPLY_ACCUMULATE: f64 = 0.85;
const PER_OUTPUT: f64 = 14.0;

impl Shape {
    fn name(&self) -> String {
        let [channels, height, width] = self.input;
        format!("{channels}x{height}x{width}-to-{}-kernel-{}-stride-{}", self.outputs, self.kernel, self.stride)
    }

    /// A network whose first layer is the convolution.
    fn architecture(&self) -> String {
        let [channels, height, width] = self.input;
        format!(
            "name = \"{}\"\ndescription = \"One convolution under the instruction counter\"\n\
             input = {{ channels = {channels}, height = {height}, width = {width} }}\n\
             presentation = {{ steps = 3, image_steps = 3 }}\n\
             [[layer]]\nconvolution = {{ kernel = {}, channels = {}, stride = {} }}\nactivation = \"relu\"\n\
             [[layer]]\nconvolution = {{ kernel = 1, channels = 10 }}\nactivation = \"none\"\naverage = \"before\"\n",
            self.name(),
            self.kernel,
            self.outputs,
            self.stride
        )
    }

    /// Multiply-accumulates of the convolution, padding included.
    fn multiply_accumulates(&self, outputs: u64) -> u64 {
        outputs * self.kernel * self.kernel * self.input[0]
    }
}

/// Counts every shape and writes the table.
pub fn run() -> Result<()> {
    if let Some(missing) = firmware::missing() {
        bail!("{missing} is missing: run `cargo xtask setup`, which says how to get it");
    }
    let folder = checkout::root().join("target/bench/kernels");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut table = String::from(
        "| input, channels x height x width | outputs | kernel | stride | instructions | per MAC | aimed at |\n|---|---|---|---|---|---|---|\n",
    );
    for shape in &SHAPES {
        let (instructions, outputs) = count(shape, &folder)?;
        let macs = shape.multiply_accumulates(outputs) as f64;
        let aim = PER_MULTIPLY_ACCUMULATE + PER_OUTPUT * outputs as f64 / macs;
        let [channels, height, width] = shape.input;
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "| {channels}x{height}x{width} | {} | {} | {} | {instructions} | {:.3} | {aim:.3} |",
            shape.outputs,
            shape.kernel,
            shape.stride,
            instructions as f64 / macs
        );
    }
    let text = format!(
        "## Instructions of the integer convolution on a Cortex-M4\n\nOne convolution with fused relu, i8 values, i8 weights in \
         flash, counted in QEMU between marks in the firmware: exact, and the same in every run. Multiply-accumulates (MACs) \
         are those of the full kernel at every output, padding included. Aimed at: {PER_MULTIPLY_ACCUMULATE} for each MAC and \
         {PER_OUTPUT} for each output.\n\n{table}\n`cargo xtask bench kernels`\n"
    );
    document::write_section("kernels", &text)
}

/// Instructions and output elements of one shape.
fn count(shape: &Shape, folder: &Path) -> Result<(u64, u64)> {
    let architecture = folder.join(format!("{}.toml", shape.name()));
    let program = architecture.with_extension("crnn");
    fs::write(&architecture, shape.architecture())
        .with_context(|| format!("cannot write {}", architecture.display()))?;
    let example = checkout::built("examples").join("untrained_program");
    process::run_on_stderr(Command::new(example).arg(&architecture).arg(&program))?;
    let operations = operations::measure(&program)?;
    let found = operations.iter().find(|operation| operation.name.starts_with("layer1."));
    let operation = found.context("the program has no operation of the first layer")?;
    ensure!(
        operation.kind == "convolution" && operation.shape[0] == shape.outputs,
        "the first layer of {} is not one convolution: {operation:?}",
        program.display()
    );
    Ok((operation.instructions, operation.elements()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiply_accumulates_are_those_of_every_output() {
        assert_eq!(SHAPES[0].multiply_accumulates(32 * 16 * 16), 2_359_296);
        let names: std::collections::BTreeSet<String> = SHAPES.iter().map(Shape::name).collect();
        assert_eq!(names.len(), SHAPES.len());
    }
}
