//! The Cortex-M55: its kernels against the portable ones, operation by operation, and the network's bits against the host's.

use anyhow::Result;

use super::{
    Board, Toolchain,
    conformance::{self, Collection},
    image::Image,
    say,
    stream::{self, Stream},
};

const BOARD: Board = Board::CORTEX_M55;

/// Images that each network is shown.
const IMAGES: u32 = 3;

/// Networks of the catalogue that are compared beside those of odd and of whole sizes.
const NETWORKS: [&str; 2] = ["rgc-28-m4", "search-28"];

/// Channels that fill vectors, depthwise ones too, and more outputs than are summed at once, one left over.
const WHOLE: &str = r#"
name = "whole"
description = "Whole vectors, and more output channels than one block"
input = { channels = 16, height = 9, width = 7 }
presentation = { steps = 6, image_steps = 6 }
layer = [
    { convolution = { kernel = 3, channels = 32, activation = "elu" }, cell = { kind = "search", memory_channels = 32, hidden = { activation = "tanh", gate = { reads = ["hidden", "input"], affine = "separable", kernel = 3, bias = true }, keep = { reads = ["hidden", "below"], kernel = 1, squash = "tanh", offset = 0.8, factor = 0.5 } }, memory = { input = { kernel = 1 }, gate = { reads = ["memory"], affine = "sum", offset = 0.5, factor = 0.5 }, keep = { reads = [], offset = 0.9, factor = -0.2 } } } },
    { convolution = { kernel = 4, channels = 145, stride = 2 }, pool = { kernel = 2 } },
    { convolution = { kernel = 1, channels = 10 }, activation = "none", average = "before" },
]
"#;

/// Says so and does nothing where no compiler for the machine is found.
pub fn check() -> Result<()> {
    if Toolchain::find(BOARD).is_none() {
        say(&format!("left out: {} (no compiler for {}; see `cargo xtask setup`)", BOARD.processor, BOARD.target));
        return Ok(());
    }
    let mut programs = vec![stream::odd_program(BOARD)?];
    for network in NETWORKS {
        programs.push(stream::write_untrained(network, network, BOARD)?);
    }
    programs.push(stream::write_architecture(WHOLE, "whole", BOARD)?);
    let outcome = Collection::of(BOARD.packed_for, &programs)?.run(BOARD, &conformance::image(BOARD)?)?;
    say(&format!("{}: the kernels give the host's bits in whole networks: {outcome}", BOARD.processor));
    for program in programs.iter().take(2) {
        let image = Stream::build(BOARD, program)?;
        Stream { board: BOARD, program, trace: None, images: IMAGES, damage: None }.run(&image)?;
        say(&format!("{}: {}", BOARD.processor, Image::read(&image)?.size()?));
    }
    say(&format!("{}: {} networks give the host's bits, no panic and no heap in the images", BOARD.processor, 2));
    Ok(())
}
