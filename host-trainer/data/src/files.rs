//! Lists and reads the files of a folder, a tar archive, or a compressed tar archive.
//!
//! What a path holds is seen from its bytes, not from its name. A plain tar is listed once and its
//! entries are read from their offsets when wanted; a compressed one (zstd or gzip) cannot be read
//! out of order, so the wanted entries' bytes are kept in memory.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{DataError, ImageFile, Result};

/// An image file of more bytes than this is refused rather than read.
const LARGEST_FILE: u64 = 1 << 28;
/// Compressed archives whose wanted entries take more than this are to be unpacked first.
const LARGEST_IN_MEMORY: u64 = 4 << 30;

/// How to get at the bytes of one file.
#[derive(Debug, Clone)]
enum Place {
    /// A file of its own.
    File,
    /// Bytes of an uncompressed tar archive.
    Range {
        /// First byte in the archive.
        offset: u64,
        /// Number of bytes.
        length: u64,
    },
    /// Bytes held in memory.
    Memory(Arc<[u8]>),
}

/// One file that can be read.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// Where it is, for messages.
    pub file: ImageFile,
    /// Its path below the folder or inside the archive, `/` between parts, without a leading `./`.
    pub name: String,
    place: Place,
}

impl StoredFile {
    /// The file's bytes.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::CorruptImage`] for a file too large to be an image.
    pub fn read(&self) -> Result<Vec<u8>> {
        let path = &self.file.path;
        let too_large = |length: u64| DataError::CorruptImage {
            file: self.file.clone(),
            reason: format!("it has {length} bytes, more than {LARGEST_FILE}"),
        };
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.to_vec()),
            Place::File => {
                let mut file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
                let length = file.metadata().map_err(|error| DataError::io("examine", path, error))?.len();
                if length > LARGEST_FILE {
                    return Err(too_large(length));
                }
                let mut bytes = Vec::with_capacity(length as usize);
                file.read_to_end(&mut bytes).map_err(|error| DataError::io("read", path, error))?;
                Ok(bytes)
            }
            Place::Range { offset, length } => {
                if *length > LARGEST_FILE {
                    return Err(too_large(*length));
                }
                let mut file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
                file.seek(SeekFrom::Start(*offset)).map_err(|error| DataError::io("seek in", path, error))?;
                let mut bytes = vec![0; *length as usize];
                file.read_exact(&mut bytes).map_err(|error| DataError::io("read", path, error))?;
                Ok(bytes)
            }
        }
    }
}

/// All files below `path` whose name `wanted` accepts, sorted by name.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Io`], and [`DataError::Format`] for a file that is no
/// archive, a damaged one, or one too large to hold in memory.
pub fn list(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<StoredFile>> {
    let mut files = Vec::new();
    if path.is_dir() {
        walk(path, "", wanted, &mut files)?;
    } else if path.is_file() {
        list_archive(path, wanted, &mut files)?;
    } else {
        return Err(DataError::Missing {
            what: "image folder or archive",
            path: path.to_path_buf(),
            hint: "give a folder, .tar, .tar.zst or .tar.gz that holds `train/<class>/` and `test/<class>/`".into(),
        });
    }
    files.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, wanted: &dyn Fn(&str) -> bool, files: &mut Vec<StoredFile>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|error| DataError::io("list", folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| DataError::io("list", folder, error))?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Follows links, as data folders are often made of them.
        let kind = std::fs::metadata(&path).map_err(|error| DataError::io("examine", &path, error))?;
        if kind.is_dir() {
            if name.split('/').count() > 16 {
                return Err(DataError::Format {
                    path,
                    what: "depth of folders",
                    expected: "at most 16".into(),
                    found: "more; a link that leads back?".into(),
                    hint: "give the folder that holds `train` and `test`",
                });
            }
            walk(&path, &format!("{name}/"), wanted, files)?;
        } else if kind.is_file() && wanted(&name) {
            files.push(StoredFile { file: ImageFile { path, entry: None }, name, place: Place::File });
        }
    }
    Ok(())
}

/// The outer layer of an archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrapping {
    None,
    Zstd,
    Gzip,
}

fn list_archive(path: &Path, wanted: &dyn Fn(&str) -> bool, files: &mut Vec<StoredFile>) -> Result<()> {
    let wrapping = wrapping(path)?;
    let file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let buffered = BufReader::with_capacity(1 << 16, file);
    let reader: Box<dyn Read> = match wrapping {
        Wrapping::None => {
            check_end(path)?;
            // Seeking past entries is much faster than reading them.
            let mut archive = tar::Archive::new(buffered);
            let entries = archive.entries_with_seek().map_err(|error| damaged(path, &error))?;
            return collect(path, entries, wrapping, wanted, files);
        }
        Wrapping::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(buffered).map_err(|error| damaged(path, &error))?)
        }
        Wrapping::Gzip => Box::new(flate2::read::MultiGzDecoder::new(buffered)),
    };
    let mut archive = tar::Archive::new(reader);
    let entries = archive.entries().map_err(|error| damaged(path, &error))?;
    collect(path, entries, wrapping, wanted, files)
}

fn collect<R: Read>(
    path: &Path,
    entries: tar::Entries<'_, R>,
    wrapping: Wrapping,
    wanted: &dyn Fn(&str) -> bool,
    files: &mut Vec<StoredFile>,
) -> Result<()> {
    let archive_length = std::fs::metadata(path).map_err(|error| DataError::io("examine", path, error))?.len();
    let mut held = 0u64;
    for entry in entries {
        let mut entry = entry.map_err(|error| damaged(path, &error))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./").to_string();
        let length = entry.size();
        if !wanted(&name) {
            continue;
        }
        let file = ImageFile { path: path.to_path_buf(), entry: Some(name.clone()) };
        let place = if wrapping == Wrapping::None {
            let offset = entry.raw_file_position();
            if offset.saturating_add(length) > archive_length {
                return Err(DataError::Format {
                    path: path.to_path_buf(),
                    what: "length of the archive",
                    expected: format!("at least {} bytes for entry `{name}`", offset.saturating_add(length)),
                    found: format!("{archive_length} bytes"),
                    hint: "the archive is cut short: fetch it again",
                });
            }
            Place::Range { offset, length }
        } else {
            held = held.saturating_add(length);
            if length > LARGEST_FILE || held > LARGEST_IN_MEMORY {
                return Err(DataError::Format {
                    path: path.to_path_buf(),
                    what: "size of the unpacked images",
                    expected: format!("at most {LARGEST_IN_MEMORY} bytes to hold in memory"),
                    found: format!("{held} bytes at entry `{name}`"),
                    hint: "unpack the archive and give the folder, or the .tar without compression",
                });
            }
            let mut bytes = Vec::with_capacity(length as usize);
            entry.read_to_end(&mut bytes).map_err(|error| damaged(path, &error))?;
            if bytes.len() as u64 != length {
                return Err(DataError::Format {
                    path: path.to_path_buf(),
                    what: "length of an entry",
                    expected: format!("{length} bytes for entry `{name}`"),
                    found: format!("{} bytes", bytes.len()),
                    hint: "the archive is cut short: fetch it again",
                });
            }
            Place::Memory(bytes.into())
        };
        files.push(StoredFile { file, name, place });
    }
    Ok(())
}

fn wrapping(path: &Path) -> Result<Wrapping> {
    let mut file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(262).read_to_end(&mut start).map_err(|error| DataError::io("read", path, error))?;
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Ok(Wrapping::Zstd)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        Ok(Wrapping::Gzip)
    } else if start.get(257..262) == Some(b"ustar") {
        Ok(Wrapping::None)
    } else {
        Err(DataError::Format {
            path: path.to_path_buf(),
            what: "kind of archive",
            expected: "a tar (POSIX or GNU), zstd or gzip file".into(),
            found: format!("bytes {:02x?}", &start[..start.len().min(8)]),
            hint: "give a folder or an archive of images",
        })
    }
}

/// A tar ends with two blocks of zeros. Without this check an archive cut between two entries
/// would pass for a smaller one.
fn check_end(path: &Path) -> Result<()> {
    const END: usize = 1024;
    let mut file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let length = file.metadata().map_err(|error| DataError::io("examine", path, error))?.len();
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(END as u64)))
        .and_then(|_| file.read_to_end(&mut end))
        .map_err(|error| DataError::io("read", path, error))?;
    if end.len() < END || end.iter().any(|&byte| byte != 0) {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            what: "end of the archive",
            expected: format!("{END} zero bytes"),
            found: format!("{} bytes in all, the last ones not zero", length),
            hint: "the archive is cut short: fetch it again",
        });
    }
    Ok(())
}

fn damaged(path: &Path, error: &std::io::Error) -> DataError {
    DataError::Format {
        path: PathBuf::from(path),
        what: "contents of the archive",
        expected: "whole tar entries".into(),
        found: error.to_string(),
        hint: "the archive is damaged or cut short: fetch it again",
    }
}
