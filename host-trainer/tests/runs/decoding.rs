//! Image files as users have them: the options that say how they are read, and that all commands read them as the run did.

use assert_cmd::Command;
use convrnn_models::Trace;
use image::{GrayImage, Luma, Rgba, RgbaImage};
use std::path::Path;
use std::process::Output;

fn run(arguments: &[&str]) -> Output {
    Command::cargo_bin("convrnn-train").unwrap().args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A JPEG of 28x28, dark at the top or at the left, whose Exif block says that a camera was held at the side (6).
fn write_turned(path: &Path, seed: u8) {
    let picture = GrayImage::from_fn(28, 28, |x, y| Luma([if y < 14 { seed } else { 200 + (x as u8 % 7) }]));
    let mut jpeg = Vec::new();
    picture.write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
    // APP1 behind the start of the image: "Exif", a big-endian TIFF header, one entry: tag 0x0112, SHORT, 1 value, 6.
    let entry = [0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    let block = [&b"Exif\0\0MM\0*\0\0\0\x08"[..], &entry].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    let turned = [&jpeg[..2], &[0xff, 0xe1], &length, &block, &jpeg[2..]].concat();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, turned).unwrap();
}

/// `train/<class>` and `test/<class>` with turned photographs and drawings in alpha, and one damaged file to learn from.
fn write_images(folder: &Path) {
    for class in ["a", "b"] {
        for number in 0..6u8 {
            write_turned(&folder.join(format!("train/{class}/{number}.jpg")), 3 * number);
            let drawing = RgbaImage::from_fn(28, 28, |x, y| {
                let is_shape = (x + y) % 28 < 6 + u32::from(number);
                Rgba([0, 0, 0, if is_shape { 255 } else { 0 }])
            });
            drawing.save(folder.join(format!("train/{class}/drawn-{number}.png"))).unwrap();
        }
        write_turned(&folder.join(format!("test/{class}/0.jpg")), 77);
    }
    std::fs::write(folder.join("train/a/cut.png"), b"\x89PNG\r\n\x1a\n cut").unwrap();
}

/// Whether row 7 of the first frame of a trace is of one brightness: the picture as it is stored; else it was turned.
fn is_as_stored(path: &Path) -> bool {
    let (trace, _) = Trace::read(path).unwrap();
    let row = &trace.frame(0)[7 * 28..8 * 28];
    row.iter().max().unwrap() - row.iter().min().unwrap() < 40
}

#[test]
fn options_of_reading_are_recorded_and_every_command_follows_them() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    write_images(&images);
    let data = format!("folder:{},size=28,channels=1", images.display());
    let train = |name: &str, options: &[&str]| -> Output {
        let path = folder.path().join(name);
        let mut arguments = vec!["train", "--architecture", "ff-28", "--classes", "2", "--epochs", "1", "--batch", "4"];
        arguments.extend(["--hold-out", "4", "--threads", "1", "--data", &data, "--run", text(&path)]);
        arguments.extend(options);
        run(&arguments)
    };

    // A damaged file stops the run before it begins, unless it is to be skipped, which is counted.
    let refused = train("refused", &[]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(1) && error.contains("cut.png") && error.contains("--skip-damaged"),
        "{error}"
    );
    assert!(!folder.path().join("refused").exists());

    for (name, options, is_stored, background) in [
        ("usual", vec!["--skip-damaged"], false, "white"),
        ("kept", vec!["--skip-damaged", "--orientation", "keep", "--background", "0,0,0"], true, "black"),
    ] {
        let done = train(name, &options);
        let table = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{table}");
        // The table before training: splits, classes, what was left out.
        let first: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(first, ["split", "class", "images", "left", "out"], "{table}");
        let row = table.lines().find(|line| line.starts_with("train ")).unwrap();
        assert!(row.contains("20") && row.contains("damaged"), "{table}");
        assert!(table.lines().any(|line| line.starts_with("held-out") && line.contains(" 4")), "{table}");

        let path = folder.path().join(name);
        let kept = std::fs::read_to_string(path.join("best/training.toml")).unwrap();
        let recorded: toml::Table = kept.parse().unwrap();
        let decoding = &recorded["preprocessing"]["decoding"];
        assert_eq!(decoding["apply_orientation"].as_bool(), Some(!is_stored), "{decoding}");
        let level = if background == "white" { 255 } else { 0 };
        assert!(decoding.to_string().contains(&format!("{level}")), "{background}: {decoding}");

        // Every command reads the same data as the run did, whatever its own default is.
        let traced = folder.path().join(format!("{name}.safetensors"));
        let traces = run(&["trace", text(&path), "--images", "2", "--output", text(&traced)]);
        assert!(traces.status.success(), "{}", String::from_utf8_lossy(&traces.stderr));
        assert_eq!(is_as_stored(&traced), is_stored, "{name}: trace");
        // Both test images are alike, so what `eval` and `features` answer is that of the trace's logits or not at all.
        let (trace, _) = Trace::read(&traced).unwrap();
        let right = (0..2).filter(|&image| {
            let last = trace.logits_at(image, trace.description.presentation.steps);
            usize::from(last[1] > last[0]) == trace.labels[image] as usize
        });
        let answer = run(&["eval", text(&path), "--json"]);
        let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(answer["last_accuracy"].as_f64(), Some(50.0 * right.count() as f64), "{answer}");
    }
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
