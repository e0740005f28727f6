//! Programs of the distribution: a C++ compiler for libtorch's bindings, QEMU, Node, and a compiler for firmware.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    firmware::{Board, Toolchain, simd},
    process,
};

/// Something that the distribution provides and the job that is left out without it.
struct Need {
    packages: &'static [&'static str],
    purpose: &'static str,
}

const CPP_COMPILER: Need = Need { packages: &["g++"], purpose: "building the trainer" };
const NASM: Need = Need { packages: &["nasm"], purpose: "decoding JPEGs with SIMD, where libjpeg is built after it" };
const QEMU: Need = Need { packages: &["qemu-system-arm"], purpose: "running firmware" };
const QEMU_USER: Need = Need { packages: &["qemu-user"], purpose: "running the kernels for AArch64" };
const NODE: Need = Need { packages: &["nodejs"], purpose: "running the kernels for WebAssembly" };
const FIRMWARE_COMPILER: Need =
    Need { packages: &["rustc-web", "cargo-web", "rust-web-src"], purpose: "building firmware" };

/// Installs a C++ compiler where there is none and that is allowed.
pub fn ensure_compiler() {
    if process::find("c++").is_none() {
        install(&[CPP_COMPILER]);
    }
}

/// Installs what else is missing where that is allowed, and says what is left out where it is not.
pub fn ensure() -> Result<()> {
    let mut needs = Vec::new();
    if cfg!(target_arch = "x86_64") && process::find("nasm").is_none() {
        needs.push(NASM);
    }
    if process::find("qemu-system-arm").is_none() {
        needs.push(QEMU);
    }
    for (program, need) in [(simd::AARCH64.host, QEMU_USER), (simd::WASM.host, NODE)] {
        if process::find(program).is_none() {
            needs.push(need);
        }
    }
    let can_build = |target: &&'static str| Toolchain::for_target(target).is_some() || add_rustup_target(target);
    if targets().iter().filter(|target| !can_build(target)).count() > 0 {
        needs.push(FIRMWARE_COMPILER);
    }
    if !needs.is_empty() {
        install(&needs);
    }
    for board in Board::ALL {
        if let Some(toolchain) = Toolchain::find(board) {
            eprintln!("firmware compiler for the {}: {toolchain}", board.processor);
        }
    }
    for machine in [simd::AARCH64, simd::WASM] {
        if let Some(toolchain) = Toolchain::for_target(machine.target) {
            eprintln!("compiler for {}: {toolchain}", machine.processor);
        }
    }
    if let Some(qemu) = process::find("qemu-system-arm") {
        eprintln!("QEMU: {}", qemu.display());
    }
    Ok(())
}

/// All that something is built for which is no host of cargo.
fn targets() -> Vec<&'static str> {
    let mut targets: Vec<&str> = Board::ALL.iter().map(|board| board.target).collect();
    targets.extend([simd::AARCH64.target, simd::WASM.target]);
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// Asks rustup for the prebuilt core library; false where there is no rustup or nothing to fetch from.
fn add_rustup_target(target: &'static str) -> bool {
    if process::find("rustup").is_none() {
        return false;
    }
    eprintln!("asking rustup for the target {target}");
    let added = process::answer(Command::new("rustup").args(["target", "add", target]));
    added.is_some() && Toolchain::for_target(target).is_some()
}

fn install(needs: &[Need]) {
    if process::find("apt-get").is_none() {
        return leave_out(needs, "this is not a Debian or Ubuntu machine: install the like of");
    }
    if !process::is_root() {
        return leave_out(needs, "not root: run `sudo apt-get install --no-install-recommends");
    }
    eprintln!("refreshing the package lists");
    if let Err(error) = apt_get(&["update", "--quiet=2"]) {
        eprintln!("note: {error:#}");
    }
    for need in needs {
        eprintln!("installing {} for {}", need.packages.join(" "), need.purpose);
        let arguments = [&["install", "--yes", "--quiet=2", "--no-install-recommends"], need.packages].concat();
        if let Err(error) = apt_get(&arguments) {
            eprintln!("note: {error:#}");
            leave_out(std::slice::from_ref(need), "not in this distribution: install the like of");
        }
    }
}

/// Its own progress is not shown: it would mix with the compiler's. What it says when it fails is.
fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    let output = process::output(&mut command)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", process::describe(&command), output.status, said.trim());
    }
    Ok(())
}

/// One line for each thing that stays out, with the way to get it.
fn leave_out(needs: &[Need], reason: &str) {
    for need in needs {
        let quote = if reason.contains('`') { "`" } else { "" };
        eprintln!("left out: {} ({reason} {}{quote})", need.purpose, need.packages.join(" "));
        if need.packages == FIRMWARE_COMPILER.packages {
            eprintln!("          or `rustup target add {}`", targets().join(" "));
        }
    }
}
