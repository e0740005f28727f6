//! JPEGs of every kind that the tests can make, beside what Pillow (libjpeg-turbo) decodes them to.
//!
//! `corpus/pillow.txt` names each file with its checksum and size, `corpus/pillow.bin.gz` holds the pixels. To record them
//! again: `CONVRNN_CORPUS=FOLDER cargo test -p convrnn-data --test jpeg_corpus`, which writes the files, then
//! `python3 host-trainer/data/tests/corpus/record.py jpeg FOLDER`.

#[path = "corpus/encoder.rs"]
mod encoder;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use convrnn_data::decode::decode;
use convrnn_data::{FolderOptions, ImageFile};
use encoder::Jpeg;

/// Every file: its kind, which names the line of the report, and its name.
fn corpus() -> Vec<(String, String, Jpeg)> {
    let mut files = Vec::new();
    let mut add = |kind: &str, name: String, jpeg: Jpeg| files.push((kind.to_string(), name, jpeg));
    for (name, across, down) in [("444", 1, 1), ("420", 2, 2), ("440", 1, 2), ("422", 2, 1), ("411", 4, 1)] {
        for width in 16..32 {
            let jpeg = Jpeg::colour(width, 19, across, down);
            add(&format!("separate scans {name}"), format!("separate-{name}-{width}"), Jpeg { separate: true, ..jpeg });
        }
        for width in [16, 17, 24, 31] {
            let jpeg = Jpeg::colour(width, 21, across, down);
            let with = |restart| Jpeg { restart, ..jpeg.clone() };
            add(&format!("one scan {name}"), format!("one-{name}-{width}"), jpeg.clone());
            add(&format!("restart markers {name}"), format!("restart-{name}-{width}"), with(1));
            let separate = Jpeg { separate: true, ..with(2) };
            add(&format!("restart markers {name}"), format!("restart-separate-{name}-{width}"), separate);
            let progressive = Jpeg { progressive: true, ..jpeg.clone() };
            add(&format!("progressive {name}"), format!("progressive-{name}-{width}"), progressive.clone());
            let separate = Jpeg { separate: true, restart: 1, ..progressive };
            add(&format!("progressive {name}"), format!("progressive-separate-{name}-{width}"), separate);
        }
        for size in [1, 2, 7, 9] {
            let jpeg = Jpeg::colour(size, size, across, down);
            add("1 to 9 pixels", format!("small-{name}-{size}"), jpeg.clone());
            add("1 to 9 pixels", format!("small-separate-{name}-{size}"), Jpeg { separate: true, ..jpeg });
        }
    }
    let plain = Jpeg::colour(21, 18, 1, 1);
    let halved = Jpeg::colour(21, 18, 2, 2);
    let gray = |sampling| Jpeg { components: vec![(1, sampling, sampling)], ..plain.clone() };
    add("gray", "gray".into(), gray(1));
    add("gray", "gray-sampling-2".into(), gray(2));
    for transform in 0..3 {
        for (name, jpeg) in [("444", &plain), ("420", &halved)] {
            let jpeg = Jpeg { jfif: false, adobe: Some(transform), ..jpeg.clone() };
            add("Adobe transform", format!("adobe-{transform}-{name}"), jpeg.clone());
            add("Adobe transform", format!("adobe-{transform}-{name}-jfif"), Jpeg { jfif: true, ..jpeg });
        }
        let components = vec![(1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)];
        let inks = Jpeg { components, jfif: false, adobe: Some(transform), ..plain.clone() };
        add("CMYK and YCCK", format!("inks-{transform}"), inks.clone());
        let components = vec![(1, 2, 2), (2, 1, 1), (3, 1, 1), (4, 2, 2)];
        add("CMYK and YCCK", format!("inks-{transform}-420"), Jpeg { components, ..inks.clone() });
        add("CMYK and YCCK", format!("inks-{transform}-separate"), Jpeg { separate: true, ..inks });
    }
    let inks = vec![(b'C', 1, 1), (b'M', 1, 1), (b'Y', 1, 1), (b'K', 1, 1)];
    add("CMYK and YCCK", "inks-without-adobe".into(), Jpeg { components: inks, jfif: false, ..plain.clone() });
    let rgb = vec![(b'R', 1, 1), (b'G', 1, 1), (b'B', 1, 1)];
    add("components R, G, B", "rgb".into(), Jpeg { components: rgb.clone(), jfif: false, ..plain.clone() });
    add("components R, G, B", "rgb-jfif".into(), Jpeg { components: rgb, ..plain.clone() });
    let zero_based = vec![(0, 2, 2), (1, 1, 1), (2, 1, 1)];
    add("components 0, 1, 2", "zero-based".into(), Jpeg { components: zero_based, ..plain.clone() });
    add("components 0, 1, 2", "no-markers".into(), Jpeg { jfif: false, ..halved.clone() });
    for cut in [1, 2, 5] {
        let short = Jpeg { adobe: Some(0), adobe_cut: cut, ..halved.clone() };
        add("short APP14", format!("short-app14-{cut}"), short.clone());
        add("short APP14", format!("short-app14-{cut}-bare"), Jpeg { jfif: false, ..short });
    }
    for (name, stray) in
        [("text", b"stray".to_vec()), ("zero", vec![0]), ("fill", vec![0xff; 3]), ("zeros", vec![0; 40])]
    {
        add("stray bytes", format!("stray-{name}"), Jpeg { stray, ..halved.clone() });
    }
    // Samples of luma and chroma that differ in one direction each, and chroma larger than luma.
    let crossed = vec![(1, 2, 1), (2, 1, 2), (3, 1, 2)];
    add("odd sampling", "crossed".into(), Jpeg { components: crossed, ..plain.clone() });
    let larger = vec![(1, 1, 1), (2, 2, 2), (3, 2, 2)];
    add("odd sampling", "larger-chroma".into(), Jpeg { components: larger, ..plain.clone() });
    let unlike = vec![(1, 2, 2), (2, 1, 1), (3, 2, 1)];
    add("odd sampling", "unlike-chroma".into(), Jpeg { components: unlike, ..plain.clone() });
    let doubled = vec![(1, 2, 2), (2, 2, 2), (3, 2, 2)];
    add("odd sampling", "doubled".into(), Jpeg { components: doubled, separate: true, ..plain });
    files
}

struct Recorded {
    checksum: u32,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

fn recorded() -> BTreeMap<String, Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let text = std::fs::read_to_string(folder.join("pillow.txt")).unwrap();
    let mut bytes = Vec::new();
    let file = std::fs::File::open(folder.join("pillow.bin.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let mut rest = &bytes[..];
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [name, checksum, width, height] = line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
        let (width, height): (usize, usize) = (width.parse().unwrap(), height.parse().unwrap());
        let (pixels, others) = rest.split_at(width * height * 3);
        rest = others;
        let checksum = u32::from_str_radix(checksum, 16).unwrap();
        all.insert(name.to_string(), Recorded { checksum, width, height, pixels: pixels.to_vec() });
    }
    assert!(rest.is_empty());
    all
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[test]
fn every_kind_of_jpeg_has_pillows_pixels() {
    if let Some(folder) = std::env::var_os("CONVRNN_CORPUS") {
        for (_, name, jpeg) in corpus() {
            std::fs::write(Path::new(&folder).join(name + ".jpg"), jpeg.encode()).unwrap();
        }
        return;
    }
    let recorded = recorded();
    let mut worst: BTreeMap<String, (u8, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (kind, name, jpeg) in corpus() {
        let bytes = jpeg.encode();
        let file = ImageFile { path: (name.clone() + ".jpg").into(), entry: None };
        let expected = recorded.get(&name).unwrap_or_else(|| panic!("{name} is not recorded"));
        assert_eq!(checksum(&bytes), expected.checksum, "{name} is another file than Pillow decoded");
        let decoded = decode(&bytes, 3, &FolderOptions::default().decoding, &file);
        if expected.width == 0 {
            println!(
                "refused by Pillow: {name}; here: {:?}",
                decoded.map(|_| "read").map_err(|error| error.to_string())
            );
            continue;
        }
        let picture = match decoded {
            Ok(picture) => picture,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        assert_eq!((picture.shape.width, picture.shape.height), (expected.width, expected.height), "{name}");
        let differences = picture.pixels.iter().zip(&expected.pixels).map(|(ours, theirs)| ours.abs_diff(*theirs));
        let largest = differences.max().unwrap();
        if largest > 0 {
            wrong.push(format!("{name}: {largest}"));
        }
        let entry = worst.entry(kind).or_default();
        *entry = (entry.0.max(largest), entry.1 + 1);
    }
    println!("largest difference from Pillow of any pixel, 0 to 255:");
    for (kind, (largest, files)) in &worst {
        println!("  {kind:<24} {largest:>3}   {files} files");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Decoding ends with an error, never with gray in place of what is missing.
#[test]
fn what_is_missing_is_not_made_up() {
    let file = ImageFile { path: "x.jpg".into(), entry: None };
    let decoding = FolderOptions::default().decoding;
    for (name, jpeg) in [
        ("one scan", Jpeg::colour(64, 64, 2, 2)),
        ("separate scans", Jpeg { separate: true, ..Jpeg::colour(64, 64, 2, 2) }),
        ("restart", Jpeg { restart: 3, ..Jpeg::colour(64, 64, 1, 2) }),
        ("progressive", Jpeg { progressive: true, ..Jpeg::colour(64, 64, 2, 2) }),
        ("stray bytes", Jpeg { stray: vec![1, 2], ..Jpeg::colour(64, 64, 1, 1) }),
    ] {
        let bytes = jpeg.encode();
        let whole = decode(&bytes, 3, &decoding, &file).unwrap();
        let shares = [10, 30, 50, 70, 90, 97].map(|share| bytes.len() * share / 100);
        // The last bytes of the codes, and more; the end marker is two bytes.
        let bytes_kept = shares.into_iter().chain([4, 8, 12, 20].map(|missing| bytes.len() - missing));
        for kept in bytes_kept {
            let cut = &bytes[..kept];
            for end in [&b""[..], &[0xff, 0xd9]] {
                let cut = [cut, end].concat();
                if let Ok(picture) = decode(&cut, 3, &decoding, &file) {
                    panic!("{name} cut to {kept} bytes passes; the same as the whole: {}", picture == whole);
                }
            }
        }
        // Whole scans are missing, with an end marker behind those that are there.
        let scans: Vec<usize> =
            bytes.windows(2).enumerate().filter(|(_, two)| *two == [0xff, 0xda]).map(|(at, _)| at).collect();
        for &scan in scans.iter().skip(1) {
            let cut = [&bytes[..scan], &[0xff, 0xd9]].concat();
            assert!(decode(&cut, 3, &decoding, &file).is_err(), "{name} cut to {scan} bytes, before a scan");
        }
        assert_eq!(scans.len() > 1, jpeg.separate || jpeg.progressive, "{name}");
        // Nothing but the end marker is missing: of one scan, the picture is whole.
        let without_end = decode(&bytes[..bytes.len() - 2], 3, &decoding, &file);
        assert_eq!(without_end.is_ok(), !jpeg.separate && !jpeg.progressive, "{name}");
    }
}
