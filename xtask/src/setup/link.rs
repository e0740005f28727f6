//! Symbolic links from the checkout to what the cache or the user holds.

use std::{fs, os::unix::fs::symlink, path::Path};

use anyhow::{Context, Result, bail};

/// Makes `link` point at `target`, replacing a former link at once; anything that is not a link is left alone.
pub fn point(link: &Path, target: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|now| now == target) {
        return Ok(());
    }
    if link.symlink_metadata().is_ok_and(|metadata| !metadata.is_symlink()) {
        bail!(
            "{} should be a link to {} but is a file or folder of its own: move it away and run this again",
            link.display(),
            target.display()
        );
    }
    if let Some(folder) = link.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut fresh = link.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    symlink(target, &fresh).with_context(|| format!("cannot make a link beside {}", link.display()))?;
    fs::rename(&fresh, link).with_context(|| format!("cannot put the link {} in place", link.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_replaced_and_a_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("inner/link");
        for target in ["/first", "/second", "/second"] {
            point(&link, Path::new(target)).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        let message = point(&own, Path::new("/first")).unwrap_err().to_string();
        assert!(message.contains("move it away"), "{message}");
        assert!(own.is_dir());
    }
}
