//! Building firmware, well-formed and deliberately wrong.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, bail};

use super::{Toolchain, board::Board};
use crate::{checkout, process};

/// The names that the release panic handler and the absent heap refer to and nothing defines.
const PANIC_SYMBOL: &str = "convrnn_firmware_has_a_panic_path";
const HEAP_SYMBOL: &str = "convrnn_firmware_has_an_allocation";

/// The variable that names the network's program while the firmware that includes it is built.
const PROGRAM_VARIABLE: &str = "CONVRNN_PROGRAM";

/// Programs of an example whose release build must not link, with the name that the linker must miss.
pub const WRONG: [(&str, &str); 2] = [("panicking", PANIC_SYMBOL), ("allocating", HEAP_SYMBOL)];

/// The program that computes collections of programs; a feature of that name gives it memory and arithmetic for all.
const CONFORMANCE: &str = "conformance";

/// One program of an example.
pub struct Firmware<'a> {
    /// The machine.
    pub board: Board,
    /// File of `src/bin`.
    pub program: &'a str,
    /// The network's program, for firmware that includes one.
    pub network: Option<&'a Path>,
}

impl Firmware<'_> {
    /// Builds the release image.
    pub fn release(&self) -> Result<PathBuf> {
        let mut command = self.command()?;
        command.arg("--release");
        process::run_on_stderr(&mut command).with_context(|| {
            format!(
                "the firmware was not built (a linker that misses `{PANIC_SYMBOL}` or `{HEAP_SYMBOL}` means that \
                 code which can panic or allocate came in)"
            )
        })?;
        self.image("release")
    }

    /// Builds an image that can say why it panics, of a program that the release build refuses.
    pub fn debug(&self) -> Result<PathBuf> {
        let mut command = self.command()?;
        command.args(["--features", &self.feature()]);
        process::run_on_stderr(&mut command)?;
        self.image("debug")
    }

    /// Fails unless the release build fails with `expected` in its messages.
    pub fn refused(&self, expected: &str) -> Result<()> {
        let mut command = self.command()?;
        command.arg("--release");
        if WRONG.iter().any(|(program, _)| *program == self.program) {
            command.args(["--features", &self.feature()]);
        }
        let Output { status, stderr, .. } = process::output(&mut command)?;
        let errors = String::from_utf8_lossy(&stderr);
        let program = self.program;
        if status.success() {
            bail!("{program} was built, but must be refused with `{expected}`: the check does not work");
        }
        if !errors.contains(expected) {
            bail!("{program} was refused for another reason than `{expected}`:\n{errors}");
        }
        Ok(())
    }

    fn feature(&self) -> String {
        format!("{}-example", self.program)
    }

    fn image(&self, profile: &str) -> Result<PathBuf> {
        let image = checkout::firmware_target(self.board.name).join(self.board.target).join(profile).join(self.program);
        if !image.is_file() {
            bail!("cargo reported success but left no {}", image.display());
        }
        Ok(image)
    }

    fn command(&self) -> Result<Command> {
        let board = self.board;
        let folder = checkout::firmware(board.name);
        if !folder.join("Cargo.toml").is_file() {
            bail!("no firmware example {} in {}", board.name, checkout::root().join("firmware-examples").display());
        }
        let toolchain = Toolchain::find(board).with_context(|| {
            format!("no compiler for {}: run `cargo xtask setup`, which says how to get one", board.target)
        })?;
        eprintln!("building {}/{} with {toolchain}", board.name, self.program);
        let mut command = toolchain.cargo(&folder, "build");
        command
            .args(["--quiet", "--locked", "--bin", self.program])
            .arg("--target-dir")
            .arg(checkout::firmware_target(board.name))
            .env_remove(PROGRAM_VARIABLE);
        if self.program == CONFORMANCE {
            command.args(["--features", CONFORMANCE]);
        }
        if let Some(network) = self.network {
            let path = std::path::absolute(network).with_context(|| format!("no path to {}", network.display()))?;
            if !path.is_file() {
                bail!("no device program at {}", path.display());
            }
            if is_real(&path)? {
                command.args(["--features", "real"]);
            }
            command.env(PROGRAM_VARIABLE, path);
        }
        Ok(command)
    }
}

/// Whether a network's program has f32 arithmetic, for which firmware has kernels only with a feature.
fn is_real(program: &Path) -> Result<bool> {
    /// Where a program says which arithmetic it has.
    const NUMERICS_AT: usize = 8;
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    Ok(bytes.get(NUMERICS_AT) == Some(&0))
}
