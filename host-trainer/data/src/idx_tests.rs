use std::io::Write;

use proptest::prelude::*;

use super::super::dataset::Dataset;
use super::*;

fn idx(magic: [u8; 4], dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    for extent in dimensions {
        bytes.extend(extent.to_be_bytes());
    }
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with three 2x2 training images; `images` and `labels` may be changed by the test.
fn folder(images: &[u8], labels: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train-images-idx3-ubyte.gz"), images).unwrap();
    std::fs::write(folder.path().join("train-labels-idx1-ubyte"), labels).unwrap();
    folder
}

fn good_images() -> Vec<u8> {
    idx(IMAGES, &[3, 2, 2], &(0..12).collect::<Vec<u8>>())
}

fn good_labels() -> Vec<u8> {
    idx(LABELS, &[3], &[2, 0, 1])
}

fn message(images: &[u8], labels: &[u8]) -> String {
    load(folder(images, labels).path(), Split::Train).unwrap_err().to_string()
}

#[test]
fn reads_gzipped_and_plain_files() {
    for images in [good_images(), gzip(&good_images())] {
        let set = load(folder(&images, &good_labels()).path(), Split::Train).unwrap();
        assert_eq!(set.len(), 3);
        assert_eq!(set.shape(), ImageShape { channels: 1, height: 2, width: 2 });
        assert_eq!(set.class_names(), ["0", "1", "2"]);
        assert_eq!((set.label(0), set.label(1), set.label(2)), (2, 0, 1));
        assert_eq!(set.image(1).unwrap().pixels, [4, 5, 6, 7]);
    }
}

#[test]
fn class_names_come_from_the_list_where_there_is_one() {
    let folder = folder(&good_images(), &good_labels());
    std::fs::write(folder.path().join("classes.txt"), "shirt\nshoe\nbag\n").unwrap();
    assert_eq!(load(folder.path(), Split::Train).unwrap().class_names(), ["shirt", "shoe", "bag"]);
    std::fs::write(folder.path().join("classes.txt"), "shirt\nshoe\n").unwrap();
    let error = load(folder.path(), Split::Train).unwrap_err().to_string();
    assert!(error.contains("at least 3") && error.contains("found 2"), "{error}");
}

#[test]
fn damaged_files_are_named_with_what_was_expected() {
    let mut wrong_magic = good_images();
    wrong_magic[2] = 9;
    let error = message(&wrong_magic, &good_labels());
    assert!(error.contains("0x00000803") && error.contains("0x00000903") && error.contains("train-images"), "{error}");

    let error = message(&good_labels(), &good_labels());
    assert!(error.contains("magic number of an image file"), "{error}");

    let whole = good_images();
    let error = message(&whole[..whole.len() - 1], &good_labels());
    assert!(error.contains("expected 12 bytes, found 11 bytes"), "{error}");

    let mut longer = good_images();
    longer.push(0);
    assert!(message(&longer, &good_labels()).contains("found more"));

    let error = message(&good_images(), &idx(LABELS, &[2], &[0, 1]));
    assert!(error.contains("number of labels: expected 3") && error.contains("found 2"), "{error}");

    let error = message(&idx(IMAGES, &[u32::MAX, u32::MAX, u32::MAX], &[]), &good_labels());
    assert!(error.contains("dimensions: expected 1 to"), "{error}");

    let error = message(&idx(IMAGES, &[1 << 20, 64, 64], &[1, 2, 3]), &good_labels());
    assert!(error.contains("found 3 bytes before the end"), "{error}");

    let whole = gzip(&good_images());
    let mut flipped = whole.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 0xff;
    assert!(message(&flipped, &good_labels()).contains("cannot read or decompress"));
    assert!(message(&[], &good_labels()).contains("magic number"));
}

#[test]
fn missing_folders_and_files_say_what_to_do() {
    let error = load(Path::new("no-such-folder"), Split::Train).unwrap_err().to_string();
    assert!(error.contains("no-such-folder: no such folder"), "{error}");
    let folder = folder(&good_images(), &good_labels());
    let error = load(folder.path(), Split::Test).unwrap_err().to_string();
    assert!(error.contains("t10k-images-idx3-ubyte"), "{error}");
}

proptest! {
    /// No bytes make the reader panic, and what it accepts has the lengths its header says.
    #[test]
    fn any_bytes_are_refused_or_consistent(bytes in proptest::collection::vec(any::<u8>(), 0..64), keep_magic: bool) {
        let mut bytes = bytes;
        if keep_magic && bytes.len() >= 12 {
            bytes[..4].copy_from_slice(&IMAGES);
            for extent in [4usize, 8, 12] {
                if let Some(high) = bytes.get_mut(extent..extent + 3) {
                    high.fill(0);
                }
            }
        }
        let folder = folder(&bytes, &good_labels());
        if let Ok((shape, count, pixels)) = read_images(&folder.path().join("train-images-idx3-ubyte.gz")) {
            prop_assert_eq!(pixels.len(), count * shape.bytes());
        }
    }
}

#[test]
fn mnist_has_its_known_counts() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/mnist"));
    if !folder.is_dir() {
        eprintln!("skipped: {} is missing", folder.display());
        return;
    }
    let train = load(folder, Split::Train).unwrap();
    let test = load(folder, Split::Test).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!(train.shape(), ImageShape { channels: 1, height: 28, width: 28 });
    let count = |set: &MemoryDataset| {
        let mut counts = vec![0; 10];
        (0..set.len()).for_each(|index| counts[set.label(index)] += 1);
        counts
    };
    // The published class counts; they hold in whatever order the files list the images.
    assert_eq!(count(&train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(count(&test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
}
