use std::io::{Cursor, Write};

use super::super::dataset::MemoryDataset;
use super::super::source::Source;
use super::*;

fn png(height: u32, width: u32, value: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = image::RgbImage::from_pixel(width, height, image::Rgb([value, 10, 20]));
    image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

/// Two classes, two splits, and files that are not images.
fn contents() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("./train/dog/2.png", png(4, 4, 3)),
        ("./train/cat/1.png", png(4, 4, 1)),
        ("./train/cat/0.png", png(4, 4, 0)),
        ("./train/cat/._0.png", b"not an image".to_vec()),
        ("./train/notes.txt", b"not an image".to_vec()),
        ("./val/dog/9.PNG", png(4, 4, 9)),
    ]
}

fn write_folder(contents: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in contents {
        let path = folder.path().join(name.trim_start_matches("./"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn tar_bytes(contents: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in contents {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn write_file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn first_value(set: &dyn Dataset, index: usize) -> u8 {
    set.image(index).unwrap().pixels[0]
}

fn assert_is_the_set(path: &Path) {
    let train = FolderDataset::open(path, Split::Train, FolderOptions::default()).unwrap();
    assert_eq!(train.len(), 3);
    assert_eq!(train.class_names(), ["cat", "dog"]);
    assert_eq!(train.shape(), ImageShape { channels: 3, height: 4, width: 4 });
    assert_eq!((0..3).map(|index| train.label(index)).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!((0..3).map(|index| first_value(&train, index)).collect::<Vec<_>>(), [0, 1, 3]);
    let validation = FolderDataset::open(path, Split::Validation, FolderOptions::default()).unwrap();
    // `dog` keeps the number it has in training although `cat` has no validation image.
    assert_eq!((validation.len(), validation.label(0), first_value(&validation, 0)), (1, 1, 9));
}

#[test]
fn folder_tar_zstd_and_gzip_give_the_same_set() {
    assert_is_the_set(write_folder(&contents()).path());
    let tar = tar_bytes(&contents());
    assert_is_the_set(write_file(&tar).path());
    assert_is_the_set(write_file(&zstd::encode_all(&tar[..], 1).unwrap()).path());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    assert_is_the_set(write_file(&gzip.finish().unwrap()).path());
}

/// `val` and `test` are two splits, under any of their names; a class may be called as a split is.
#[test]
fn validation_and_test_are_two_splits() {
    for (train, validation, test) in
        [("train", "val", "test"), ("training", "valid", "testing"), ("train", "validation", "test")]
    {
        let mut files = Vec::new();
        for (folder, images) in [(train, 4), (validation, 3), (test, 2)] {
            for (number, class) in (0..images).flat_map(|number| [(number, "cat"), (number, "val")]) {
                files.push((format!("{folder}/{class}/{number}.png"), png(2, 2, images)));
            }
        }
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let folder = write_folder(&files);
        assert_eq!(splits(&Listing::open(folder.path()).unwrap()), Split::ALL.into());
        for (split, images) in Split::ALL.into_iter().zip([4u8, 3, 2]) {
            let set = FolderDataset::open(folder.path(), split, FolderOptions::default()).unwrap();
            assert_eq!((set.len(), first_value(&set, 0)), (2 * usize::from(images), images));
            assert_eq!(set.class_names(), ["cat", "val"]);
        }
    }
}

#[test]
fn a_corrupt_image_is_named_with_its_place_in_the_archive() {
    let mut contents = contents();
    contents[1].1.truncate(40);
    let archive = write_file(&tar_bytes(&contents));
    let set = FolderDataset::open(archive.path(), Split::Train, FolderOptions::default()).unwrap();
    assert!(set.image(0).is_ok());
    let error = MemoryDataset::read_all(&set).unwrap_err().to_string();
    assert!(error.starts_with("1 of 3 image files cannot be decoded"), "{error}");
    assert!(error.contains("entry `train/cat/1.png`: "), "{error}");
}

#[test]
fn other_sizes_need_the_size_option() {
    let mut contents = contents();
    contents[0].1 = png(9, 6, 3);
    let folder = write_folder(&contents);
    let set = FolderDataset::open(folder.path(), Split::Train, FolderOptions::default()).unwrap();
    let error = set.image(2).unwrap_err().to_string();
    assert!(
        error.contains("2.png") && error.contains("4 x 4") && error.contains("9 x 6") && error.contains("size=N"),
        "{error}"
    );
    let options = FolderOptions { channels: 1, size: Some(5), short: Some(6), ..FolderOptions::default() };
    let set = FolderDataset::open(folder.path(), Split::Train, options).unwrap();
    assert_eq!(set.image(2).unwrap().shape, ImageShape { channels: 1, height: 5, width: 5 });
    assert_eq!(set.original(2).unwrap().shape, ImageShape { channels: 1, height: 9, width: 6 });
}

#[test]
fn wrong_layouts_and_archives_say_what_was_found() {
    let message =
        |path: &Path, split| FolderDataset::open(path, split, FolderOptions::default()).unwrap_err().to_string();
    let folder = write_folder(&[("train/cat/0.png", png(2, 2, 0)), ("other/cat/0.png", png(2, 2, 0))]);
    let error = message(folder.path(), Split::Test);
    assert!(error.contains("no `test` split") && error.contains("`other` with 1 image,"), "{error}");
    assert!(message(Path::new("no-such-archive.tar"), Split::Train).contains("no-such-archive.tar: no such"));
    assert!(message(write_file(b"hello").path(), Split::Train).contains("kind of archive"));
    let tar = tar_bytes(&contents());
    assert!(message(write_file(&tar[..700]).path(), Split::Train).contains("fetch it again"));
    let zstd = zstd::encode_all(&tar[..], 1).unwrap();
    assert!(message(write_file(&zstd[..zstd.len() / 2]).path(), Split::Train).contains("fetch it again"));
}

/// All of them are named, with what becomes of the split.
#[test]
fn classes_that_training_lacks_are_refused_by_name() {
    let folder = write_folder(&[
        ("train/cat/0.png", png(2, 2, 0)),
        ("test/cat/0.png", png(2, 2, 0)),
        ("test/cow/0.png", png(2, 2, 0)),
        ("test/emu/0.png", png(2, 2, 0)),
    ]);
    let refused =
        |path: &Path| FolderDataset::open(path, Split::Test, FolderOptions::default()).unwrap_err().to_string();
    let error = refused(folder.path());
    let expected = "the test split cannot be used: expected only classes of the training split (1 class), found 2 more: \
        `cow`, `emu`; the network has no output for what it cannot learn: give the training split images of them, or take \
        them out of the test split";
    assert!(error.ends_with(expected), "{error}");
    std::fs::remove_dir_all(folder.path().join("test/emu")).unwrap();
    let error = refused(folder.path());
    assert!(error.contains("found 1 more: `cow`;") && error.contains("or take it out of"), "{error}");
}

/// Whichever split is asked for: which of the two folders is meant, only the user knows.
#[test]
fn two_folders_of_one_split_are_refused_by_name() {
    for (one, other, split) in
        [("train", "training", "train"), ("val", "valid", "validation"), ("test", "testing", "test")]
    {
        let mut files = vec![("train/cat/0.png".to_string(), png(2, 2, 0))];
        files.push((format!("{one}/cat/1.png"), png(2, 2, 1)));
        files.extend((2..4).map(|number| (format!("{other}/cat/{number}.png"), png(2, 2, number))));
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let folder = write_folder(&files);
        let archive = write_file(&tar_bytes(&files));
        let images = if one == "train" { "2 images" } else { "1 image" };
        for path in [folder.path(), archive.path()] {
            for asked in Split::ALL {
                let error = FolderDataset::open(path, asked, FolderOptions::default()).unwrap_err();
                assert!(matches!(error, DataError::TwoFolders { .. }), "{error}");
                let expected = format!(
                    "the {split} split: expected one folder, found `{one}` with {images} and `{other}` with 2 images;"
                );
                assert!(error.to_string().contains(&expected), "{error}");
            }
        }
        // Without class folders a folder is no split.
        std::fs::rename(folder.path().join(other).join("cat"), folder.path().join("cat")).unwrap();
        std::fs::rename(folder.path().join("cat/2.png"), folder.path().join(other).join("2.png")).unwrap();
        FolderDataset::open(folder.path(), Split::Train, FolderOptions::default()).unwrap();
    }
}

#[test]
fn options_out_of_range_are_refused() {
    let folder = write_folder(&contents());
    for options in [
        FolderOptions { channels: 2, ..FolderOptions::default() },
        FolderOptions { size: Some(0), ..FolderOptions::default() },
        FolderOptions { short: Some(9), ..FolderOptions::default() },
        FolderOptions { size: Some(9), short: Some(8), ..FolderOptions::default() },
    ] {
        let error = FolderDataset::open(folder.path(), Split::Train, options).unwrap_err();
        assert!(matches!(error, DataError::Invalid { .. }), "{error}");
    }
}

fn shared(name: &str) -> Option<std::path::PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if !path.is_file() {
        eprintln!("skipped: {} is missing", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn cifar10_test_split_is_read_from_its_compressed_archive() {
    let Some(path) = shared("cifar10-jpeg.tar.zst") else {
        return;
    };
    let set = FolderDataset::open(&path, Split::Test, FolderOptions::default()).unwrap();
    assert_eq!(set.len(), 10_000);
    assert_eq!(set.class_names()[..3], ["airplane", "automobile", "bird"]);
    let set = MemoryDataset::read_all(&set).unwrap();
    assert_eq!(set.shape(), ImageShape { channels: 3, height: 32, width: 32 });
    assert!((0..10).all(|class| { (0..set.len()).filter(|&index| set.label(index) == class).count() == 1000 }));
}

#[test]
fn photographs_are_scaled_and_cropped_to_128() {
    let Some(path) = shared("imagenet500.tar") else {
        return;
    };
    let options = FolderOptions { size: Some(128), short: Some(146), ..FolderOptions::default() };
    let set = FolderDataset::open(&path, Split::Validation, options).unwrap();
    assert_eq!((set.len(), set.class_names().len()), (500, 500));
    let source = Source::parse(&format!("folder:{}", path.display())).unwrap();
    assert_eq!(Split::ALL.map(|split| source.has(split).unwrap()), [false, true, false]);
    let all = MemoryDataset::read_all(&set).unwrap();
    assert_eq!(all.shape(), ImageShape { channels: 3, height: 128, width: 128 });
    let mean = all.pixels().iter().map(|&value| f64::from(value)).sum::<f64>() / all.pixels().len() as f64;
    assert!((90.0..140.0).contains(&mean), "photographs are neither black nor white: mean {mean}");
    let error = FolderDataset::open(&path, Split::Train, options).unwrap_err().to_string();
    assert!(error.contains("no `train` split") && error.contains("`val` with 500 images"), "{error}");
}

#[test]
fn a_plain_folder_of_images_has_names_and_no_labels() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("more")).unwrap();
    for (name, level) in [("b.png", 9u8), ("more/a.png", 200)] {
        image::GrayImage::from_pixel(6, 6, image::Luma([level])).save(folder.path().join(name)).unwrap();
    }
    let text = format!("folder:{},channels=1", folder.path().display());
    let source = Source::parse(&text).unwrap();
    let (images, is_labelled) = source.load_images(Split::Test).unwrap();
    assert!(!is_labelled);
    assert_eq!([images.name(0), images.name(1)], ["b.png", "more/a.png"]);
    assert_eq!(images.image(1).unwrap().pixels[0], 200);
    // With a folder for a split, a missing split stays an error.
    std::fs::create_dir_all(folder.path().join("train/x")).unwrap();
    std::fs::copy(folder.path().join("b.png"), folder.path().join("train/x/b.png")).unwrap();
    let source = Source::parse(&text).unwrap();
    assert!(source.load_images(Split::Test).is_err());
    let (images, is_labelled) = source.load_images(Split::Train).unwrap();
    assert!(is_labelled && images.name(0).ends_with("train/x/b.png"), "{}", images.name(0));
}

fn open(path: &Path, split: Split) -> FolderDataset {
    FolderDataset::open(path, split, FolderOptions::default()).unwrap()
}

fn left_out(set: &FolderDataset) -> Vec<(String, usize)> {
    set.left_out().into_iter().collect()
}

#[test]
fn what_is_not_an_image_of_a_class_is_counted_by_reason() {
    let mut files = contents();
    files.extend([
        ("train/cat/.ipynb_checkpoints/0-checkpoint.png", png(4, 4, 0)),
        ("train/.ipynb_checkpoints/0-checkpoint.png", png(4, 4, 0)),
        ("train/__MACOSX/._1.png", b"resource fork".to_vec()),
        ("train/dog/7.svg", b"<svg/>".to_vec()),
        ("train/dog/8.SVG", b"<svg/>".to_vec()),
        ("train/dog/notes", b"text".to_vec()),
        ("train/stray.png", png(4, 4, 0)),
        ("val/dog/list.csv", b"1,2".to_vec()),
        ("extra/cat/0.png", png(4, 4, 0)),
        ("README.md", b"a set".to_vec()),
    ]);
    let expected = [
        ("`.md` files", 1),
        ("`.svg` files", 2),
        ("`.txt` files", 1),
        ("files without an extension", 1),
        ("hidden files", 4),
        ("images outside a class folder", 1),
        ("images outside the splits", 1),
    ]
    .map(|(reason, count)| (reason.to_string(), count));
    let archive = write_file(&tar_bytes(&files));
    let train = open(archive.path(), Split::Train);
    assert_eq!(train.class_names(), ["cat", "dog"]);
    assert_eq!((train.len(), left_out(&train).as_slice()), (3, expected.as_slice()));
    assert_eq!(left_out(&open(archive.path(), Split::Validation)), [("`.csv` files".to_string(), 1)]);
    let folder = write_folder(&files);
    let train = open(folder.path(), Split::Train);
    assert_eq!((train.class_names(), train.len()), (&["cat".to_string(), "dog".to_string()][..], 3));
    // On disk hidden folders are not looked into.
    let counts = train.left_out();
    assert_eq!((counts["hidden folders"], counts["hidden files"]), (3, 1));
}

#[test]
fn the_data_set_begins_in_the_one_folder_that_wraps_it() {
    for (prefix, is_found) in [("", true), ("set/", true), ("a/b/", true), ("train/", true), ("test/", true)] {
        let files: Vec<(String, Vec<u8>)> = contents()
            .into_iter()
            .map(|(name, bytes)| (format!("{prefix}{}", name.trim_start_matches("./")), bytes))
            .chain([("LICENSE.txt".to_string(), Vec::new())])
            .collect();
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let archive = write_file(&tar_bytes(&files));
        let set = open(archive.path(), Split::Train);
        assert_eq!((set.class_names(), set.len()), (&["cat".to_string(), "dog".to_string()][..], 3), "{prefix}");
        assert_eq!(set.name(0) == "train/cat/0.png", is_found);
        assert_eq!(open(archive.path(), Split::Validation).len(), 1, "{prefix}");
    }
    // A class called as a split is, and nothing that wraps.
    let only = write_folder(&[("train/test/0.png", png(2, 2, 0)), ("train/cat/0.png", png(2, 2, 9))]);
    let set = open(only.path(), Split::Train);
    assert_eq!((set.class_names(), set.len()), (&["cat".to_string(), "test".to_string()][..], 2));
}

#[test]
fn a_folder_called_train_among_unlabelled_images_is_a_folder() {
    let folder = write_folder(&[
        ("train/0.png", png(4, 4, 0)),
        ("tram/1.png", png(4, 4, 1)),
        ("photos/train/steam/2.png", png(4, 4, 2)),
    ]);
    let source = Source::parse(&format!("folder:{}", folder.path().display())).unwrap();
    assert!(Split::ALL.iter().all(|&split| !source.has(split).unwrap()));
    let (images, is_labelled) = source.load_images(Split::Test).unwrap();
    assert_eq!((images.len(), is_labelled), (3, false));
    // With class folders within it, it is a split, unless the user says that there are none.
    std::fs::create_dir(folder.path().join("train/steam")).unwrap();
    std::fs::copy(folder.path().join("train/0.png"), folder.path().join("train/steam/3.png")).unwrap();
    let source = Source::parse(&format!("folder:{}", folder.path().display())).unwrap();
    assert!(source.has(Split::Train).unwrap() && source.load_images(Split::Train).unwrap().1);
    let source = Source::parse(&format!("folder:{},labels=none", folder.path().display())).unwrap();
    let (images, is_labelled) = source.load_images(Split::Test).unwrap();
    assert_eq!((images.len(), is_labelled), (4, false));
    assert!(source.load(Split::Train).err().unwrap().to_string().contains("labels=none"));
}

/// `é` as one character and as two is one class; names stay as they are otherwise.
#[test]
fn a_class_written_in_two_unicode_forms_is_one() {
    let folder = write_folder(&[
        ("train/caf\u{e9}/0.png", png(4, 4, 0)),
        ("train/cafe\u{301}/1.png", png(4, 4, 1)),
        ("train/bar/2.png", png(4, 4, 2)),
        ("val/cafe\u{301}/3.png", png(4, 4, 3)),
    ]);
    let train = open(folder.path(), Split::Train);
    assert_eq!(train.class_names(), ["bar", "caf\u{e9}"]);
    assert_eq!((0..3).map(|index| train.label(index)).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(open(folder.path(), Split::Validation).label(0), 1);
}

#[test]
fn an_empty_class_keeps_its_place() {
    let folder = write_folder(&[("train/cat/0.png", png(4, 4, 0)), ("train/eel/1.png", png(4, 4, 1))]);
    std::fs::create_dir(folder.path().join("train/dog")).unwrap();
    std::fs::create_dir(folder.path().join("train/.git")).unwrap();
    let train = open(folder.path(), Split::Train);
    assert_eq!(train.class_names(), ["cat", "dog", "eel"]);
    assert_eq!(train.label(1), 2);
}

#[test]
fn all_damaged_files_are_told_at_once_or_skipped() {
    let mut files = contents();
    for (index, name) in ["train/cat/bad.png", "val/dog/bad.webp", "train/dog/empty.jpg"].into_iter().enumerate() {
        files.push((name, b"RIFFnothing"[..if index == 2 { 0 } else { 11 }].to_vec()));
    }
    let archive = write_file(&tar_bytes(&files));
    let text = format!("folder:{}", archive.path().display());
    for decode in ["now", "lazy"] {
        let source = Source::parse(&format!("{text},size=4,decode={decode}")).unwrap();
        let all = || {
            let sets = [("train", source.load(Split::Train)?), ("validation", source.load(Split::Validation)?)];
            crate::DataReport::of(&sets)
        };
        let error = all().err().unwrap().to_string();
        assert!(error.starts_with("3 of 7 image files cannot be decoded"), "{error}");
        for name in ["train/cat/bad.png", "val/dog/bad.webp", "train/dog/empty.jpg"] {
            assert!(error.contains(&format!("entry `{name}`: ")), "{error}");
        }
        assert!(error.contains(",skip-damaged=yes"), "{error}");
        let source = Source::parse(&format!("{text},size=4,decode={decode},skip-damaged=yes")).unwrap();
        let (train, validation) = (source.load(Split::Train).unwrap(), source.load(Split::Validation).unwrap());
        assert_eq!((train.len(), validation.len()), (3, 1));
        assert_eq!((train.left_out()["damaged images"], validation.left_out()["damaged images"]), (2, 1));
        assert_eq!((0..3).map(|index| first_value(&*train, index)).collect::<Vec<_>>(), [0, 1, 3]);
        assert_eq!((0..3).map(|index| train.label(index)).collect::<Vec<_>>(), [0, 0, 1]);
    }
}
