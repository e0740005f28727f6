//! The kernels for vectors of 128 bits against the portable ones, in random programs: those for AArch64 in QEMU's user mode,
//! those for WebAssembly in Node.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{
    Toolchain,
    conformance::{Collection, Random},
    say,
};
use crate::{checkout, process};

/// A processor that is no board.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// The processor, as people call it.
    pub processor: &'static str,
    /// The compiler's name of it.
    pub target: &'static str,
    /// The program that runs what is built for it.
    pub host: &'static str,
    /// Folder in `firmware-examples`.
    folder: &'static str,
    /// What is built, and the script of the folder that the host program runs it by.
    file: &'static str,
    script: Option<&'static str>,
    /// Flags for the compiler in place of those of the folder.
    flags: Option<&'static str>,
    /// What programs are packed for, as `convrnn-export program --target` says it.
    packed_for: &'static str,
}

/// Every processor of 64-bit Arm.
pub const AARCH64: Machine = Machine {
    processor: "AArch64",
    target: "aarch64-unknown-none",
    host: "qemu-aarch64",
    folder: "conformance-aarch64",
    file: "conformance-aarch64",
    script: None,
    flags: None,
    packed_for: "aarch64",
};

/// Those with products of four bytes at once.
const AARCH64_DOT_PRODUCT: Machine = Machine {
    processor: "AArch64 with dot products",
    flags: Some("-Crelocation-model=static -Ctarget-feature=+dotprod"),
    ..AARCH64
};

/// WebAssembly with its fixed-width SIMD instructions.
pub const WASM: Machine = Machine {
    processor: "WebAssembly",
    target: "wasm32-unknown-unknown",
    host: "node",
    folder: "conformance-wasm",
    file: "conformance_wasm.wasm",
    script: Some("run.mjs"),
    flags: None,
    packed_for: "wasm",
};

/// Runs random programs by every machine whose tools are there, and says which are left out. The host's programs are there.
pub fn check() -> Result<()> {
    for machine in [AARCH64, AARCH64_DOT_PRODUCT, WASM] {
        let processor = machine.processor;
        if let Some(tool) = machine.missing() {
            // Root gets here only when the installation failed.
            ensure!(!process::is_root(), "{processor}: no {tool}; `cargo xtask setup` installs it");
            say(&format!("left out: {processor} (no {tool}; `cargo xtask setup` says how to get it)"));
            continue;
        }
        let built = machine.build()?;
        for random in Random::of_a_check() {
            let collection = Collection::random(machine.packed_for, random)?;
            random.report(processor, &machine.run(&built, &collection)?);
        }
    }
    Ok(())
}

impl Machine {
    fn missing(&self) -> Option<String> {
        if Toolchain::for_target(self.target).is_none() {
            Some(format!("compiler for {}", self.target))
        } else if process::find(self.host).is_none() {
            Some(self.host.to_owned())
        } else {
            None
        }
    }

    /// Builds what runs collections; gives the file.
    fn build(&self) -> Result<PathBuf> {
        let toolchain =
            Toolchain::for_target(self.target).with_context(|| format!("no compiler for {}", self.target))?;
        eprintln!("building {} with {toolchain}", self.folder);
        // One folder for all, since they share what runs on the host while they are built.
        let folder = checkout::firmware_target("conformance");
        let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", self.target.to_uppercase().replace('-', "_"));
        let mut command = toolchain.cargo(&checkout::firmware(self.folder), "build");
        command
            .args(["--quiet", "--locked", "--target-dir"])
            .arg(&folder)
            .envs(self.flags.map(|flags| (variable, flags)));
        process::run_on_stderr(&mut command)?;
        let built = folder.join(self.target).join("debug").join(self.file);
        ensure!(built.is_file(), "cargo reported success but left no {}", built.display());
        Ok(built)
    }

    /// Runs the programs of a collection by what has been built; says how many there were and their checksum. Fails where an
    /// operation is not what the portable kernels make of it, or where these do not give what they give on the host.
    fn run(&self, built: &Path, collection: &Collection) -> Result<String> {
        let mut command = Command::new(self.host);
        command.args(self.script.map(|script| checkout::firmware(self.folder).join(script))).arg(built);
        let path = collection.path();
        command.stdin(File::open(path).with_context(|| format!("cannot read {}", path.display()))?);
        let ended = command.output().with_context(|| format!("cannot start `{}`", process::describe(&command)))?;
        collection.compare(self.processor, &ended)
    }
}
