//! Tar archives: plain, or within zstd or gzip.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Found, LeftOut, Listing, Place, Storage, clip};
use crate::error::{DataError, Result};
use crate::kinds;

/// Compressed archives whose images take more than this are to be unpacked first.
const LARGEST_IN_MEMORY: u64 = 4 << 30;
/// Bytes of a header, and of the unit that entries are padded to.
const BLOCK: usize = 512;

/// The outer layer of a tar archive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Plain.
    None,
    /// Zstandard.
    Zstd,
    /// gzip.
    Gzip,
}

/// Sees from the first bytes what an archive is; none for a zip.
///
/// # Errors
/// [`DataError::Format`] for a file that is none, [`DataError::Io`].
pub fn wrapping(path: &Path) -> Result<Option<Wrapping>> {
    let mut file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let mut start = Vec::new();
    let read = Read::by_ref(&mut file).take(BLOCK as u64).read_to_end(&mut start);
    read.map_err(|error| DataError::io("read", path, error))?;
    match start.as_slice() {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Some(Wrapping::Zstd)),
        [0x1f, 0x8b, ..] => Ok(Some(Wrapping::Gzip)),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(None),
        start if is_header(start) => Ok(Some(Wrapping::None)),
        start => Err(DataError::Format {
            path: path.to_path_buf(),
            what: "kind of archive",
            expected: "a tar, zstd, gzip or zip file".into(),
            found: format!("bytes {:02x?}", &start[..start.len().min(8)]),
            hint: "give a folder or an archive of images",
        }),
    }
}

/// Whether a block is a tar header: its checksum, octal at byte 148, is the sum of the block with blanks in its place.
fn is_header(block: &[u8]) -> bool {
    if block.get(257..262) == Some(b"ustar") {
        return true;
    }
    let Some(field) = block.get(148..156).filter(|_| block.len() == BLOCK) else {
        return false;
    };
    let digits = String::from_utf8_lossy(field);
    let sum = u64::from_str_radix(digits.trim_matches(['\0', ' ']), 8);
    let blanks = 8 * u64::from(b' ');
    let others = block.iter().enumerate().filter(|(at, _)| !(148..156).contains(at));
    sum == Ok(others.map(|(_, &byte)| u64::from(byte)).sum::<u64>() + blanks)
}

/// Lists a tar archive; of a compressed one, reads the images into memory.
///
/// # Errors
/// [`DataError::Io`]; [`DataError::Format`] for an archive that is damaged, cut short, or too large for memory.
pub fn list(path: &Path, wrapping: Wrapping) -> Result<Listing> {
    let file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let damaged = |error: &std::io::Error| damaged(path, error);
    let mut collection = Collection { path, found: Vec::new(), left_out: Vec::new(), memory: None };
    match wrapping {
        Wrapping::None => {
            check_end(path)?;
            let length = std::fs::metadata(path).map_err(|error| DataError::io("examine", path, error))?.len();
            // Seeking past entries is much faster than reading them, and small steps stay within the buffer.
            let reader = BufReader::with_capacity(1 << 13, file);
            let mut archive = tar::Archive::new(Forward { reader, position: 0 });
            collection.read(archive.entries_with_seek().map_err(|error| damaged(&error))?, length)?;
        }
        Wrapping::Zstd => {
            collection.memory = Some(Vec::new());
            let reader = zstd::stream::read::Decoder::new(file).map_err(|error| damaged(&error))?;
            collection.read(tar::Archive::new(reader).entries().map_err(|error| damaged(&error))?, u64::MAX)?;
        }
        Wrapping::Gzip => {
            collection.memory = Some(Vec::new());
            let reader = flate2::read::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
            collection.read(tar::Archive::new(reader).entries().map_err(|error| damaged(&error))?, u64::MAX)?;
        }
    }
    let storage = collection.memory.map_or(Storage::Archive, Storage::Memory);
    Listing::assemble(path, storage, collection.found, collection.left_out)
}

struct Collection<'a> {
    path: &'a Path,
    found: Vec<(String, Found)>,
    left_out: Vec<LeftOut>,
    /// Bytes of the images of a compressed archive.
    memory: Option<Vec<u8>>,
}

impl Collection<'_> {
    fn read<R: Read>(&mut self, entries: tar::Entries<'_, R>, archive_length: u64) -> Result<()> {
        for entry in entries {
            let mut entry = entry.map_err(|error| damaged(self.path, &error))?;
            let stored = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(name) = clean(&stored) else {
                self.left_out.push(LeftOut::new(&stored, "names that lead out of the archive"));
                continue;
            };
            if name.is_empty() {
                continue;
            }
            let kind = entry.header().entry_type();
            let found = if kind.is_file() || kind.is_contiguous() {
                Found::File(self.place(&name, &mut entry, archive_length)?)
            } else if kind.is_dir() {
                Found::Folder
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = String::from_utf8_lossy(&target).into_owned();
                if kind.is_symlink() { Found::SymbolicLink(target) } else { Found::HardLink(target) }
            } else if kind.is_pax_global_extensions() {
                continue;
            } else {
                self.left_out.push(LeftOut::new(&name, "special files (sockets, pipes, devices)"));
                continue;
            };
            self.found.push((name, found));
        }
        Ok(())
    }

    fn place<R: Read>(&mut self, name: &str, entry: &mut tar::Entry<'_, R>, archive_length: u64) -> Result<Place> {
        let length = entry.size();
        let wrong = |what, expected, found, hint| {
            Err(DataError::Format { path: self.path.to_path_buf(), what, expected, found, hint })
        };
        let place = |offset| Place { offset, length: clip(length), stored: clip(length), is_deflated: false };
        let Some(memory) = &mut self.memory else {
            let offset = entry.raw_file_position();
            let end = offset.saturating_add(length);
            if end > archive_length {
                let expected = format!("at least {end} bytes for entry `{name}`");
                let found = format!("{archive_length} bytes");
                return wrong("length of the archive", expected, found, CUT_SHORT);
            }
            return Ok(place(offset));
        };
        if kinds::of(name) != kinds::Kind::Image {
            return Ok(Place::default());
        }
        let offset = memory.len() as u64;
        if length > LARGEST_IN_MEMORY - offset {
            let expected = format!("at most {LARGEST_IN_MEMORY} bytes to hold in memory");
            let found = format!("{} bytes at entry `{name}`", offset.saturating_add(length));
            let hint = "unpack the archive and give the folder, or the .tar without compression";
            return wrong("size of the unpacked images", expected, found, hint);
        }
        entry.read_to_end(memory).map_err(|error| damaged(self.path, &error))?;
        let read = memory.len() as u64 - offset;
        if read != length {
            let expected = format!("{length} bytes for entry `{name}`");
            return wrong("length of an entry", expected, format!("{read} bytes"), CUT_SHORT);
        }
        Ok(place(offset))
    }
}

/// Takes `./` and doubled slashes out of a name; none where it leads out of the archive.
pub fn clean(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (!parts.contains(&"..")).then(|| parts.join("/"))
}

const CUT_SHORT: &str = "the archive is cut short: fetch it again";

/// A file that is read forwards, with jumps. A jump within the buffer keeps it.
struct Forward {
    reader: BufReader<File>,
    position: u64,
}

impl Read for Forward {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Forward {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match to {
            SeekFrom::Current(by) => {
                self.reader.seek_relative(by)?;
                self.position = self.position.saturating_add_signed(by);
            }
            SeekFrom::Start(_) | SeekFrom::End(_) => self.position = self.reader.seek(to)?,
        }
        Ok(self.position)
    }
}

/// A tar ends with two blocks of zeros. Without this check an archive cut between two entries
/// would pass for a smaller one.
fn check_end(path: &Path) -> Result<()> {
    const END: usize = 2 * BLOCK;
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
            found: format!("{length} bytes in all, the last ones not zero"),
            hint: CUT_SHORT,
        });
    }
    Ok(())
}

fn damaged(path: &Path, error: &std::io::Error) -> DataError {
    DataError::Format {
        path: path.to_path_buf(),
        what: "contents of the archive",
        expected: "whole tar entries".into(),
        found: error.to_string(),
        hint: "the archive is damaged or cut short: fetch it again",
    }
}
