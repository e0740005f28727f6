//! The streaming firmware with the host's `convrnn-export stream` at the other end of the line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use convrnn_format::{SectionKind, program::seal, section_start};

use super::{board::Board, build::Firmware, image::Image, qemu};
use crate::{
    checkout,
    process::{self, Guarded},
};

/// Streams images to a program in QEMU and returns what the host prints: class scores, and how the device's bits
/// compare with the host's.
pub struct Stream<'a> {
    /// The machine.
    pub board: Board,
    /// Device program, int8.
    pub program: &'a Path,
    /// Frames; random pixels without.
    pub trace: Option<&'a Path>,
    /// Number of images.
    pub images: u32,
    /// One byte in so many is damaged, in both directions.
    pub damage: Option<u32>,
}

impl Stream<'_> {
    /// Builds the firmware around the program, checks its image and returns it.
    pub fn build(board: Board, program: &Path) -> Result<PathBuf> {
        let image = Firmware { board, program: "stream", network: Some(program) }.release()?;
        Image::read(&image)?.refuse_forbidden()?;
        Ok(image)
    }

    /// Runs an image; fails when the host found anything wrong. `convrnn-export` is there, as just built.
    pub fn run(&self, image: &Path) -> Result<String> {
        self.run_with(image, &[])
    }

    /// As [`Stream::run`], with further arguments for QEMU, which ends well before this returns.
    pub fn run_with(&self, image: &Path, arguments: &[String]) -> Result<String> {
        let line = Line::open(self.board, image, arguments)?;
        let mut command = Command::new(checkout::built("convrnn-export"));
        command
            .arg("stream")
            .arg(self.program)
            .args(["--connect", &line.address])
            .args(["--images", &self.images.to_string()]);
        if let Some(trace) = self.trace {
            command.arg("--trace").arg(trace);
        }
        if let Some(damage) = self.damage {
            command.args(["--damage", &damage.to_string()]);
        }
        line.talk(&mut command)
    }
}

/// Shows an image's network new frames while it steps, and returns what the host says; fails when it found anything
/// wrong.
pub fn camera(board: Board, program: &Path, image: &Path) -> Result<String> {
    let line = Line::open(board, image, &[])?;
    let mut command = Command::new(checkout::built("examples").join("camera_stream"));
    command.arg(program).arg(&line.address);
    line.talk(&mut command)
}

/// A machine in QEMU with the address of its serial line.
struct Line {
    machine: Guarded,
    address: String,
}

impl Line {
    fn open(board: Board, image: &Path, arguments: &[String]) -> Result<Self> {
        let port = qemu::free_port()?;
        let mut command = qemu::command(board, image, port);
        let machine = Guarded::start(command.args(arguments).stderr(Stdio::null()))
            .context("QEMU is needed to run firmware: run `cargo xtask setup`, which says how to get it")?;
        let address = format!("tcp:127.0.0.1:{port}");
        Ok(Self { machine, address })
    }

    /// Runs the host's end to its end and returns its output.
    fn talk(self, command: &mut Command) -> Result<String> {
        let output = process::output(command.current_dir(checkout::root()))?;
        self.machine.end(qemu::PATIENCE).context("QEMU did not run to the end")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "`{}` failed ({})\n{text}{}",
                process::describe(command),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(text)
    }
}

/// Builds what the checks of the stream need on the host, and writes an int8 program with random weights.
pub fn untrained_program(board: Board) -> Result<PathBuf> {
    const ARCHITECTURE: &str = "rgc-28-m4";
    process::run_on_stderr(&mut checkout::build_all())?;
    write_untrained(ARCHITECTURE, ARCHITECTURE, board)
}

/// A program of sizes that fit no kernel well: odd sides, channels even and odd, kernels up to 7, a stride, a
/// window with more than half of it in the padding, a concatenation of odd operands, depthwise kernels. The
/// host's programs are there.
pub fn odd_program(board: Board) -> Result<PathBuf> {
    const ARCHITECTURE: &str = r#"
name = "odd"
description = "Sizes that fit no kernel well"
input = { channels = 3, height = 11, width = 9 }
presentation = { steps = 6, image_steps = 6 }
layer = [
    { convolution = { kernel = 5, channels = 7 } },
    { convolution = { kernel = 3, channels = 18, stride = 2 }, cell = { kind = "vanilla", kernel = 3 } },
    { convolution = { kernel = 7, channels = 5 }, cell = { kind = "reciprocal-gated", kernel = 3 } },
    { convolution = { kernel = 4, channels = 10, padding = [2, 2, 3, 3] }, pool = { kernel = 2 } },
    { convolution = { kernel = 1, channels = 7 }, cell = { kind = "search", memory_channels = 5, hidden = { activation = "tanh", gate = { reads = ["next-memory", "input"], affine = "separable", kernel = 5, bias = true }, keep = { reads = ["hidden", "below"], affine = "separable", kernel = 3, squash = "tanh", offset = 0.8, factor = 0.5 } }, memory = { input = { kernel = 1 }, gate = { reads = ["memory"], affine = "sum", offset = 0.5, factor = 0.5 }, keep = { reads = [], offset = 0.9, factor = -0.2 } } } },
    { convolution = { kernel = 1, channels = 5 }, activation = "none", average = "before" },
]
feedback = [{ from = 3, to = 2 }]
"#;
    write_architecture(ARCHITECTURE, "odd", board)
}

fn programs_folder() -> Result<PathBuf> {
    let folder = checkout::firmware_target("programs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Writes a program of an architecture, which is kept beside it.
pub fn write_architecture(architecture: &str, name: &str, board: Board) -> Result<PathBuf> {
    let path = programs_folder()?.join(name).with_extension("toml");
    fs::write(&path, architecture).with_context(|| format!("cannot write {}", path.display()))?;
    write_untrained(&path.to_string_lossy(), name, board)
}

/// Writes an int8 program of a network, by name or file, with random weights.
pub fn write_untrained(architecture: &str, name: &str, board: Board) -> Result<PathBuf> {
    write_in_bands(architecture, name, board, None)
}

/// The same with layers in bands of some rows.
pub fn write_in_bands(architecture: &str, name: &str, board: Board, rows: Option<usize>) -> Result<PathBuf> {
    let path = programs_folder()?.join(format!("{name}-{}.crnn", board.packed_for));
    let example = checkout::built("examples").join("untrained_program");
    let mut command = Command::new(example);
    command.arg(architecture).arg(&path).arg(board.packed_for).args(rows.map(|rows| rows.to_string()));
    process::run_on_stderr(&mut command)?;
    Ok(path)
}

/// A program whose working memory is larger than the part's. The host's programs are there.
pub fn oversized_program(board: Board) -> Result<PathBuf> {
    const ARCHITECTURE: &str = r#"
name = "oversized"
description = "A map of 256 KB"
input = { channels = 1, height = 128, width = 128 }
presentation = { steps = 2, image_steps = 2 }
layer = [
    { convolution = { kernel = 3, channels = 16 } },
    { convolution = { kernel = 1, channels = 5 }, activation = "none", average = "before" },
]
"#;
    write_architecture(ARCHITECTURE, "oversized", board)
}

/// A copy of a program in which one bit of its last byte is another.
pub fn damaged(program: &Path) -> Result<PathBuf> {
    changed(program, "damaged", |bytes| {
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
    })
}

/// A copy of a program whose first operation is of no kind that there is, with the checksum that goes with it.
pub fn forged(program: &Path) -> Result<PathBuf> {
    changed(program, "forged", |bytes| {
        let first = section_start(bytes, SectionKind::Operations);
        if let Some(kind) = bytes.get_mut(first) {
            *kind = u8::MAX;
        }
        seal(bytes);
    })
}

fn changed(program: &Path, how: &str, change: impl Fn(&mut [u8])) -> Result<PathBuf> {
    let mut bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    change(&mut bytes);
    let path = program.with_extension(how).with_added_extension("crnn");
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
