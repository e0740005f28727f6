//! Damaged files of every kind, made from whole ones.

use convrnn_export::program::{ProgramDescription, ProgramOptions, write_real};
use convrnn_format::record::Record;
use convrnn_format::{BufferRecord, FORMAT_VERSION, Program, SectionKind, program::seal};
use convrnn_graph::Parameters;
use convrnn_models::checkpoint::{Description, names, write_parameters};
use convrnn_models::{Architecture, Preprocessing, catalogue};
use convrnn_tests::{programs, root};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Which program is asked.
#[derive(Clone, Copy)]
pub enum Tool {
    /// `convrnn-train`
    Train,
    /// `convrnn-export`
    Export,
}

impl Tool {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Train => "convrnn-train",
            Tool::Export => "convrnn-export",
        }
    }
}

/// What a program answered.
pub struct Answer {
    pub code: Option<i32>,
    pub output: String,
    pub error: String,
}

/// A folder of whole and damaged files.
pub struct Fixtures {
    folder: TempDir,
}

impl Fixtures {
    pub fn new() -> Self {
        let fixtures = Self { folder: tempfile::tempdir().unwrap() };
        fixtures.whole();
        fixtures
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and gives its path, with `DIR` for the folder.
    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        format!("DIR/{name}")
    }

    /// `DIR` becomes the folder.
    pub fn expand(&self, text: &str) -> String {
        text.replace("DIR", self.folder.path().to_str().unwrap())
    }

    /// The folder becomes `DIR`.
    pub fn anonymous(&self, text: &str) -> String {
        let text = text.replace(self.folder.path().to_str().unwrap(), "DIR");
        // A checksum differs with every change of the exporter.
        match text.split_once("(CRC computed: ") {
            Some((before, after)) => {
                let after = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
                format!("{before}(CRC computed: NUMBER{after}")
            }
            None => text,
        }
    }

    /// Every file below the folder, with its size.
    pub fn listing(&self) -> Vec<(PathBuf, u64)> {
        let mut files = Vec::new();
        let mut pending = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = pending.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap().is_dir() {
                    true => pending.push(entry.path()),
                    false => files.push((entry.path(), entry.metadata().unwrap().len())),
                }
            }
        }
        files.sort();
        files
    }

    /// Runs a program with a back trace asked for, which it must not print.
    pub fn run(&self, tool: Tool, arguments: &[String]) -> Answer {
        let mut command = Command::new(programs().join(tool.name()));
        let output = command
            .args(arguments)
            .current_dir(root())
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer { code: output.status.code(), output: text(&output.stdout), error: text(&output.stderr) }
    }

    fn whole(&self) {
        let (architecture, parameters, description) = network("rgc-28-m4");
        self.checkpoint("good", &architecture, &parameters, &description);
        let frames: Vec<u8> = (0..28 * 28 * 4).map(|i| (i * 7 % 256) as u8).collect();
        let calibration = self.path("good").join(names::CALIBRATION);
        convrnn_models::checkpoint::write_calibration(&calibration, &description.preprocessing, frames).unwrap();
        self.checkpoint("uncalibrated", &architecture, &parameters, &description);
        self.file("good.crnn", &program());
        let weights = fs::read(self.path("good").join(names::WEIGHTS)).unwrap();
        self.file("truncated-trace.safetensors", &weights[..weights.len() / 2]);
    }

    fn checkpoint(
        &self,
        name: &str,
        architecture: &Architecture,
        parameters: &Parameters<f32>,
        description: &Description,
    ) {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(names::ARCHITECTURE), architecture.to_toml()).unwrap();
        write_parameters(&folder.join(names::WEIGHTS), &architecture.lower().unwrap(), parameters).unwrap();
        fs::write(folder.join(names::TRAINING), training(description)).unwrap();
    }

    /// Checkpoints that do not hold what they should.
    pub fn checkpoints(&self) -> Vec<(&'static str, String)> {
        let (architecture, parameters, description) = network("rgc-28-m4");
        let good = |name: &str| self.checkpoint(name, &architecture, &parameters, &description);
        good("truncated");
        let weights = fs::read(self.path("truncated").join(names::WEIGHTS)).unwrap();
        self.file("truncated/weights.safetensors", &weights[..weights.len() - 100]);
        let (_, other, _) = network("ff-28");
        good("other-weights");
        let graph = catalogue::find("ff-28").unwrap().lower().unwrap();
        write_parameters(&self.path("other-weights").join(names::WEIGHTS), &graph, &other).unwrap();
        let mut with_nan = parameters.clone();
        with_nan.values[2][5] = f32::NAN;
        self.checkpoint("not-a-number", &architecture, &with_nan, &description);
        let classes = Description { class_names: vec!["only one".into()], ..description.clone() };
        let preprocessing = Preprocessing { height: i64::MAX as usize, ..description.preprocessing.clone() };
        let frames = Description { preprocessing, ..description.clone() };
        self.checkpoint("frames", &architecture, &parameters, &frames);
        self.checkpoint("classes", &architecture, &parameters, &classes);
        good("incomplete");
        fs::remove_file(self.path("incomplete").join(names::TRAINING)).unwrap();
        vec![
            ("weights cut short", "DIR/truncated".into()),
            ("weights of another architecture", "DIR/other-weights".into()),
            ("a weight that is not a number", "DIR/not-a-number".into()),
            ("another number of class names than logits", "DIR/classes".into()),
            ("preprocessing for frames too large to count", "DIR/frames".into()),
            ("a checkpoint without its training.toml", "DIR/incomplete".into()),
        ]
    }

    /// Data sets that cannot be read, as `--data` takes them.
    pub fn data_sets(&self) -> Vec<(&'static str, String)> {
        let mut jpeg = Vec::new();
        let picture = image::RgbImage::from_fn(28, 28, |x, y| image::Rgb([(x * 9) as u8, (y * 9) as u8, 128]));
        picture.write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
        for split in ["train", "test"] {
            for class in ["cat", "dog"] {
                self.file(&format!("corrupt/{split}/{class}/1.jpg"), &jpeg);
            }
        }
        self.file("corrupt/train/dog/2.jpg", &jpeg[..jpeg.len() / 2]);
        self.file("text/train/cat/1.jpg", b"this is no picture");
        let idx = |magic: u8, count: u32, bytes: usize| {
            let mut file = vec![0, 0, 8, magic];
            file.extend(count.to_be_bytes());
            if magic == 3 {
                file.extend([0, 0, 0, 28, 0, 0, 0, 28]);
            }
            file.extend(vec![1; bytes]);
            file
        };
        let files = |folder: &str, images: Vec<u8>, labels: Vec<u8>| {
            for split in ["train", "t10k"] {
                self.file(&format!("{folder}/{split}-images-idx3-ubyte.gz"), &gzip(&images));
                self.file(&format!("{folder}/{split}-labels-idx1-ubyte.gz"), &gzip(&labels));
            }
        };
        files("idx-short", idx(3, 4, 3 * 784), idx(1, 4, 4));
        files("idx-magic", idx(9, 4, 4 * 784), idx(1, 4, 4));
        files("idx-labels", idx(3, 4, 4 * 784), idx(1, 3, 3));
        vec![
            ("a data set of unknown kind", "mnst:DIR".into()),
            ("a data set that is not there", "mnist:DIR/absent".into()),
            ("an image file cut short", "folder:DIR/corrupt,size=28,channels=1".into()),
            ("an image file that is no image", "folder:DIR/text,size=28,channels=1".into()),
            ("an archive that is none", format!("folder:{},size=28", self.file("none.zip", b"PK\x03\x04 no zip"))),
            ("a background that is no colour", "folder:DIR/corrupt,background=whit".into()),
            ("words behind a path that exists", "folder:DIR/corrupt,lazy".into()),
            ("IDX images cut short", "idx:DIR/idx-short".into()),
            ("IDX images with a wrong magic number", "idx:DIR/idx-magic".into()),
            ("fewer labels than images", "idx:DIR/idx-labels".into()),
            ("images of another size than the network's", "rendered:size=32,train=20,test=20".into()),
            ("a misspelt option of the rendered set", "rendered:cluter=3".into()),
        ]
    }

    /// Device programs that must be refused.
    pub fn programs(&self) -> Vec<(&'static str, String)> {
        let good = program();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 0x10;
        let mut newer = good.clone();
        newer[4..6].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        let buffers = |change: &dyn Fn(&mut Vec<BufferRecord>)| {
            let mut bytes = good.clone();
            let program = Program::new_checked(&good).unwrap();
            let mut records: Vec<BufferRecord> =
                (0..program.buffer_count()).map(|index| program.buffer(index as u16).unwrap()).collect();
            change(&mut records);
            let start = program.section(SectionKind::Buffers).as_ptr().addr() - good.as_ptr().addr();
            for (index, record) in records.iter().enumerate() {
                record.encode(&mut bytes[start + index * BufferRecord::STRIDE..]).unwrap();
            }
            seal(&mut bytes).unwrap();
            bytes
        };
        let past_the_end = buffers(&|records| records[0].offset = 1 << 30);
        let overlapping = buffers(&|records| {
            let states: Vec<usize> = (0..records.len()).filter(|&index| records[index].role == 0).collect();
            let (first, second) = (states[0], states[1]);
            records[second].offset = records[first].offset;
        });
        let mut text = b"CRNM".to_vec();
        text.extend(&good[4..]);
        vec![
            ("a program with one bit flipped", self.file("flipped.crnn", &flipped)),
            ("a program cut short", self.file("short.crnn", &good[..good.len() - 64])),
            ("a program of a newer format", self.file("newer.crnn", &newer)),
            ("a buffer past the arena's end", self.file("past-the-end.crnn", &past_the_end)),
            ("two states in one place", self.file("overlapping.crnn", &overlapping)),
            ("a file that is no program", self.file("text.crnn", &text)),
            ("an empty program", self.file("empty.crnn", &[])),
        ]
    }
}

/// Architecture files with one thing wrong each.
pub fn architectures() -> Vec<(&'static str, &'static str, String)> {
    let good = catalogue::ENTRIES.iter().find(|(name, _)| *name == "rgc-28-m4").unwrap().1;
    let swap = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    vec![
        ("a misspelt key", "misspelt.toml", swap("kernel = 5", "kernal = 5")),
        (
            "a misspelt option of a cell",
            "cell-option.toml",
            swap("\"reciprocal-gated\", kernel", "\"reciprocal-gated\", kernl"),
        ),
        ("an unknown cell", "cell.toml", swap("\"reciprocal-gated\"", "\"reciprocal-gate\"")),
        ("feedback from a layer that does not exist", "absent-layer.toml", swap("from = 3", "from = 9")),
        ("feedback in the wrong direction", "forward.toml", swap("from = 3\nto = 2", "from = 2\nto = 3")),
        (
            "a window that does not fit its map",
            "window.toml",
            swap("kernel = 4, channels = 10", "kernel = 9, channels = 10"),
        ),
        ("a kernel of no size", "zero.toml", swap("kernel = 5", "kernel = 0")),
        (
            "logits with more than one position",
            "positions.toml",
            swap("kernel = 4, channels = 10", "kernel = 3, channels = 10"),
        ),
        ("a blank before the first step", "presentation.toml", swap("image_steps = 8", "image_steps = 9")),
        ("a frame too large to count", "frame.toml", swap("height = 28", "height = 9000000000000000000")),
        ("a frame without channels", "channels.toml", swap("channels = 1", "channels = 0")),
        (
            "padding too large to add",
            "padding.toml",
            swap(
                "channels = 10, padding = \"valid\"",
                "channels = 10, padding = [9223372036854775807, 9223372036854775807, 0, 0]",
            ),
        ),
        (
            "weights too large to count",
            "large.toml",
            swap("kernel = 5, channels = 8", "kernel = 65535, channels = 65535"),
        ),
        ("a run without end", "endless.toml", swap("steps = 8", "steps = 9223372036854775807")),
        ("a missing key", "missing.toml", swap("kernel = 5, ", "")),
        ("text that is no TOML", "syntax.toml", swap("[[layer]]", "[[layer]")),
        ("a name that leaves the folder", "name.toml", swap("name = \"rgc-28-m4\"", "name = \"../../run\"")),
        ("a blank of no sensible size", "blank.toml", swap("image_steps = 8", "image_steps = 8, blank = 1e300")),
        ("a negative kernel", "negative.toml", swap("kernel = 5", "kernel = -5")),
        (
            "a cell placed behind no convolution",
            "place.toml",
            swap("activation = \"none\"", "cell_after = 1\nactivation = \"none\""),
        ),
        ("feedback into a cell that is not there", "no-cell.toml", swap("to = 2", "to = 1\nentry = \"cell-hidden\"")),
        (
            "a search cell that reads in a circle",
            "circle.toml",
            swap(
                CELL,
                "kind = \"search\", hidden = { gate = { reads = [\"next-memory\"] } }, memory = { gate = { reads = \
                 [\"next-hidden\"] } }",
            ),
        ),
        ("an LSTM of no depth", "depth.toml", swap(CELL, "kind = \"lstm\", kernel = 3, depth = 0")),
        ("a skip in the wrong direction", "skip-back.toml", swap("[[feedback]]", "[[skip]]")),
        ("a skip over no layer", "skip-none.toml", swap(FEEDBACK, "[[skip]]\nfrom = 2\nto = 3")),
        ("feedback that skips", "feedback-skips.toml", swap(FEEDBACK, "[[feedback]]\nfrom = 1\nto = 4")),
        ("one edge twice", "twice.toml", swap(FEEDBACK, &format!("{FEEDBACK}\n{FEEDBACK}"))),
        ("pooling to a larger map", "pool-larger.toml", swap("to = 2", "to = 1\nresize = \"max-pool\"")),
        ("an average of an edge on a map", "edge-average.toml", swap("to = 2", "to = 2\nresize = \"average\"")),
        ("padding in words", "padding-word.toml", swap("padding = \"valid\"", "padding = \"full\"")),
        ("a dilated convolution", "dilation.toml", swap("kernel = 5", "kernel = 5, dilation = 2")),
        ("a grouped convolution", "groups.toml", swap("kernel = 5", "kernel = 5, groups = 2")),
        ("a kernel with two sides", "rectangle.toml", swap("kernel = 5", "kernel = [5, 3]")),
        (
            "pooling by averages",
            "average-pool.toml",
            swap("pool = { kernel = 2 }", "pool = { kernel = 2, kind = \"average\" }"),
        ),
        ("a leaky relu", "leaky.toml", swap("activation = \"none\"", "activation = \"leaky-relu\"")),
    ]
}

/// The edge of the architecture that is spoiled.
const FEEDBACK: &str = "[[feedback]]\nfrom = 3\nto = 2";

/// The cells of the architecture that is spoiled.
const CELL: &str = "kind = \"reciprocal-gated\", kernel = 3";

fn network(name: &str) -> (Architecture, Parameters<f32>, Description) {
    let architecture = catalogue::find(name).unwrap();
    let graph = architecture.lower().unwrap();
    let values = graph.parameters.iter().enumerate().map(|(tensor, parameter)| {
        (0..parameter.elements()).map(|i| ((i * 13 + tensor * 7) % 17) as f32 / 64.0 - 0.125).collect()
    });
    let parameters = Parameters { values: values.collect() };
    let preprocessing = Preprocessing {
        channels: 1,
        height: 28,
        width: 28,
        mean: vec![0.13],
        standard_deviation: vec![0.31],
        decoding: Default::default(),
    };
    let class_names = (0..graph.classes()).map(|class| class.to_string()).collect();
    let description = Description { class_names, preprocessing, presentation: architecture.presentation };
    (architecture, parameters, description)
}

fn training(description: &Description) -> String {
    let Preprocessing { channels, height, width, mean, standard_deviation, decoding: _ } = &description.preprocessing;
    let presentation = description.presentation;
    format!(
        "class_names = {:?}\n[preprocessing]\nchannels = {channels}\nheight = {height}\nwidth = {width}\nmean = {mean:?}\n\
         standard_deviation = {standard_deviation:?}\n[presentation]\nsteps = {}\nimage_steps = {}\n",
        description.class_names, presentation.steps, presentation.image_steps
    )
}

fn program() -> Vec<u8> {
    let (architecture, parameters, description) = network("rgc-28-m4");
    let use_of = ProgramDescription {
        class_names: &description.class_names,
        preprocessing: Some(&description.preprocessing),
        presentation: description.presentation,
    };
    write_real(&architecture.lower().unwrap(), &parameters, &use_of, &ProgramOptions::default()).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Compares with a kept document, or writes it.
pub fn compare(path: &str, document: &str) {
    let path = root().join(path);
    if std::env::var_os("CONVRNN_OVERWRITE").is_some() {
        fs::write(&path, document).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    for (kept, found) in kept.lines().zip(document.lines()) {
        assert_eq!(found, kept, "{}", path.display());
    }
    assert_eq!(document, kept, "{}", path.display());
}
