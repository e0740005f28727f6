//! Fetching Python wheels with pip and taking files out of them. No wheel is installed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

use crate::process;

/// One file of the Python package index. A wheel for 3.12 is taken whatever Python is here: only its libraries are used.
pub struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    pub platform: &'static str,
    pub sha256: &'static str,
}

impl Wheel {
    /// Downloads the wheel into `folder`; pip compares its digest.
    pub fn download(&self, folder: &Path) -> Result<PathBuf> {
        let Self { package, version, platform, sha256 } = self;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let requirement = folder.join(format!("{package}.txt"));
        fs::write(&requirement, format!("{package}=={version} --hash=sha256:{sha256}\n"))
            .with_context(|| format!("cannot write {}", requirement.display()))?;
        eprintln!("fetching {package} {version} with pip");
        let mut command = pip()?;
        command
            .args(["download", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps"])
            .args(["--only-binary=:all:", "--python-version", "3.12", "--platform", platform])
            .args(["--require-hashes", "--requirement"])
            .arg(&requirement)
            .arg("--dest")
            .arg(folder);
        process::run_on_stderr(&mut command).with_context(|| format!("cannot fetch {package} {version}"))?;
        let prefix = format!("{}-{version}-", package.replace('-', "_"));
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&prefix) && name.ends_with(".whl") {
                return Ok(path);
            }
        }
        bail!("pip reported success but left no {prefix}*.whl in {}", folder.display())
    }
}

/// Unpacks those entries of a wheel that `destination` gives a path for, and returns how many there were. The archive's
/// own checksum of each entry is verified.
pub fn extract(wheel: &Path, destination: impl Fn(&str) -> Option<PathBuf>) -> Result<usize> {
    let file = File::open(wheel).with_context(|| format!("cannot open {}", wheel.display()))?;
    let mut archive = ZipArchive::new(io::BufReader::new(file))
        .with_context(|| format!("{} is not a zip archive", wheel.display()))?;
    let mut count = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).with_context(|| format!("in {}", wheel.display()))?;
        let Some(name) = entry.enclosed_name().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        let Some(path) = destination(&name) else {
            continue;
        };
        if entry.is_dir() {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut output = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        io::copy(&mut entry, &mut output).with_context(|| format!("cannot unpack {name} of {}", wheel.display()))?;
        count += 1;
    }
    Ok(count)
}

/// The first pip that answers.
fn pip() -> Result<Command> {
    for words in [&["python3", "-m", "pip"][..], &["python", "-m", "pip"], &["pip3"], &["pip"]] {
        let command = || {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            command
        };
        if process::answer(command().arg("--version")).is_some() {
            return Ok(command());
        }
    }
    bail!(
        "Python's pip is needed to fetch libraries and was not found: install it (Debian: apt-get install python3-pip)"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use zip::{ZipWriter, write::SimpleFileOptions};

    #[test]
    fn chosen_entries_are_unpacked_and_damaged_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("a.whl");
        let text = "libtorch".repeat(1000);
        let mut writer = ZipWriter::new(File::create(&wheel).unwrap());
        for name in ["lib/kept.so", "lib/other.so", "../outside"] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        let kept = |name: &str| (name != "lib/other.so").then(|| folder.path().join("out").join(name));
        assert_eq!(extract(&wheel, kept).unwrap(), 1);
        assert_eq!(fs::read_to_string(folder.path().join("out/lib/kept.so")).unwrap(), text);
        assert!(!folder.path().join("out/lib/other.so").exists());
        assert!(!folder.path().join("outside").exists());

        let mut bytes = fs::read(&wheel).unwrap();
        // Inside the compressed data of the first entry, behind its local header and name.
        bytes[30 + "lib/kept.so".len() + 12] ^= 0x10;
        fs::write(&wheel, &bytes).unwrap();
        assert!(extract(&wheel, kept).is_err());
        fs::write(&wheel, &bytes[..bytes.len() / 2]).unwrap();
        assert!(extract(&wheel, kept).unwrap_err().to_string().contains("not a zip archive"));
    }
}
