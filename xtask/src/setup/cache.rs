//! The per-user cache: what is fetched once for all checkouts, keyed by version.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// `$XDG_CACHE_HOME/convrnn` or `~/.cache/convrnn`, made when it is missing.
pub fn folder() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(folder) if Path::new(&folder).is_absolute() => PathBuf::from(folder),
        _ => env::home_dir()
            .context("no home folder: set XDG_CACHE_HOME to a folder for downloads")?
            .join(".cache"),
    };
    let folder = base.join("convrnn");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the cache folder {}", folder.display()))?;
    Ok(folder)
}

/// Returns the entry `name` of the cache, built by `build` when it is missing.
///
/// `build` fills a folder of another name, which is renamed when it is whole: an entry that exists is complete, however
/// a former set-up ended. A lock lets a second set-up wait for the first instead of doing the work twice.
pub fn entry(name: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = folder()?;
    let entry = cache.join(name);
    if entry.is_dir() {
        return Ok(entry);
    }
    let lock_path = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock_path)
        .with_context(|| format!("cannot write {}", lock_path.display()))?;
    lock.lock()
        .with_context(|| format!("cannot lock {}", lock_path.display()))?;
    if entry.is_dir() {
        return Ok(entry);
    }
    let partial = cache.join(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial)
            .with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    build(&partial)?;
    fs::rename(&partial, &entry)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), entry.display()))?;
    Ok(entry)
}
