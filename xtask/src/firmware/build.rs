//! Building firmware, and the check that no panic path is in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::Toolchain;
use crate::{checkout, process};

/// The name that the release panic handler refers to and nothing defines.
const PANIC_SYMBOL: &str = "convrnn_firmware_has_a_panic_path";

/// Builds one program of an example and returns its image.
pub fn release(example: &str, program: &str, environment: &[(&str, &Path)]) -> Result<PathBuf> {
    let mut command = command(example, program)?;
    command.envs(environment.iter().copied());
    process::run_on_stderr(&mut command)
        .with_context(|| format!("the firmware was not built (a linker that misses `{PANIC_SYMBOL}` means that code which can panic came in)"))?;
    let image = checkout::firmware_target(example)
        .join(Toolchain::TARGET)
        .join("release")
        .join(program);
    if !image.is_file() {
        bail!("cargo reported success but left no {}", image.display());
    }
    Ok(image)
}

/// Builds the program that can panic, and fails unless its link fails for that reason.
pub fn refuses_panics(example: &str) -> Result<()> {
    let mut command = command(example, "panicking")?;
    command.args(["--features", "panicking-example"]);
    let output = process::output(&mut command)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        bail!("firmware with a panic path linked: the check for panic paths does not work");
    }
    if !errors.contains(PANIC_SYMBOL) {
        bail!("firmware with a panic path failed to build for another reason:\n{errors}");
    }
    Ok(())
}

fn command(example: &str, program: &str) -> Result<Command> {
    let folder = checkout::firmware(example);
    if !folder.join("Cargo.toml").is_file() {
        bail!(
            "no firmware example {example} in {}",
            checkout::root().join("firmware-examples").display()
        );
    }
    let toolchain = Toolchain::find().with_context(|| {
        format!(
            "no compiler for {}: run `cargo xtask setup`, which says how to get one",
            Toolchain::TARGET
        )
    })?;
    eprintln!("building {example}/{program} with {toolchain}");
    let mut command = toolchain.cargo(&folder, "build");
    command
        .args(["--quiet", "--locked", "--release", "--bin", program])
        .arg("--target-dir");
    command.arg(checkout::firmware_target(example));
    Ok(command)
}

/// One line on the flash and static RAM that an image takes.
pub fn size(image: &Path) -> Result<String> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let (flash, ram) =
        loaded(&bytes).with_context(|| format!("{} is not a 32-bit ELF image", image.display()))?;
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!(
        "{name} takes {flash} bytes of flash and {ram} bytes of static RAM"
    ))
}

/// Bytes of the sections that are loaded (flash) and that are writable (RAM), from the section headers (ELF32 LE).
fn loaded(elf: &[u8]) -> Option<(u32, u32)> {
    const NO_BITS: u32 = 8;
    const WRITABLE: u32 = 1;
    const ALLOCATED: u32 = 2;
    if !elf.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let word = |at: usize| Some(u32::from_le_bytes(elf.get(at..at + 4)?.try_into().ok()?));
    let half = |at: usize| Some(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?));
    let (table, stride, count) = (word(32)? as usize, half(46)? as usize, half(48)? as usize);
    let (mut flash, mut ram) = (0, 0);
    for header in (0..count).map(|index| table + index * stride) {
        let (kind, flags, size) = (word(header + 4)?, word(header + 8)?, word(header + 20)?);
        if flags & ALLOCATED == 0 {
            continue;
        }
        if kind != NO_BITS {
            flash += size;
        }
        if flags & WRITABLE != 0 {
            ram += size;
        }
    }
    Some((flash, ram))
}
