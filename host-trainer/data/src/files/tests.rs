use std::io::{Cursor, Write};

use super::*;

enum Item<'a> {
    File(&'a str, &'a str),
    Symbolic(&'a str, &'a str),
    Hard(&'a str, &'a str),
    Folder(&'a str),
}
use Item::{File as Plain, Folder, Hard, Symbolic};

fn tar_of(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for item in items {
        let mut header = ::tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        match item {
            Plain(name, content) => {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, name, content.as_bytes()).unwrap();
            }
            Symbolic(name, target) => {
                header.set_entry_type(::tar::EntryType::Symlink);
                builder.append_link(&mut header, name, target).unwrap();
            }
            Hard(name, target) => {
                header.set_entry_type(::tar::EntryType::Link);
                builder.append_link(&mut header, name, target).unwrap();
            }
            Folder(name) => {
                header.set_entry_type(::tar::EntryType::Directory);
                builder.append_data(&mut header, name, &b""[..]).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn contents(listing: &Listing) -> Vec<(String, String)> {
    (0..listing.len())
        .map(|index| (listing.name(index).to_string(), String::from_utf8(listing.read(index).unwrap()).unwrap()))
        .collect()
}

fn expect(listing: &Listing, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> = expected.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    assert_eq!(contents(listing), expected);
}

fn left_out(listing: &Listing) -> Vec<(&str, &str)> {
    listing.left_out().iter().map(|left| (left.name.as_str(), left.reason.as_str())).collect()
}

/// What GNU tar unpacks: the last entry of a name, links of both kinds, to files and folders, relative and chained.
#[test]
fn links_in_a_tar_are_followed_and_the_last_entry_holds() {
    let tar = tar_of(&[
        Plain("./cat/0.png", "first"),
        Plain("cat/1.png", "one"),
        Plain("cat/0.png", "last"),
        Symbolic("dog/0.png", "../cat/0.png"),
        Symbolic("dog/1.png", "./0.png"),
        Hard("dog/2.png", "cat/1.png"),
        Symbolic("bird", "cat"),
        Symbolic("deep/bird/again", "../../bird"),
        Plain("cat/2.png", "replaced by a link"),
        Symbolic("cat/2.png", "1.png"),
        Symbolic("cat/3.png", "1.png"),
        Plain("cat/3.png", "replaces a link"),
        Folder("empty"),
    ]);
    let file = written(&tar);
    let listing = Listing::open_cached(file.path(), None).unwrap();
    let cat = [("0.png", "last"), ("1.png", "one"), ("2.png", "one"), ("3.png", "replaces a link")];
    let mut expected: Vec<(String, String)> = ["bird", "cat", "deep/bird/again"]
        .iter()
        .flat_map(|folder| cat.iter().map(move |(name, content)| (format!("{folder}/{name}"), content.to_string())))
        .collect();
    for (name, content) in [("dog/0.png", "last"), ("dog/1.png", "last"), ("dog/2.png", "one")] {
        expected.push((name.into(), content.into()));
    }
    assert_eq!(contents(&listing), expected);
    assert!(listing.left_out().is_empty(), "{:?}", listing.left_out());
    assert!(listing.folders().contains(&"empty".to_string()) && listing.folders().contains(&"bird".to_string()));
}

#[test]
fn links_that_lead_nowhere_or_in_a_circle_are_counted() {
    let tar = tar_of(&[
        Plain("a/0.png", "zero"),
        Symbolic("a/gone.png", "nowhere.png"),
        Symbolic("a/out.png", "../../etc/passwd"),
        Symbolic("a/absolute.png", "/etc/passwd"),
        Symbolic("a/one.png", "two.png"),
        Symbolic("a/two.png", "one.png"),
        Symbolic("a/up", ".."),
        Symbolic("a/self", "."),
        Hard("a/hard.png", "a/missing.png"),
    ]);
    let file = written(&tar);
    let listing = Listing::open_cached(file.path(), None).unwrap();
    expect(&listing, &[("a/0.png", "zero")]);
    assert_eq!(
        left_out(&listing),
        [
            ("a/absolute.png", "links that lead nowhere"),
            ("a/gone.png", "links that lead nowhere"),
            ("a/hard.png", "links that lead nowhere"),
            ("a/one.png", "links that lead nowhere"),
            ("a/out.png", "links that lead nowhere"),
            ("a/self", "links that lead back to a folder above them"),
            ("a/two.png", "links that lead nowhere"),
            ("a/up", "links that lead back to a folder above them"),
        ]
    );
}

#[cfg(unix)]
#[test]
fn links_on_disk_are_followed_dangling_ones_counted_and_loops_end() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("cat/.hidden")).unwrap();
    std::fs::create_dir(at("empty")).unwrap();
    std::fs::write(at("cat/0.png"), "zero").unwrap();
    std::fs::write(at("cat/.hidden/1.png"), "hidden").unwrap();
    symlink("0.png", at("cat/1.png")).unwrap();
    symlink("cat", at("dog")).unwrap();
    symlink("nowhere", at("gone")).unwrap();
    symlink("..", at("cat/up")).unwrap();
    symlink("circle", at("circle")).unwrap();
    let listing = Listing::open(folder.path()).unwrap();
    expect(&listing, &[("cat/0.png", "zero"), ("cat/1.png", "zero"), ("dog/0.png", "zero"), ("dog/1.png", "zero")]);
    let mut left = left_out(&listing);
    left.sort_unstable();
    assert_eq!(
        left,
        [
            ("cat/.hidden", "hidden folders"),
            ("cat/up", "links that lead back to a folder above them"),
            ("circle", "links that lead nowhere"),
            ("dog/.hidden", "hidden folders"),
            ("dog/up", "links that lead back to a folder above them"),
            ("gone", "links that lead nowhere"),
        ]
    );
    assert!(listing.folders().contains(&"empty".to_string()));
}

#[test]
fn a_zip_is_read_stored_and_deflated() {
    let mut zip = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    let long = "many words ".repeat(50);
    zip.add_directory("set/cat", options).unwrap();
    for (name, content, method) in [
        ("set/cat/0.png", long.as_str(), ::zip::CompressionMethod::Deflated),
        ("set\\dog\\1.png", "stored", ::zip::CompressionMethod::Stored),
    ] {
        zip.start_file(name, options.compression_method(method)).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.add_symlink("set/dog/2.png", "../cat/0.png", options).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let file = written(&bytes);
    let listing = Listing::open_cached(file.path(), None).unwrap();
    expect(&listing, &[("set/cat/0.png", &long), ("set/dog/1.png", "stored"), ("set/dog/2.png", &long)]);
    assert_eq!(listing.folders(), ["set/cat"]);
    let cut = written(&bytes[..bytes.len() - 40]);
    let error = Listing::open_cached(cut.path(), None).unwrap_err().to_string();
    assert!(error.contains("contents of the archive") && error.contains("fetch it again"), "{error}");
}

/// Archives of Unix version 7 have no `ustar`.
#[test]
fn an_old_tar_is_known_by_its_checksum() {
    let mut header = ::tar::Header::new_old();
    header.set_path("cat/0.png").unwrap();
    header.set_size(3);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(b"old");
    bytes.resize(4 * 512, 0);
    let file = written(&bytes);
    expect(&Listing::open_cached(file.path(), None).unwrap(), &[("cat/0.png", "old")]);
}

/// What GNU tar unpacks where a name occurs again behind a link to it.
#[test]
fn a_hard_link_is_the_file_of_its_turn_and_a_symbolic_one_the_last() {
    let tar = tar_of(&[
        Plain("cat/t.png", "replaced later"),
        Plain("./cat/t.png", "old"),
        Hard("cat/hard.png", "./cat/t.png"),
        Symbolic("cat/soft.png", "t.png"),
        Hard("cat/hard-again.png", "cat/hard.png"),
        Plain("cat/t.png", "new"),
        Hard("cat/hard-new.png", "cat/t.png"),
        // A second symbolic link, which leads on from its own folder.
        Hard("dog/soft.png", "cat/soft.png"),
        Plain("dog/t.png", "dog"),
        // Through a linked folder.
        Symbolic("bird", "cat"),
        Hard("dog/through.png", "bird/t.png"),
        Hard("dog/early.png", "dog/late.png"),
        Plain("dog/late.png", "late"),
    ]);
    let file = written(&tar);
    let listing = Listing::open_cached(file.path(), None).unwrap();
    let all = contents(&listing);
    let shown: Vec<(&str, &str)> = all
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_str()))
        .filter(|(name, _)| !name.starts_with("bird/"))
        .collect();
    assert_eq!(
        shown,
        [
            ("cat/hard-again.png", "old"),
            ("cat/hard-new.png", "new"),
            ("cat/hard.png", "old"),
            ("cat/soft.png", "new"),
            ("cat/t.png", "new"),
            ("dog/late.png", "late"),
            ("dog/soft.png", "dog"),
            ("dog/t.png", "dog"),
            ("dog/through.png", "new"),
        ]
    );
    assert_eq!(left_out(&listing), [("dog/early.png", "links that lead nowhere")]);
}

/// The method is changed in both headers of each entry; what is in them is no longer what it says.
fn zip_of_method(names: &[&str], method: u8, stored: &[&str]) -> Vec<u8> {
    let mut zip = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    for (name, which) in names
        .iter()
        .map(|name| (name, ::zip::CompressionMethod::Deflated))
        .chain(stored.iter().map(|name| (name, ::zip::CompressionMethod::Stored)))
    {
        zip.start_file(*name, options.compression_method(which)).unwrap();
        zip.write_all(b"content of a file").unwrap();
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    for (signature, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        for start in 0..bytes.len() - at {
            if bytes[start..].starts_with(signature) && bytes[start + at] == 8 {
                bytes[start + at] = method;
            }
        }
    }
    bytes
}

#[test]
fn entries_of_a_zip_whose_method_is_not_read_are_counted_or_refused_by_its_name() {
    for (method, name) in
        [(12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (95, "XZ"), (9, "Deflate64"), (77, "method 77")]
    {
        let reason = format!("files compressed by {name}");
        let mixed = written(&zip_of_method(&["train/cat/0.png", "train/dog/1.png"], method, &["train/cat/2.png"]));
        let listing = Listing::open_cached(mixed.path(), None).unwrap();
        expect(&listing, &[("train/cat/2.png", "content of a file")]);
        assert_eq!(left_out(&listing), [("train/cat/0.png", reason.as_str()), ("train/dog/1.png", reason.as_str())]);

        let none = written(&zip_of_method(&["train/cat/0.png", "train/dog/1.png"], method, &["README"]));
        let error = Listing::open_cached(none.path(), None).unwrap_err().to_string();
        assert!(error.contains(&format!("2 {reason}")) && error.contains("stored or deflated"), "{error}");
        assert!(error.contains("unpack the archive"), "{error}");
    }
    // Without any file, or with other files alone, there is nothing to say about methods.
    let other = written(&zip_of_method(&["train/notes.txt"], 12, &[]));
    assert!(Listing::open_cached(other.path(), None).unwrap().is_empty());
}
