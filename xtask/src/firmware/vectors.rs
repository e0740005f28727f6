//! The Cortex-M55: its kernels against the portable ones, operation by operation, and the network's bits against the host's.

use std::path::Path;

use anyhow::{Result, ensure};

use super::{Board, Toolchain, build::Firmware, image::Image, qemu, say, stream, stream::Stream};
use crate::process;

const BOARD: Board = Board::CORTEX_M55;

/// Images that each network is shown.
const IMAGES: u32 = 3;

/// Networks of the catalogue that are compared beside the one of odd sizes; together they have every kind of operation.
const NETWORKS: [&str; 2] = ["rgc-28-m4", "search-28"];

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
    for program in &programs {
        compare(program)?;
    }
    say(&format!("{}: the kernels give the portable ones' bytes in {} networks", BOARD.processor, programs.len()));
    for program in programs.iter().take(2) {
        let image = Stream::build(BOARD, program)?;
        Stream { board: BOARD, program, trace: None, images: IMAGES, damage: None }.run(&image)?;
        say(&format!("{}: {}", BOARD.processor, Image::read(&image)?.size()?));
    }
    say(&format!("{}: {} networks give the host's bits, no panic and no heap in the images", BOARD.processor, 2));
    Ok(())
}

/// Fails unless all operations of a program give the same bytes by both kinds of kernels.
fn compare(program: &Path) -> Result<()> {
    let image = Firmware { board: BOARD, program: "compare", network: Some(program) }.release()?;
    let ended = process::output(&mut qemu::silent(BOARD, &image))?;
    let text = String::from_utf8_lossy(&ended.stdout);
    ensure!(ended.status.success(), "{}: the kernels differ from the portable ones: {text}", program.display());
    Ok(())
}
