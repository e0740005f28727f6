//! The folder of a run, never overwritten.

use crate::error::{Result, TrainerError};
use std::path::{Path, PathBuf};

/// Checkpoint of the last save.
pub const LAST: &str = "last";
/// Checkpoint of the best test accuracy.
pub const BEST: &str = "best";
/// One record an epoch.
pub const METRICS: &str = "metrics.jsonl";
/// The same as a table, one row an epoch.
pub const SUMMARY: &str = "summary.csv";
/// Event files of TensorBoard.
pub const TENSORBOARD: &str = "tensorboard";
/// Figures.
pub const PLOTS: &str = "plots";

/// Creates `runs/<name>-<number>` with the first number that is free.
pub fn create_numbered(parent: &Path, name: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(parent).map_err(TrainerError::io("create", parent))?;
    for number in 1.. {
        let path = parent.join(format!("{name}-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(TrainerError::io("create", &path)(error)),
        }
    }
    unreachable!("numbers do not end")
}

/// Creates a run folder that must not exist yet.
pub fn create(path: &Path) -> Result<PathBuf> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(TrainerError::io("create", parent))?;
    }
    match std::fs::create_dir(path) {
        Ok(()) => Ok(path.to_path_buf()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(TrainerError::RunExists { path: path.into() })
        }
        Err(error) => Err(TrainerError::io("create", path)(error)),
    }
}

/// The checkpoint meant by a path: a checkpoint directory itself, or a run folder's best one, or
/// else its last.
pub fn checkpoint_of(path: &Path) -> PathBuf {
    let is_checkpoint = |path: &Path| path.join(convrnn_models::checkpoint::names::WEIGHTS).is_file();
    let inside = [path.join(BEST), path.join(LAST)];
    if is_checkpoint(path) {
        return path.to_path_buf();
    }
    inside.into_iter().find(|inside| is_checkpoint(inside)).unwrap_or_else(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_up_and_a_named_run_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        assert_eq!(create_numbered(&runs, "net").unwrap(), runs.join("net-1"));
        assert_eq!(create_numbered(&runs, "net").unwrap(), runs.join("net-2"));
        assert_eq!(create_numbered(&runs, "other").unwrap(), runs.join("other-1"));
        let error = create(&runs.join("net-2")).unwrap_err().to_string();
        assert!(error.contains("exists already") && error.contains("--resume"), "{error}");
    }
}
