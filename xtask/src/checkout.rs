//! Where things are in this checkout.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// Root of the checkout: the folder above this crate. Cargo says at run time where that is, which stays right when
/// several checkouts share a target folder.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(folder).parent().unwrap_or(Path::new(".")).to_owned()
});

/// Root of the checkout.
pub fn root() -> &'static Path {
    &ROOT
}

/// The link that `LIBTORCH` names in `.cargo/config.toml`.
pub fn libtorch_link() -> PathBuf {
    root().join("libtorch")
}

/// The link that `ORT_DYLIB_PATH` names in `.cargo/config.toml`.
pub fn onnxruntime_link() -> PathBuf {
    root().join(".onnxruntime").join("libonnxruntime.so")
}

/// Folder of the firmware crate of a board or machine.
pub fn firmware(example: &str) -> PathBuf {
    root().join("firmware-examples").join(example)
}

/// Where firmware is built: `CARGO_TARGET_DIR` when set, else `target`, in a folder of its own, since its compiler and
/// target differ from the host's.
pub fn firmware_target(example: &str) -> PathBuf {
    let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    base.join("firmware").join(example)
}

/// A program of the workspace as the last build left it.
pub fn built(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

/// The same as the last build with `--release` left it.
pub fn built_optimised(name: &str) -> PathBuf {
    target().join("release").join(name)
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Cargo in the root of the checkout: the one that runs this program.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Builds everything on the host as the tests are built. A part alone would ask for its dependencies with other features,
/// and so build them anew.
pub fn build_all() -> Command {
    let mut command = cargo();
    command.args(["build", "--locked", "--workspace", "--all-targets"]);
    command
}

/// Builds the two programs without tract: what the demo runs. tract joins where everything is built.
pub fn build_programs() -> Command {
    let mut command = cargo();
    command.args(["build", "--locked", "--package", "convrnn-trainer", "--package", "convrnn-export"]);
    // Without the package before them: cargo takes `convrnn-export/onnxruntime` for none where two packages are chosen.
    command.args(["--no-default-features", "--features", "onnxruntime,serial,plots"]);
    command
}
