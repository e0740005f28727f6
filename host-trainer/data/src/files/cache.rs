//! What was found out about a large archive, kept for the next start.
//!
//! A kept file holds the archive's path, size and time of change, and counts only while all three are the same; a
//! checksum at its end tells a torn one. It is written under another name and renamed. Whatever is wrong with it, the
//! archive is read again: nothing but time depends on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Entry, LeftOut, Listing, Place, Storage};
use crate::error::{DataError, Result};

/// Archives of fewer files are listed faster than it is worth to keep a list.
const LEAST_FILES: usize = 20_000;
/// An archive changed so recently may change again without another time of change.
const SETTLED: Duration = Duration::from_secs(2);
/// First bytes of a kept list; the number is that of its form.
const LIST: &[u8; 8] = b"CRNNLST2";

/// What tells one state of an archive from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveState {
    path: String,
    length: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

impl ArchiveState {
    /// The state of an archive now.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn of(path: &Path) -> Result<Self> {
        let io = |error| DataError::io("examine", path, error);
        let metadata = std::fs::metadata(path).map_err(io)?;
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        Ok(ArchiveState {
            path: path.canonicalize().map_err(io)?.to_string_lossy().into_owned(),
            length: metadata.len(),
            modified: since(metadata.modified().map_err(io)?),
        })
    }

    /// Whether the archive has been left alone long enough for its time of change to tell.
    fn is_settled(&self) -> bool {
        let settled = UNIX_EPOCH + Duration::from_nanos(self.modified) + SETTLED;
        settled < SystemTime::now()
    }

    /// Name of the kept file about one aspect of the archive.
    fn file_name(&self, aspect: &str) -> String {
        let mut hash = crate::fingerprint::Fnv::default();
        hash.write(self.path.as_bytes());
        hash.write(aspect.as_bytes());
        format!("{:016x}", hash.finish())
    }

    fn write(&self, bytes: &mut Writer) {
        bytes.text(&self.path);
        bytes.number(self.length);
        bytes.number(self.modified);
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        Some(ArchiveState { path: bytes.text()?.into(), length: bytes.number()?, modified: bytes.number()? })
    }
}

/// Where lists are kept: `$XDG_CACHE_HOME/convrnn/archives` or `~/.cache/convrnn/archives`; none without a home.
pub fn folder() -> Option<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir()?.join(".cache"),
    };
    Some(base.join("convrnn").join("archives"))
}

/// Keeps the list of a large archive. Where it cannot be written, the next start lists the archive again.
pub fn store(folder: &Path, listing: &Listing) {
    if listing.len() >= LEAST_FILES {
        write(folder, listing);
    }
}

fn write(folder: &Path, listing: &Listing) {
    let (Storage::Archive, Some(state)) = (&listing.storage, &listing.state) else {
        return;
    };
    let mut bytes = Writer::default();
    bytes.text(&listing.names);
    bytes.number(listing.entries.len() as u64);
    for Entry { name_end, place: Place { offset, length, stored, is_deflated } } in &listing.entries {
        bytes.0.extend(name_end.to_le_bytes());
        bytes.0.extend(offset.to_le_bytes());
        bytes.0.extend(length.to_le_bytes());
        bytes.0.extend(stored.to_le_bytes());
        bytes.0.push(u8::from(*is_deflated));
    }
    bytes.number(listing.folders.len() as u64);
    listing.folders.iter().for_each(|folder| bytes.text(folder));
    bytes.number(listing.left_out.len() as u64);
    for LeftOut { name, reason } in &listing.left_out {
        bytes.text(name);
        bytes.text(reason);
    }
    keep(folder, LIST, state, "list", bytes.0);
}

/// The list of an archive in this state, if it was kept.
pub fn load(folder: &Path, path: &Path, state: &ArchiveState) -> Option<Listing> {
    let kept = kept(folder, LIST, state, "list")?;
    let mut bytes = Reader(&kept);
    let names = bytes.text()?.to_string();
    let count = bytes.number()? as usize;
    let mut entries = Vec::with_capacity(count.min(kept.len()));
    let mut last = 0;
    for _ in 0..count {
        let name_end = u32::from_le_bytes(bytes.array()?);
        let offset = u64::from_le_bytes(bytes.array()?);
        let (length, stored) = (u32::from_le_bytes(bytes.array()?), u32::from_le_bytes(bytes.array()?));
        let [is_deflated] = bytes.array()?;
        if name_end < last || !names.is_char_boundary(name_end as usize) {
            return None;
        }
        last = name_end;
        entries.push(Entry { name_end, place: Place { offset, length, stored, is_deflated: is_deflated != 0 } });
    }
    let folders = (0..bytes.number()?).map(|_| bytes.text().map(String::from)).collect::<Option<_>>()?;
    let left_out = (0..bytes.number()?)
        .map(|_| Some(LeftOut { name: bytes.text()?.into(), reason: bytes.text()?.into() }))
        .collect::<Option<_>>()?;
    Some(Listing {
        path: path.to_path_buf(),
        storage: Storage::Archive,
        names,
        entries,
        folders,
        left_out,
        state: Some(state.clone()),
    })
}

/// Keeps what was found out about one aspect of an archive.
pub fn keep(folder: &Path, form: &[u8; 8], state: &ArchiveState, aspect: &str, content: Vec<u8>) {
    if !state.is_settled() || std::fs::create_dir_all(folder).is_err() {
        return;
    }
    let mut bytes = Writer(form.to_vec());
    state.write(&mut bytes);
    bytes.text(aspect);
    bytes.0.extend(content);
    let mut sum = flate2::Crc::new();
    sum.update(&bytes.0);
    bytes.0.extend(sum.sum().to_le_bytes());
    let path = folder.join(state.file_name(aspect));
    let partial = folder.join(format!("{}.{}.partial", state.file_name(aspect), std::process::id()));
    if std::fs::write(&partial, &bytes.0).and_then(|()| std::fs::rename(&partial, &path)).is_err() {
        // A full disk, say. What could not be kept costs time, and what is left of it is of no use.
        let _ = std::fs::remove_file(&partial);
    }
}

/// What [`keep`] was given for an archive in this state.
pub fn kept(folder: &Path, form: &[u8; 8], state: &ArchiveState, aspect: &str) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(folder.join(state.file_name(aspect))).ok()?;
    let content = bytes.len().checked_sub(4)?;
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[..content]);
    let mut rest = Reader(&bytes);
    let is_this = rest.array::<8>()? == *form
        && ArchiveState::read(&mut rest)? == *state
        && rest.text()? == aspect
        && bytes[content..] == sum.sum().to_le_bytes();
    let start = bytes.len() - rest.0.len();
    if !is_this || start > content {
        return None;
    }
    bytes.truncate(content);
    bytes.drain(..start);
    Some(bytes)
}

/// Bytes that are put together: numbers of 64 bits, little end first, and texts behind their lengths.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }
}

/// The bytes of a [`Writer`], taken apart; none where they end too early.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// The next number.
    pub fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next text.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
