//! Which compiler builds firmware: any that has the target's core library, or core's source to build it from.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use super::board::Board;
use crate::{checkout, process};

/// A compiler and cargo that can build for a kind of processor.
pub struct Toolchain {
    target: &'static str,
    rustc: PathBuf,
    cargo: PathBuf,
    version: String,
    core: Core,
}

/// Where the target's core library comes from.
enum Core {
    /// It is installed (`rustup target add`).
    Installed,
    /// It is built from source, which on a stable compiler needs `RUSTC_BOOTSTRAP`.
    Built { linker: Option<PathBuf> },
}

impl Toolchain {
    /// A folder with `rustc` and `cargo` that the user wants firmware to be built with.
    const CHOICE: &str = "CONVRNN_FIRMWARE_COMPILER";

    /// The user's choice, else the one on `PATH`, else the distribution's; an installed core library before one to
    /// build.
    pub fn find(board: Board) -> Option<Self> {
        Self::for_target(board.target)
    }

    /// As [`Toolchain::find`], for a kind of processor by the compiler's name.
    pub fn for_target(target: &'static str) -> Option<Self> {
        let in_folder = |folder: PathBuf| (folder.join("rustc"), folder.join("cargo"));
        let candidates = match std::env::var_os(Self::CHOICE) {
            Some(folder) => vec![in_folder(folder.into())],
            None => vec![("rustc".into(), "cargo".into()), in_folder("/usr/bin".into())],
        };
        let installed = candidates.iter().find_map(|(rustc, cargo)| Self::with_installed_core(target, rustc, cargo));
        installed.or_else(|| candidates.iter().find_map(|(rustc, cargo)| Self::with_core_source(target, rustc, cargo)))
    }

    fn with_installed_core(target: &'static str, rustc: &Path, cargo: &Path) -> Option<Self> {
        let folder = answer(rustc, &["--print", "target-libdir", "--target", target])?;
        let has_core = Path::new(&folder).read_dir().ok()?.flatten().any(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with("libcore-")
        });
        has_core.then(|| Self::new(target, rustc, cargo, Core::Installed)).flatten()
    }

    fn with_core_source(target: &'static str, rustc: &Path, cargo: &Path) -> Option<Self> {
        let root = answer(rustc, &["--print", "sysroot"])?;
        let source = Path::new(&root).join("lib/rustlib/src/rust/library/core/Cargo.toml");
        source
            .is_file()
            .then(|| Self::new(target, rustc, cargo, Core::Built { linker: linker(&root, target) }))
            .flatten()
    }

    fn new(target: &'static str, rustc: &Path, cargo: &Path, core: Core) -> Option<Self> {
        let version = answer(rustc, &["--version"])?;
        answer(cargo, &["--version"])?;
        Some(Self { target, rustc: rustc.into(), cargo: cargo.into(), version, core })
    }

    /// A cargo command in `folder`, without its arguments.
    pub fn cargo(&self, folder: &Path, subcommand: &str) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(folder).env("RUSTC", &self.rustc).arg(subcommand).args(["--target", self.target]);
        // Flags and libraries of the host's build do not concern this one.
        for name in
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "RUSTC_WRAPPER", "LD_LIBRARY_PATH"]
        {
            command.env_remove(name);
        }
        if let Core::Built { linker } = &self.core {
            command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core");
            if let Some(linker) = linker {
                let name = self.target.to_uppercase().replace(['-', '.'], "_");
                command.env(format!("CARGO_TARGET_{name}_LINKER"), linker);
            }
        }
        command
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = match self.core {
            Core::Installed => "its installed core library",
            Core::Built { .. } => "core built from source",
        };
        write!(formatter, "{} ({}) with {core}", self.version, self.rustc.display())
    }
}

/// The target's linker is `rust-lld`, which a distribution's compiler may lack: then that of the compiler on `PATH`.
fn linker(compiler_root: &str, target: &str) -> Option<PathBuf> {
    let plain = if target.starts_with("wasm") { "wasm-ld" } else { "ld.lld" };
    let own = |root: &str| {
        let host = Path::new(root).join("lib/rustlib").join(env_host()?).join("bin/rust-lld");
        host.is_file().then_some(host)
    };
    if own(compiler_root).is_some() || process::find("rust-lld").is_some() {
        return None;
    }
    answer("rustc", &["--print", "sysroot"]).and_then(|root| own(&root)).or_else(|| process::find(plain))
}

/// The host's target name.
fn env_host() -> Option<String> {
    let text = answer("rustc", &["-vV"])?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

fn answer(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    process::answer(Command::new(program).current_dir(checkout::root()).env_remove("LD_LIBRARY_PATH").args(arguments))
}
