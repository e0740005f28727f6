//! Reading and writing files that users name: never a device, a pipe or more than fits, never half a file.

use crate::error::FileError;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Largest text that is read: far above any architecture, list of metrics or description.
pub const LARGEST_TEXT: u64 = 256 << 20;
/// Largest file of tensors that is read.
pub const LARGEST_TENSORS: u64 = 64 << 30;

/// Reads a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let fail = |source| FileError::Read { path: path.into(), source };
    let metadata = std::fs::metadata(path).map_err(fail)?;
    if metadata.is_dir() {
        return Err(fail(ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        return Err(fail(Error::other("it is no regular file")));
    }
    if metadata.len() > limit {
        return Err(fail(Error::other(format!("it has {} bytes, expected at most {limit}", metadata.len()))));
    }
    std::fs::read(path).map_err(fail)
}

/// Reads a text file whole.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let bytes = read(path, LARGEST_TEXT)?;
    String::from_utf8(bytes).map_err(|_| FileError::Content { path: path.into(), message: "is not UTF-8 text".into() })
}

/// Where a file of this name is to be put: the target of a symbolic link, or the path itself. An error where something
/// other than a regular file has the name.
pub fn destination(path: &Path) -> Result<PathBuf, FileError> {
    let fail = |source| FileError::Write { path: path.into(), source };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.to_path_buf()),
        Err(error) => Err(fail(error)),
        Ok(metadata) if metadata.is_dir() => Err(fail(ErrorKind::IsADirectory.into())),
        Ok(metadata) if !metadata.is_file() => {
            Err(fail(Error::other("something that is no regular file has the name")))
        }
        Ok(_) => std::fs::canonicalize(path).map_err(fail),
    }
}

/// The temporary name beside a file under which it is written first.
pub fn partial(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.partial", std::process::id()));
    temporary.into()
}

/// Writes a file under a temporary name beside it, then renames it: whoever reads sees the old file or the new one, whole.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let destination = destination(path)?;
    let temporary = partial(&destination);
    let written = std::fs::write(&temporary, bytes).and_then(|()| {
        std::fs::File::open(&temporary)?.sync_all()?;
        std::fs::rename(&temporary, &destination)
    });
    written.map_err(|source| {
        let _ = std::fs::remove_file(&temporary);
        FileError::Write { path: path.into(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path(), 10).unwrap_err().to_string();
        assert!(error.contains("directory"), "{error}");
        let error = write_whole(folder.path(), b"x").unwrap_err().to_string();
        assert!(error.contains("directory"), "{error}");
        let file = folder.path().join("file");
        write_whole(&file, b"0123456789").unwrap();
        assert_eq!(read(&file, 10).unwrap(), b"0123456789");
        let error = read(&file, 9).unwrap_err().to_string();
        assert!(error.contains("10 bytes, expected at most 9"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_left_alone_and_links_followed() {
        let error = read(Path::new("/dev/zero"), 10).unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
        let error = write_whole(Path::new("/dev/null"), b"x").unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        write_whole(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read_text(&file).unwrap(), "new");
    }
}
