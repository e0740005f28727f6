//! Files of a folder.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::links::{DANGLING, LEADS_BACK};
use super::{Found, LeftOut, Listing, Place, Storage};
use crate::error::{DataError, Result};

/// Lists a folder with everything below it. Links are followed, as data folders are often made of them.
///
/// # Errors
/// [`DataError::Io`] for a folder that cannot be read.
pub fn list(root: &Path) -> Result<Listing> {
    let mut walk = Walk { found: Vec::new(), left_out: Vec::new(), odd: BTreeMap::new(), above: Vec::new() };
    walk.folder(root, "")?;
    let Walk { found, left_out, odd, .. } = walk;
    let mut listing = Listing::assemble(root, Storage::Folder(BTreeMap::new()), found, left_out)?;
    if !odd.is_empty() {
        let places = (0..listing.len()).filter_map(|index| Some((index, odd.get(listing.name(index))?.clone())));
        listing.storage = Storage::Folder(places.collect());
    }
    Ok(listing)
}

struct Walk {
    found: Vec<(String, Found)>,
    left_out: Vec<LeftOut>,
    /// Paths that are no UTF-8, by the name they are shown by.
    odd: BTreeMap<String, PathBuf>,
    /// The folders that are being walked, without links.
    above: Vec<PathBuf>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let real = folder.canonicalize().map_err(|error| DataError::io("examine", folder, error))?;
        if self.above.contains(&real) {
            self.left_out.push(LeftOut::new(prefix.trim_end_matches('/'), LEADS_BACK));
            return Ok(());
        }
        self.above.push(real);
        for entry in std::fs::read_dir(folder).map_err(|error| DataError::io("list", folder, error))? {
            let entry = entry.map_err(|error| DataError::io("list", folder, error))?;
            self.entry(&entry.path(), &entry.file_name(), prefix)?;
        }
        self.above.pop();
        Ok(())
    }

    fn entry(&mut self, path: &Path, file_name: &std::ffi::OsStr, prefix: &str) -> Result<()> {
        let name = format!("{prefix}{}", file_name.to_string_lossy());
        let kind = match std::fs::metadata(path) {
            Ok(kind) => kind,
            // A link to nothing, or links in a circle; or the file has gone since the folder was read.
            Err(_) if path.is_symlink() => {
                self.left_out.push(LeftOut::new(&name, DANGLING));
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(DataError::io("examine", path, error)),
        };
        if kind.is_dir() {
            // Nothing below a hidden folder is read, and it may hold a great many files.
            if crate::kinds::is_hidden_part(&file_name.to_string_lossy()) {
                self.left_out.push(LeftOut::new(&name, "hidden folders"));
                return Ok(());
            }
            self.folder(path, &format!("{name}/"))?;
            self.found.push((name, Found::Folder));
        } else if kind.is_file() {
            if file_name.to_str().is_none() || path.to_str().is_none() {
                self.odd.insert(name.clone(), path.to_path_buf());
            }
            self.found.push((name, Found::File(Place::default())));
        } else {
            self.left_out.push(LeftOut::new(&name, "special files (sockets, pipes, devices)"));
        }
        Ok(())
    }
}
