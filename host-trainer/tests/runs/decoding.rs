//! Image files as users have them: the options that say how they are read, and that all commands read them as the run did.

use assert_cmd::Command;
use convrnn_models::Trace;
use image::{GrayImage, Luma, Rgba, RgbaImage};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;

fn run(arguments: &[&str]) -> Output {
    Command::cargo_bin("convrnn-train").unwrap().args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How a run reads image files.
#[derive(Clone, Copy, PartialEq)]
struct Reading {
    name: &'static str,
    options: &'static [&'static str],
    is_turned: bool,
    background: u8,
}

/// As nothing says otherwise, and the other way round.
const READINGS: [Reading; 2] = [
    Reading { name: "usual", options: &[], is_turned: true, background: 255 },
    Reading {
        name: "kept",
        options: &["--orientation", "keep", "--background", "0,0,0"],
        is_turned: false,
        background: 0,
    },
];

/// Squares of 8 pixels of one level each, which JPEG keeps exactly, and which look otherwise when turned.
fn photograph(class: u32, number: u32) -> GrayImage {
    GrayImage::from_fn(28, 28, |x, y| Luma([((37 * (x / 8) + 91 * (y / 8) + 53 * class + 29 * number) % 256) as u8]))
}

/// Black and white stripes; nothing at all between them.
fn drawing(class: u32, number: u32) -> RgbaImage {
    RgbaImage::from_fn(28, 28, |x, y| match (x + y * (class + 1)) % 28 {
        place if place < 5 + number => Rgba([0, 0, 0, 255]),
        place if place < 12 + number => Rgba([255; 4]),
        _ => Rgba([120, 60, 200, 0]),
    })
}

/// Writes a JPEG whose Exif block says that the camera was held at the side (6).
fn write_turned(path: &Path, picture: &GrayImage) {
    let mut jpeg = Vec::new();
    picture.write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
    // APP1 behind the start of the image: "Exif", a big-endian TIFF header, one entry: tag 0x0112, SHORT, 1 value, 6.
    let entry = [0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    let block = [&b"Exif\0\0MM\0*\0\0\0\x08"[..], &entry].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    std::fs::write(path, [&jpeg[..2], &[0xff, 0xe1], &length, &block, &jpeg[2..]].concat()).unwrap();
}

/// `train/<class>` and `test/<class>` with turned photographs and drawings in alpha, and one damaged file in each split.
fn write_images(folder: &Path) {
    for (split, images) in [("train", 6), ("test", 2)] {
        for (class, name) in [(0, "a"), (1, "b")] {
            let folder = folder.join(split).join(name);
            std::fs::create_dir_all(&folder).unwrap();
            for number in 0..images {
                write_turned(&folder.join(format!("{number}.jpg")), &photograph(class, number));
                drawing(class, number).save(folder.join(format!("drawn-{number}.png"))).unwrap();
            }
        }
    }
    for file in ["train/a/cut.png", "test/b/cut.png"] {
        std::fs::write(folder.join(file), b"\x89PNG\r\n\x1a\n cut").unwrap();
    }
}

/// The images of `test` in gray, without alpha and Exif, as a reading makes them: nothing is left to choose.
fn write_copies(folder: &Path, reading: Reading) {
    for (class, name) in [(0, "a"), (1, "b")] {
        let folder = folder.join("test").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..2 {
            let photograph = photograph(class, number);
            let seen = if reading.is_turned { image::imageops::rotate90(&photograph) } else { photograph };
            seen.save(folder.join(format!("{number}.png"))).unwrap();
            let drawing = drawing(class, number);
            let level = |x, y| match drawing.get_pixel(x, y).0 {
                [level, _, _, 255] => level,
                _ => reading.background,
            };
            let seen = GrayImage::from_fn(28, 28, |x, y| Luma([level(x, y)]));
            seen.save(folder.join(format!("drawn-{number}.png"))).unwrap();
        }
    }
}

/// What commands answer about a run's network and images: those of the run, or those of a source.
struct Answers<'a> {
    folder: &'a Path,
    run: PathBuf,
}

impl Answers<'_> {
    fn command(&self, command: &str, source: Option<&str>, options: &[&str]) -> Output {
        let mut arguments = vec![command, text(&self.run), "--threads", "1"];
        arguments.extend(source.iter().flat_map(|source| ["--data", *source]));
        arguments.extend(options);
        let output = run(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", error(&output));
        // Both splits hold one damaged file, the copies none.
        let is_told = error(&output).lines().any(|line| line == "note: left out: 1 damaged image");
        assert_eq!(is_told, source.is_none_or(|source| source.contains("skip-damaged")), "{arguments:?}");
        output
    }

    fn trace(&self, source: Option<&str>) -> Trace {
        let path = self.folder.join("trace.safetensors");
        self.command("trace", source, &["--output", text(&path)]);
        Trace::read(&path).unwrap().0
    }

    /// Every value of every layer, as bytes of a file.
    fn features(&self, source: Option<&str>) -> Vec<u8> {
        let path = self.folder.join("features.npz");
        let _ = std::fs::remove_file(&path);
        self.command("features", source, &["--output", text(&path)]);
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        let mut bytes = Vec::new();
        archive.by_name("features.npy").unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Loss at the last step.
    fn loss(&self, source: Option<&str>) -> f64 {
        let answer = self.command("eval", source, &["--json"]);
        let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        answer["loss_by_step"].as_array().unwrap().last().unwrap().as_f64().unwrap()
    }
}

/// Mean of -log softmax of the right class at the last step.
fn loss_of(trace: &Trace) -> f64 {
    let of_image = |image: usize| {
        let logits = trace.logits_at(image, trace.description.presentation.steps);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        sum.ln() - f64::from(logits[trace.labels[image] as usize])
    };
    (0..trace.images()).map(of_image).sum::<f64>() / trace.images() as f64
}

/// Trains with the options of a reading, and others.
fn train(folder: &Path, name: &str, data: &str, options: &[&str]) -> Output {
    let path = folder.join(name);
    let mut arguments = vec!["train", "--architecture", "ff-28", "--classes", "2", "--epochs", "1", "--batch", "4"];
    arguments.extend(["--hold-out", "4", "--threads", "1", "--data", data, "--run", text(&path)]);
    arguments.extend(options);
    run(&arguments)
}

#[test]
fn options_of_reading_are_recorded_and_every_command_follows_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let source = |name: &str| format!("folder:{},size=28,channels=1", folder.join(name).display());
    let data = source("images");
    write_images(&folder.join("images"));
    for reading in READINGS {
        write_copies(&folder.join(format!("seen-{}", reading.name)), reading);
    }
    for reading in READINGS {
        let name = reading.name;
        let done = train(folder, name, &data, &[reading.options, &["--skip-damaged"]].concat());
        assert!(done.status.success(), "{}", error(&done));
        let recorded = std::fs::read_to_string(folder.join(name).join("best/training.toml")).unwrap();
        let recorded: toml::Table = recorded.parse().unwrap();
        let decoding = &recorded["preprocessing"]["decoding"];
        assert_eq!(decoding["apply_orientation"].as_bool(), Some(reading.is_turned), "{decoding}");
        let background: Vec<i64> =
            decoding["background"].as_array().unwrap().iter().filter_map(toml::Value::as_integer).collect();
        assert_eq!(background, [i64::from(reading.background); 3], "{decoding}");

        // Every command reads the same data as the run did, whatever its own default is, by the text that the run has and by
        // one that says nothing of it.
        let answers = Answers { folder, run: folder.join(name) };
        let (same, silent) = (source(&format!("seen-{name}")), format!("{data},skip-damaged=yes"));
        let other = READINGS.into_iter().find(|other| *other != reading).unwrap();
        let other = source(&format!("seen-{}", other.name));
        let (seen, mistaken) = (answers.trace(Some(&same)), answers.trace(Some(&other)));
        assert_eq!(seen.images(), 8);
        let (features, loss) = (answers.features(Some(&same)), loss_of(&seen));
        assert!(features != answers.features(Some(&other)), "{name}: features show how images are read");
        assert!((loss - loss_of(&mistaken)).abs() > 1e-3, "{name}: and so does the loss, {loss}");
        for own in [None, Some(silent.as_str())] {
            let trace = answers.trace(own);
            assert!(trace.frames == seen.frames && trace.frames != mistaken.frames, "{name}, {own:?}: frames");
            assert!(trace.logits == seen.logits && trace.logits != mistaken.logits, "{name}, {own:?}: logits");
            assert!(answers.features(own) == features, "{name}, {own:?}: features");
            let found = answers.loss(own);
            assert!((found - loss).abs() < 1e-4, "{name}, {own:?}: eval {found}, of the logits {loss}");
        }
    }
}

#[test]
fn damaged_files_are_listed_or_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_images(&folder.join("images"));
    let data = format!("folder:{},size=28,channels=1", folder.join("images").display());
    let is_listed = |error: &str| error.contains("train/a/cut.png: ") && error.contains("test/b/cut.png: ");

    // They stop a run before it begins.
    let refused = train(folder, "run", &data, &[]);
    let said = error(&refused);
    let beginning = "error: 2 of 34 image files cannot be decoded; replace or delete them, or go on without them: ";
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.starts_with(&format!("{beginning}give --skip-damaged\n")) && is_listed(&said), "{said}");
    assert!(!folder.join("run").exists());

    // Unless they are to be skipped, which is counted.
    let done = train(folder, "run", &data, &["--skip-damaged"]);
    let table = error(&done);
    assert!(done.status.success(), "{table}");
    let row = |name: &str| {
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_default();
        row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("split"), "class images left out", "{table}");
    assert_eq!(row("train"), "2 classes 20 1 damaged image", "{table}");
    assert_eq!(row("held-out"), "2 classes 4", "{table}");
    assert_eq!(row("test"), "2 classes 8 1 damaged image", "{table}");

    // A command without the option names what it has instead. Images without classes are decoded when they are read.
    let (path, output) = (folder.join("run"), folder.join("features.npz"));
    let (run_folder, output_file) = (text(&path), text(&output));
    let unlabelled = format!("{data},labels=none");
    for arguments in [
        &["eval", run_folder, "--data", &data][..],
        &["features", run_folder, "--images", &unlabelled, "--output", output_file],
    ] {
        let refused = run(arguments);
        let said = error(&refused);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
        let source = format!("{beginning}write `,skip-damaged=yes` behind the data source\n");
        assert!(said.contains(&source) && is_listed(&said), "{arguments:?}: {said}");
        assert!(!output.exists());
    }
    let skipped = format!("{unlabelled},skip-damaged=yes");
    let done = run(&["features", run_folder, "--images", &skipped, "--output", output_file]);
    let said = error(&done);
    assert!(done.status.success() && said.contains("note: left out: 2 damaged images\n"), "{said}");
}

#[test]
fn the_help_says_what_differs_from_torchvision() {
    let help = String::from_utf8(run(&["train", "--help"]).stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "none: alpha is dropped, as torchvision's ImageFolder does",
        "it is if not given, and torchvision's ImageFolder does not",
        "names that differ in Unicode's composition alone are one class (NFC)",
        "a folder called train among images without classes is one of them with labels=none",
    ] {
        assert!(help.contains(said), "{said}: {help}");
    }
}
