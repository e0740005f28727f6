//! The folder of a run, never overwritten.

use crate::error::{Result, TrainerError};
use std::path::{Path, PathBuf};

pub use convrnn_models::checkpoint::{BEST, LAST, locate as checkpoint_of};

/// One record an epoch.
pub const METRICS: &str = "metrics.jsonl";
/// The same as a table, one row an epoch.
pub const SUMMARY: &str = "summary.csv";
/// Event files of TensorBoard.
pub const TENSORBOARD: &str = "tensorboard";
/// Figures.
pub const PLOTS: &str = "plots";
/// Held by the program that trains in the folder.
const LOCK: &str = ".lock";

/// The right to write into a run folder, until it is dropped or the program ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    /// Holds the lock while it is open.
    _file: std::fs::File,
}

/// How often, and how far apart, a lock that another holds is tried: half a second in all.
const ATTEMPTS: u32 = 50;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Takes the right to write into a run folder.
///
/// # Errors
/// [`TrainerError::RunInUse`] where another program, or another part of this one, has it.
pub fn lock(folder: &Path) -> Result<Lock> {
    let path = folder.join(LOCK);
    let file = std::fs::File::create(&path).map_err(TrainerError::io("create", &path))?;
    // A process that another thread is just starting has all files of this one until it becomes its own program.
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(std::fs::TryLockError::Error(error)) => return Err(TrainerError::io("lock", &path)(error)),
        }
    }
    Err(TrainerError::RunInUse { path: folder.into() })
}

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

/// Whether a name is one under which a file or a checkpoint is written before it gets its own.
fn is_partial(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with(".partial") || name.contains(".partial-")
}

/// Removes what killed programs left half written in a run folder and its folders of pictures and events. Only for whom
/// nobody else writes there.
pub fn remove_partial(folder: &Path) -> Result<()> {
    for place in [folder.to_path_buf(), folder.join(PLOTS), folder.join(TENSORBOARD)] {
        let entries = match std::fs::read_dir(&place) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(TrainerError::io("read", &place))?,
        };
        for entry in entries {
            let entry = entry.map_err(TrainerError::io("read", &place))?;
            if !is_partial(&entry.file_name()) {
                continue;
            }
            let path = entry.path();
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(TrainerError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Whether a program was killed in this folder before it wrote a checkpoint: nothing but its lock, which
/// nobody holds, and what it left half written.
fn is_abandoned(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let names: Vec<_> = entries.map(|entry| entry.map(|entry| entry.file_name()).unwrap_or_default()).collect();
    let is_left_behind = names.iter().all(|name| name == LOCK || is_partial(name));
    is_left_behind && folder.join(LOCK).is_file() && lock(folder).is_ok()
}

/// Creates a run folder that must not exist yet, or takes over one whose program was killed before it
/// wrote anything.
pub fn create(path: &Path) -> Result<PathBuf> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(TrainerError::io("create", parent))?;
    }
    match std::fs::create_dir(path) {
        Ok(()) => Ok(path.to_path_buf()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            if is_abandoned(path) {
                Ok(path.into())
            } else {
                Err(TrainerError::RunExists { path: path.into() })
            }
        }
        Err(error) => Err(TrainerError::io("create", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_at_a_time_trains_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let error = lock(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another program trains"), "{error}");
        drop(held);
        lock(folder.path()).unwrap();
    }

    #[test]
    fn a_run_killed_before_its_first_checkpoint_can_begin_anew() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        create(&run).unwrap();
        let held = lock(&run).unwrap();
        std::fs::create_dir(run.join(".last.partial-7")).unwrap();
        assert!(create(&run).is_err(), "still under way");
        drop(held);
        create(&run).unwrap();
        std::fs::create_dir(run.join("last")).unwrap();
        assert!(create(&run).is_err(), "there is a checkpoint");
    }

    #[test]
    fn what_is_half_written_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for place in [LAST, PLOTS, TENSORBOARD, ".last.partial-7"] {
            std::fs::create_dir(at(place)).unwrap();
        }
        for file in [METRICS, "metrics.jsonl.77.partial", "plots/loss.svg", "plots/loss.svg.77.partial"] {
            std::fs::write(at(file), "").unwrap();
        }
        std::fs::write(at(".last.partial-7").join("weights"), "").unwrap();
        remove_partial(folder.path()).unwrap();
        let gone = [".last.partial-7", "metrics.jsonl.77.partial", "plots/loss.svg.77.partial"];
        assert!(gone.iter().all(|name| !at(name).exists()));
        assert!([LAST, METRICS, "plots/loss.svg", TENSORBOARD].iter().all(|name| at(name).exists()));
    }

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
