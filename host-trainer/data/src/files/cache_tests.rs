use std::fs::{File, FileTimes};

use super::*;

fn tar(content: &str) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for name in ["train/cat/0.png", "train/cat/1.png"] {
        let mut header = ::tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn set_modified(path: &Path, seconds_ago: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds_ago);
    File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

fn load_now(cache: &Path, path: &Path) -> Option<Listing> {
    load(cache, path, &ArchiveState::of(path).unwrap())
}

#[test]
fn a_kept_list_is_the_list_until_the_archive_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, path) = (folder.path().join("cache"), folder.path().join("set.tar"));
    std::fs::write(&path, tar("first")).unwrap();
    let listing = Listing::open_cached(&path, Some(&cache)).unwrap();
    assert!(!cache.exists(), "so few files are listed anew each time");
    write(&cache, &listing);
    assert!(load_now(&cache, &path).is_none(), "an archive changed within the last seconds may change again");

    set_modified(&path, 60);
    let listing = Listing::open_cached(&path, None).unwrap();
    write(&cache, &listing);
    let kept = load_now(&cache, &path).unwrap();
    assert_eq!((&kept.names, &kept.entries, &kept.folders), (&listing.names, &listing.entries, &listing.folders));
    assert_eq!(kept.read(1).unwrap(), b"first");

    // Another archive under the name, with another time or another size.
    std::fs::write(&path, tar("other")).unwrap();
    set_modified(&path, 30);
    assert!(load_now(&cache, &path).is_none());
    std::fs::write(&path, tar(&"longer ".repeat(200))).unwrap();
    set_modified(&path, 60);
    assert!(load_now(&cache, &path).is_none());
}

#[test]
fn a_torn_list_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, path) = (folder.path().join("cache"), folder.path().join("set.tar"));
    std::fs::write(&path, tar("content")).unwrap();
    set_modified(&path, 60);
    let listing = Listing::open_cached(&path, None).unwrap();
    write(&cache, &listing);
    let kept: Vec<PathBuf> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "no partial file is left: {kept:?}");
    let whole = std::fs::read(&kept[0]).unwrap();
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&kept[0], &whole[..length]).unwrap();
        assert!(load_now(&cache, &path).is_none(), "{length} of {} bytes", whole.len());
    }
    for at in (0..whole.len()).step_by(5) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(&kept[0], &changed).unwrap();
        assert!(load_now(&cache, &path).is_none(), "byte {at} changed");
    }
    assert_eq!(Listing::open_cached(&path, Some(&cache)).unwrap().len(), 2);
    std::fs::write(&kept[0], &whole).unwrap();
    assert!(load_now(&cache, &path).is_some());
}
