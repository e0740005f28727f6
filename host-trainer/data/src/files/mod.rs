//! Lists and reads the files of a folder or an archive.
//!
//! | what a path holds | how its files are read |
//! |---|---|
//! | folder (`disk`) | one by one |
//! | tar (`tar`) | listed once, read from their offsets |
//! | tar within zstd or gzip (`tar`) | cannot be read out of order: images are kept in memory |
//! | zip (`zip`) | listed from its directory, read from their offsets and inflated |
//!
//! What an archive is, is seen from its bytes, not from its name. Links are followed (`links`); those that lead
//! nowhere are counted. A hard link is the file that its target was when the link's turn came, a symbolic one what its
//! target is in the end. A list of a large archive is kept in the user's cache (`cache`), so that the next start takes
//! seconds. An entry takes 32 bytes beside its name: a list of 1.28 million files takes about 90 MB.

pub(crate) mod cache;
mod disk;
mod links;
mod tar;
mod zip;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{DataError, ImageFile, Result};
use cache::ArchiveState;

/// An image file of more bytes than this is refused rather than read.
const LARGEST_FILE: u32 = 1 << 28;

/// The files of a folder or an archive, sorted by name.
#[derive(Debug)]
pub struct Listing {
    path: PathBuf,
    storage: Storage,
    /// The names, one after the other.
    names: String,
    entries: Vec<Entry>,
    folders: Vec<String>,
    left_out: Vec<LeftOut>,
    state: Option<ArchiveState>,
}

/// Where the bytes are.
#[derive(Debug)]
enum Storage {
    /// In files of their own; those whose path is no UTF-8 by index.
    Folder(BTreeMap<usize, PathBuf>),
    /// In the archive, at offsets.
    Archive,
    /// In memory, at offsets.
    Memory(Vec<u8>),
}

/// One file. Its name begins where that of the entry before ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    name_end: u32,
    place: Place,
}

/// The bytes of one file of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    /// First byte.
    offset: u64,
    /// Number of bytes, at most `u32::MAX`.
    length: u32,
    /// Number of bytes in the archive, less than `length` where they are compressed.
    stored: u32,
    /// Whether they are deflated.
    is_deflated: bool,
}

/// A file or link that is not in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why: `links that lead nowhere`, say; counted by this text.
    pub reason: String,
}

impl LeftOut {
    fn new(name: &str, reason: &str) -> Self {
        LeftOut { name: name.into(), reason: reason.into() }
    }
}

/// What is found while listing, in the order of the archive.
#[derive(Debug, Clone)]
enum Found {
    File(Place),
    Folder,
    /// What unpacking cannot make: a hard link to what comes only later.
    Nothing,
    /// Relative to the link's own folder.
    SymbolicLink(String),
    /// From the top of the archive.
    HardLink(String),
}

impl Listing {
    /// Lists all files below `path`.
    ///
    /// # Errors
    /// [`DataError::Missing`], [`DataError::Io`], and [`DataError::Format`] for a file that is no archive, a damaged
    /// one, or one too large to hold in memory.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_cached(path, cache::folder().as_deref())
    }

    /// The same with another folder for kept lists.
    pub(crate) fn open_cached(path: &Path, cache: Option<&Path>) -> Result<Self> {
        if path.is_dir() {
            return disk::list(path);
        }
        if !path.is_file() {
            return Err(DataError::Missing {
                what: "image folder or archive",
                path: path.to_path_buf(),
                hint: "give a folder, .tar, .tar.zst, .tar.gz or .zip that holds `train/<class>/` and `val/<class>/`"
                    .into(),
            });
        }
        let state = ArchiveState::of(path)?;
        if let Some(listing) = cache.and_then(|cache| cache::load(cache, path, &state)) {
            return Ok(listing);
        }
        let mut listing = match tar::wrapping(path)? {
            Some(wrapping) => tar::list(path, wrapping)?,
            None => zip::list(path)?,
        };
        listing.state = Some(state);
        if let Some(cache) = cache {
            cache::store(cache, &listing);
        }
        Ok(listing)
    }

    /// Puts a list together: sorted, the last of several entries of a name, links followed.
    fn assemble(
        path: &Path,
        storage: Storage,
        found: Vec<(String, Found)>,
        mut left_out: Vec<LeftOut>,
    ) -> Result<Self> {
        let (files, folders, lost) = links::resolve(found);
        left_out.extend(lost);
        let mut names = String::with_capacity(files.iter().map(|(name, _)| name.len()).sum());
        let mut entries = Vec::with_capacity(files.len());
        for (name, place) in files {
            names.push_str(&name);
            let name_end = u32::try_from(names.len()).map_err(|_| DataError::Format {
                path: path.to_path_buf(),
                what: "names of the files",
                expected: "at most 4 GiB of them".into(),
                found: "more".into(),
                hint: "split the data set",
            })?;
            entries.push(Entry { name_end, place });
        }
        Ok(Listing { path: path.to_path_buf(), storage, names, entries, folders, left_out, state: None })
    }

    /// The folder or archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Name of file `index`: its path below the folder or in the archive, `/` between parts.
    ///
    /// # Panics
    /// If `index` is not below [`Listing::len`], as in the other functions.
    pub fn name(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].name_end);
        &self.names[start as usize..self.entries[index].name_end as usize]
    }

    /// Every folder, with or without files in it.
    pub fn folders(&self) -> &[String] {
        &self.folders
    }

    /// Files and links that are not in the list.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What tells this state of an archive from another; none for a folder.
    pub(crate) fn archive_state(&self) -> Option<&ArchiveState> {
        self.state.as_ref()
    }

    /// Where file `index` lies, for messages.
    pub fn file(&self, index: usize) -> ImageFile {
        match &self.storage {
            Storage::Folder(odd) => {
                let path = odd.get(&index).cloned().unwrap_or_else(|| self.path.join(self.name(index)));
                ImageFile { path, entry: None }
            }
            Storage::Archive | Storage::Memory(_) => {
                ImageFile { path: self.path.clone(), entry: Some(self.name(index).into()) }
            }
        }
    }

    /// The bytes of file `index`.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::CorruptImage`] for a file too large to be an image or whose compressed bytes are
    /// damaged.
    pub fn read(&self, index: usize) -> Result<Vec<u8>> {
        let corrupt = |reason: String| DataError::CorruptImage { file: self.file(index), reason };
        let check = |length: u64| match length > u64::from(LARGEST_FILE) {
            true => Err(corrupt(format!("it has {length} bytes, more than {LARGEST_FILE}"))),
            false => Ok(()),
        };
        let Place { offset, length, stored, is_deflated } = self.entries[index].place;
        let path = match &self.storage {
            Storage::Memory(bytes) => {
                let start = offset as usize;
                return Ok(bytes[start..start + length as usize].to_vec());
            }
            Storage::Folder(_) => self.file(index).path,
            Storage::Archive => self.path.clone(),
        };
        let mut file = File::open(&path).map_err(|error| DataError::io("open", &path, error))?;
        let io = |error| DataError::io("read", &path, error);
        if let Storage::Folder(_) = self.storage {
            let length = file.metadata().map_err(|error| DataError::io("examine", &path, error))?.len();
            check(length)?;
            let mut bytes = Vec::with_capacity(length as usize);
            file.read_to_end(&mut bytes).map_err(io)?;
            return Ok(bytes);
        }
        check(u64::from(length.max(stored)))?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| DataError::io("seek in", &path, error))?;
        let mut bytes = vec![0; stored as usize];
        file.read_exact(&mut bytes).map_err(io)?;
        if !is_deflated {
            return Ok(bytes);
        }
        let mut inflated = Vec::with_capacity(length as usize);
        let limit = u64::from(length) + 1;
        flate2::read::DeflateDecoder::new(&bytes[..])
            .take(limit)
            .read_to_end(&mut inflated)
            .map_err(|error| corrupt(format!("its compressed bytes are damaged: {error}")))?;
        if inflated.len() != length as usize {
            return Err(corrupt(format!("it has {} bytes, expected {length}", inflated.len())));
        }
        Ok(inflated)
    }
}

/// A list that several data sets share.
pub type SharedListing = Arc<Listing>;

fn clip(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
