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
        _ => env::home_dir().context("no home folder: set XDG_CACHE_HOME to a folder for downloads")?.join(".cache"),
    };
    let folder = base.join("convrnn");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the cache folder {}", folder.display()))?;
    Ok(folder)
}

/// Returns the entry `name` of the cache, built by `build` when it is missing.
///
/// `build` fills a folder of another name, which is renamed when it is whole: an entry that exists is complete, however
/// a former set-up ended. A lock lets a second set-up wait for the first instead of doing the work twice.
pub fn entry(name: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    entry_in(&folder()?, name, build)
}

fn entry_in(cache: &Path, name: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let entry = cache.join(name);
    if entry.is_dir() {
        return Ok(entry);
    }
    let lock_path = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).with_context(|| format!("cannot write {}", lock_path.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for another set-up to finish {name}");
        lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    }
    if entry.is_dir() {
        return Ok(entry);
    }
    let partial = cache.join(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    build(&partial)?;
    fs::rename(&partial, &entry)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), entry.display()))?;
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn a_failed_build_leaves_no_entry_and_the_next_starts_afresh() {
        let cache = tempfile::tempdir().unwrap();
        let failed = entry_in(cache.path(), "thing", |folder| {
            fs::write(folder.join("torn"), "half")?;
            bail!("the line broke")
        });
        assert!(failed.unwrap_err().to_string().contains("the line broke"));
        assert!(!cache.path().join("thing").exists());

        let whole = entry_in(cache.path(), "thing", |folder| {
            assert!(!folder.join("torn").exists());
            Ok(fs::write(folder.join("whole"), "all")?)
        });
        assert_eq!(fs::read_to_string(whole.unwrap().join("whole")).unwrap(), "all");
    }

    #[test]
    fn an_entry_is_built_once_however_many_ask_at_once() {
        let cache = tempfile::tempdir().unwrap();
        let builds = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let entry = entry_in(cache.path(), "thing", |folder| {
                        builds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(50));
                        Ok(fs::write(folder.join("whole"), "all")?)
                    });
                    assert!(entry.unwrap().join("whole").is_file());
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }
}
