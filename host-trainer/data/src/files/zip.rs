//! Zip archives.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::tar::clean;
use super::{Found, LeftOut, Listing, Place, Storage, clip};
use crate::error::{DataError, Result};
use crate::kinds;

/// Lists a zip archive from its directory.
///
/// # Errors
/// [`DataError::Io`]; [`DataError::Format`] for an archive that is damaged or cut short, or whose images are all compressed by
/// methods that are not read.
pub fn list(path: &Path) -> Result<Listing> {
    let file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let damaged = |error: zip::result::ZipError| DataError::Format {
        path: path.to_path_buf(),
        what: "contents of the archive",
        expected: "a whole zip directory and entries".into(),
        found: error.to_string(),
        hint: "the archive is damaged or cut short: fetch it again",
    };
    let mut archive = ZipArchive::new(BufReader::with_capacity(1 << 13, file)).map_err(damaged)?;
    let (mut found, mut left_out) = (Vec::with_capacity(archive.len()), Vec::new());
    // Images that are not read, by the reason.
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        // Some programs write `\` between folders.
        let stored = entry.name().map_err(damaged)?.replace('\\', "/");
        let Some(name) = clean(&stored) else {
            left_out.push(LeftOut::new(&stored, "names that lead out of the archive"));
            continue;
        };
        if entry.is_dir() {
            found.push((name, Found::Folder));
            continue;
        }
        let is_deflated = match entry.compression() {
            _ if entry.encrypted() => {
                left_out.push(LeftOut::new(&name, "encrypted files"));
                continue;
            }
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            other => {
                let reason = format!("files compressed by {}", method_name(other));
                left_out.push(LeftOut::new(&name, &reason));
                if kinds::of(&name) == kinds::Kind::Image {
                    *unread.entry(reason).or_default() += 1;
                }
                continue;
            }
        };
        if entry.is_symlink() {
            drop(entry);
            let mut target = String::new();
            let read = archive.by_index(index).map_err(damaged)?.take(1 << 12).read_to_string(&mut target);
            read.map_err(|error| damaged(error.into()))?;
            found.push((name, Found::SymbolicLink(target)));
            continue;
        }
        let offset = entry.data_start().ok_or_else(|| damaged(zip::result::ZipError::FileNotFound))?;
        let (length, stored) = (clip(entry.size()), clip(entry.compressed_size()));
        found.push((name, Found::File(Place { offset, length, stored, is_deflated })));
    }
    // Without an image, what is said of missing splits would hide the cause.
    if !unread.is_empty() && !found.iter().any(|(name, _)| kinds::of(name) == kinds::Kind::Image) {
        let unread: Vec<String> = unread.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        return Err(DataError::Format {
            path: path.to_path_buf(),
            what: "compression of the images in the archive",
            expected: "images stored or deflated".into(),
            found: unread.join(", "),
            hint: "unpack the archive and give the folder, or pack it anew with deflate",
        });
    }
    Listing::assemble(path, Storage::Archive, found, left_out)
}

/// Name of a compression method (PKWARE's application note, 4.4.5).
fn method_name(method: CompressionMethod) -> String {
    let name = match method {
        CompressionMethod::DEFLATE64 => "Deflate64",
        CompressionMethod::IMPLODE | CompressionMethod::PKWARE_IMPLODE => "Implode",
        CompressionMethod::BZIP2 => "bzip2",
        CompressionMethod::LZMA => "LZMA",
        CompressionMethod::ZSTD | CompressionMethod::ZSTD_DEPRECATED => "Zstandard",
        CompressionMethod::XZ => "XZ",
        CompressionMethod::JPEG => "JPEG",
        CompressionMethod::PPMD => "PPMd",
        #[expect(deprecated, reason = "it holds the number of a method without a name")]
        CompressionMethod::Unsupported(number) => return format!("method {number}"),
        other => return other.to_string(),
    };
    name.into()
}
