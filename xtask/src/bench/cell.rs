//! Instructions of the kernels beside the convolution, in networks that have them at 32 channels of 16x16.

use anyhow::{Context, Result};

use super::cmsis_nn::Counts;
use crate::firmware::{
    Board,
    operations::{self, Operation},
    write_architecture,
};

/// One row of the table.
pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    pub units: u64,
    pub instructions: u64,
    /// CMSIS-NN's.
    pub peer: u64,
}

/// A cell with depthwise gates of one size of kernel, a pooling where there is to be one, and a mean.
fn architecture(kernel: u64, has_pool: bool) -> String {
    let pool = if has_pool { "pool = { kernel = 2, stride = 2 }\n" } else { "" };
    format!(
        "name = \"cell-{kernel}\"\ndescription = \"Kernels beside the convolution under the instruction counter\"\n\
         input = {{ channels = 3, height = 16, width = 16 }}\npresentation = {{ steps = 3, image_steps = 3 }}\n\
         [[layer]]\nconvolution = {{ kernel = 3, channels = 32, activation = \"elu\" }}\n\
         cell = {{ kind = \"search\", memory_channels = 32, hidden = {{ activation = \"tanh\", \
         gate = {{ reads = [\"next-memory\", \"input\"], affine = \"separable\", kernel = {kernel}, bias = true }}, \
         keep = {{ reads = [\"hidden\", \"below\"], kernel = 1, squash = \"tanh\", offset = 0.8, factor = 0.5 }} }}, \
         memory = {{ input = {{ kernel = 1 }}, gate = {{ reads = [\"memory\"], affine = \"sum\", offset = 0.5, factor = 0.5 }}, \
         keep = {{ reads = [], offset = 0.9, factor = -0.2 }} }} }}\n\
         [[layer]]\nconvolution = {{ kernel = 1, channels = 32 }}\n{pool}\
         [[layer]]\nconvolution = {{ kernel = 1, channels = 10 }}\nactivation = \"none\"\naverage = \"before\"\n"
    )
}

/// Positions of the maps.
const POSITIONS: u64 = 256;

/// Counts them.
pub fn rows(board: Board) -> Result<Vec<Row>> {
    let peer = Counts::of(board);
    let measure = |kernel, has_pool| {
        let program = write_architecture(&architecture(kernel, has_pool), &format!("cell-{kernel}"), board)?;
        operations::measure(board, &program)
    };
    let (small, large) = (measure(3, true)?, measure(7, false)?);
    let row = |operations: &[Operation], operation: &str, name, unit, peer| {
        let found = operations.iter().find(|found| found.name == operation);
        let found = found.with_context(|| format!("the network has no operation {operation}"))?;
        let units = match unit {
            "MAC" => found.multiply_accumulates,
            "value" => POSITIONS * found.elements(),
            _ => found.elements(),
        };
        anyhow::Ok(Row { name, unit, units, instructions: found.instructions, peer })
    };
    Ok(vec![
        row(&small, "layer1.cell.w_ch.depthwise1", "depthwise convolution 3x3", "MAC", peer.depthwise[0])?,
        row(&large, "layer1.cell.w_ch.depthwise1", "depthwise convolution 7x7", "MAC", peer.depthwise[1])?,
        row(
            &small,
            "layer1.cell.next_ch",
            "gated sum: two gates, two products, sum, function",
            "element",
            peer.gate_update(),
        )?,
        row(&small, "layer1.cell.next_hc", "table of i16, with lines between entries", "element", peer.activation[1])?,
        row(&small, "layer1.cell.sum_hc", "sum of i16", "element", peer.add)?,
        row(&small, "layer1.hidden.view", "i16 to i8", "element", peer.requantise)?,
        row(&small, "layer2.pool", "max-pool 2x2 of i8", "element", peer.max_pool)?,
        row(&large, "layer3.average", "mean of i8 over the map", "value", peer.average)?,
    ])
}
