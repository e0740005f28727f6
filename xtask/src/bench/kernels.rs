//! Instructions of the integer kernels, the convolution shape by shape, exact and the same in every run.

use std::{fmt::Write, fs};

use anyhow::{Context, Result, bail, ensure};

use super::{cell, cmsis_nn::Counts, document, operations as other_operations};
use crate::{
    checkout,
    firmware::{self, Board, operations},
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

/// On the Cortex-M55 a shape may cost so much of what it costs CMSIS-NN.
const PART_OF_PEER: f64 = 0.7;

/// What a shape may cost on the Cortex-M4: so many instructions for each multiply-accumulate and for each output.
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

/// Counts every shape and every other kernel on every processor, and writes the tables.
pub fn run() -> Result<()> {
    if let Some(missing) = firmware::missing() {
        bail!("{missing} is missing: run `cargo xtask setup`, which says how to get it");
    }
    let folder = checkout::root().join("target/bench/kernels");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (board, section) in [(Board::CORTEX_M4, "kernels"), (Board::CORTEX_M55, "kernels-cortex-m55")] {
        document::write_section(section, &text(board)?)?;
    }
    document::write_section("operations", &other_operations::table(&folder)?)
}

fn text(board: Board) -> Result<String> {
    let aim = match board == Board::CORTEX_M4 {
        true => format!("{PER_MULTIPLY_ACCUMULATE} for each MAC and {PER_OUTPUT} for each output"),
        false => format!("{PART_OF_PEER} of CMSIS-NN's"),
    };
    Ok(format!(
        "## Instructions of the integer kernels on a {}\n\nOne convolution with fused relu, i8 values, i8 weights in flash, \
         counted in QEMU between marks in the firmware: exact, and the same in every run. Multiply-accumulates (MACs) are those \
         of the full kernel at every output, padding included. Aimed at: {aim}.\n\n{}\nThe other kernels, 32 channels of \
         16x16; where CMSIS-NN has no such kernel, the sum of those that do the same, or the nearest.\n\n{}\n{PEER}\n\n\
         `cargo xtask bench kernels`\n",
        board.processor,
        convolutions(board)?,
        others(board)?,
    ))
}

/// Where the peer's figures are from.
const PEER: &str = "CMSIS-NN's figures were counted once in the same way, outside this project: commit 99f736a6, gcc 12.2.1 \
                    `-O3`, the better of its settings for rescaling, kernel by kernel; see `xtask/src/bench/cmsis_nn.rs`. \
                    Instructions are not cycles.";

fn convolutions(board: Board) -> Result<String> {
    let mut table = String::from(
        "| input, channels x height x width | outputs | kernel | stride | instructions | per MAC | aimed at | CMSIS-NN | times CMSIS-NN |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (shape, &peer) in SHAPES.iter().zip(&Counts::of(board).convolutions) {
        let (instructions, outputs) = count(board, shape)?;
        let macs = shape.multiply_accumulates(outputs) as f64;
        let (peer_cost, cost) = (peer as f64 / macs, instructions as f64 / macs);
        let aim = match board == Board::CORTEX_M4 {
            true => PER_MULTIPLY_ACCUMULATE + PER_OUTPUT * outputs as f64 / macs,
            false => PART_OF_PEER * peer_cost,
        };
        let [channels, height, width] = shape.input;
        let (outputs, kernel, stride) = (shape.outputs, shape.kernel, shape.stride);
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "| {channels}x{height}x{width} | {outputs} | {kernel} | {stride} | {instructions} | {cost:.3} | {aim:.3} | \
             {peer_cost:.3} | {:.2} |",
            cost / peer_cost
        );
    }
    Ok(table)
}

fn others(board: Board) -> Result<String> {
    let mut table = String::from(
        "| kernel | instructions | per | of these | CMSIS-NN | times CMSIS-NN |\n|---|---|---|---|---|---|\n",
    );
    for row in cell::rows(board)? {
        let (cost, peer) = (row.instructions as f64 / row.units as f64, row.peer as f64 / row.units as f64);
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {cost:.2} | {peer:.2} | {:.2} |",
            row.name,
            row.instructions,
            row.unit,
            cost / peer
        );
    }
    Ok(table)
}

/// Instructions and output elements of one shape.
fn count(board: Board, shape: &Shape) -> Result<(u64, u64)> {
    let program = firmware::write_architecture(&shape.architecture(), &shape.name(), board)?;
    let operations = operations::measure(board, &program)?;
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
