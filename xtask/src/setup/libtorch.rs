//! libtorch for the trainer: the user's own, that of an installed Python torch, or a CPU one put together from wheels.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{
    cache, link,
    wheel::{self, Wheel},
};
use crate::{checkout, process};

/// The version that the pinned `tch` is made for.
const VERSION: &str = "2.11.0";

const TORCH: Wheel = Wheel {
    package: "torch",
    version: VERSION,
    platform: "manylinux_2_28_x86_64",
    sha256: "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
};

/// The wheel's CPU half needs these two CUDA libraries to load; it never calls them without a GPU.
const CUDA_RUNTIME: Wheel = Wheel {
    package: "nvidia-cuda-runtime",
    version: "13.0.96",
    platform: "manylinux2014_x86_64",
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
};
const CUDA_PROFILING: Wheel = Wheel {
    package: "nvidia-cuda-cupti",
    version: "13.0.85",
    platform: "manylinux_2_25_x86_64",
    sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
};

/// Makes the link `libtorch` of the checkout point at a libtorch of the right version.
///
/// `LIBTORCH` of the user's environment wins, then a link that is good already, then Python's torch when it has exactly
/// the right version (with its CUDA half, if it has one), then the CPU build of the cache.
pub fn ensure() -> Result<()> {
    let link = checkout::libtorch_link();
    // Cargo sets the variable to the link unless the user has set it.
    if let Some(chosen) = env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| *path != link) {
        let chosen = fs::canonicalize(&chosen)
            .with_context(|| format!("LIBTORCH names {}: correct or unset it", chosen.display()))?;
        let kind = inspect(&chosen).context("LIBTORCH is set, but not to a libtorch that fits")?;
        link::point(&link, &chosen)?;
        return report(&chosen, kind, "from LIBTORCH");
    }
    let python_demanded = env::var_os("LIBTORCH_USE_PYTORCH").is_some();
    if !python_demanded && let Ok(kind) = inspect(&link) {
        let target = fs::read_link(&link).unwrap_or(link);
        return report(&target, kind, "linked before; remove the link `libtorch` to choose anew");
    }
    if let Some(folder) = python_torch() {
        match inspect(&folder) {
            Ok(kind) => {
                link::point(&link, &folder)?;
                return report(&folder, kind, "Python's torch");
            }
            Err(error) if python_demanded => {
                return Err(error.context("LIBTORCH_USE_PYTORCH is set"));
            }
            Err(error) => eprintln!("libtorch: Python's torch is not used: {error:#}"),
        }
    } else if python_demanded {
        bail!("LIBTORCH_USE_PYTORCH is set, but Python finds no torch: install torch {VERSION} or unset it");
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("no libtorch is fetched on this kind of machine: install torch {VERSION} for Python, or set LIBTORCH");
    }
    let entry = cache::entry(&format!("libtorch-{VERSION}-cpu"), assemble)?;
    let kind = inspect(&entry)
        .with_context(|| format!("the cached libtorch is damaged: remove {} and run this again", entry.display()))?;
    link::point(&link, &entry)?;
    report(&entry, kind, "from Python wheels")
}

/// What a libtorch can run on.
#[derive(Clone, Copy)]
enum Kind {
    Cpu,
    Cuda,
}

fn report(folder: &Path, kind: Kind, origin: &str) -> Result<()> {
    let kind = match kind {
        Kind::Cpu => "CPU",
        Kind::Cuda => "CPU and CUDA",
    };
    eprintln!("libtorch {VERSION} ({kind}): {} ({origin})", folder.display());
    Ok(())
}

/// Checks that a folder holds libraries and headers of the right version.
fn inspect(folder: &Path) -> Result<Kind> {
    for file in
        ["lib/libtorch.so", "lib/libtorch_cpu.so", "lib/libc10.so", "include/torch/csrc/api/include/torch/torch.h"]
    {
        if !folder.join(file).is_file() {
            bail!("{} has no {file}", folder.display());
        }
    }
    let version = version(folder)?;
    if version.split('+').next() != Some(VERSION) && env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_none() {
        bail!("{} is version {version}, but {VERSION} is needed", folder.display());
    }
    Ok(if folder.join("lib/libtorch_cuda.so").is_file() { Kind::Cuda } else { Kind::Cpu })
}

/// Version of a libtorch archive (`build-version`) or of a Python package (`version.py`).
fn version(folder: &Path) -> Result<String> {
    if let Ok(text) = fs::read_to_string(folder.join("build-version")) {
        return Ok(text.trim().to_owned());
    }
    let path = folder.join("version.py");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{} has neither build-version nor version.py", folder.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    Ok(line.with_context(|| format!("no __version__ in {}", path.display()))?.trim_matches(['\'', '"']).to_owned())
}

/// Folder of the torch that Python would import, found without importing it.
fn python_torch() -> Option<PathBuf> {
    let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let script =
        "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
    let folder = process::answer(Command::new(python).args(["-c", script]))?;
    (!folder.is_empty()).then(|| PathBuf::from(folder))
}

/// Fills `folder` with the CPU half of the torch wheel.
fn assemble(folder: &Path) -> Result<()> {
    let downloads = folder.join("downloads");
    let libraries = folder.join("lib");
    eprintln!("libtorch {VERSION} is put together once for this user: 540 MB to fetch, 500 MB on disk");
    let torch = TORCH.download(&downloads)?;
    eprintln!("unpacking libtorch");
    wheel::extract(&torch, |name| {
        let inner = name.strip_prefix("torch/")?;
        let wanted = matches!(inner, "lib/libtorch_cpu.so" | "lib/libc10.so" | "lib/libgomp.so.1");
        (wanted || inner.starts_with("include/")).then(|| folder.join(inner))
    })?;
    for (wheel, library) in [(CUDA_RUNTIME, "libcudart.so.13"), (CUDA_PROFILING, "libcupti.so.13")] {
        let file = wheel.download(&downloads)?;
        wheel::extract(&file, |name| (name.rsplit('/').next() == Some(library)).then(|| libraries.join(library)))?;
    }
    link_umbrella(&downloads, &libraries)?;
    fs::write(folder.join("build-version"), VERSION)?;
    fs::remove_dir_all(&downloads)?;
    inspect(folder).map(|_| ())
}

/// Makes a `libtorch.so` that only names the CPU libraries: the wheel's own also needs the whole of CUDA.
fn link_umbrella(scratch: &Path, libraries: &Path) -> Result<()> {
    let source = scratch.join("empty.c");
    fs::write(&source, "/* Only the names of other libraries. */\n")?;
    let mut command = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command
        .args(["-shared", "-Wl,-soname,libtorch.so", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined", "-o"])
        .arg(libraries.join("libtorch.so"))
        .arg(&source)
        .arg("-L")
        .arg(libraries)
        .args(["-Wl,--no-as-needed", "-l:libtorch_cpu.so", "-l:libc10.so"]);
    process::run_on_stderr(&mut command).context("a C compiler is needed to link libtorch.so")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    const LIBRARIES: [(&str, &str); 4] = [
        ("lib/libtorch.so", ""),
        ("lib/libtorch_cpu.so", ""),
        ("lib/libc10.so", ""),
        ("include/torch/csrc/api/include/torch/torch.h", ""),
    ];

    #[test]
    fn versions_are_read_from_archives_and_from_python_packages() {
        let archive = library(&[&LIBRARIES[..], &[("build-version", "2.11.0+cpu\n")]].concat());
        assert!(matches!(inspect(archive.path()), Ok(Kind::Cpu)));
        let package = "__all__ = ['__version__']\n__version__ = '2.11.0+cu130'\n";
        let files = [("version.py", package), ("lib/libtorch_cuda.so", "")];
        let package = library(&[&LIBRARIES[..], &files].concat());
        assert!(matches!(inspect(package.path()), Ok(Kind::Cuda)));
    }

    #[test]
    fn another_version_and_a_missing_file_are_named() {
        let old = library(&[&LIBRARIES[..], &[("build-version", "2.1.0")]].concat());
        let message = inspect(old.path()).err().unwrap().to_string();
        assert!(message.contains("version 2.1.0, but 2.11.0 is needed"), "{message}");
        let torn = library(&LIBRARIES[..2]);
        let message = inspect(torn.path()).err().unwrap().to_string();
        assert!(message.contains("has no lib/libc10.so"), "{message}");
    }
}
