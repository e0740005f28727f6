//! `cargo xtask firmware`: bare-metal programs, with whatever compiler for the target is there.

mod board;
mod build;
mod conformance;
mod count;
mod echo;
mod image;
pub mod operations;
pub mod parts;
mod qemu;
pub mod simd;
mod stream;
mod toolchain;
mod two_cores;
mod vectors;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Subcommand;

pub use board::Board;
use build::{Firmware, WRONG};
use conformance::{Collection, Random};
use image::Image;
use stream::Stream;
pub use stream::{write_architecture, write_in_bands};
pub use toolchain::Toolchain;

/// The machine that set-up, demo and most checks use.
const BOARD: Board = Board::CORTEX_M4;

/// Images that the check streams over a good and over a damaged line.
const IMAGES: u32 = 20;
const DAMAGED_IMAGES: u32 = 3;

/// Images that a network of odd sizes is shown.
const ODD_IMAGES: u32 = 4;

/// The damaged line's share of bytes: one in so many.
const DAMAGE: u32 = 100;

#[derive(Subcommand)]
pub enum FirmwareTask {
    /// Build one program and say where it is and how large
    Build(Choice),
    /// Build one program and run it in QEMU with its serial line on a local TCP port
    Run {
        #[command(flatten)]
        choice: Choice,
        /// Port of the serial line; any free one when left out
        #[arg(long)]
        port: Option<u16>,
    },
    /// Stream images through a network in QEMU and compare every step with the host
    Stream {
        #[command(flatten)]
        machine: Machine,
        /// Device program, int8 (.crnn)
        program: PathBuf,
        /// Images, as `convrnn-train trace` wrote them; random pixels when left out
        #[arg(long)]
        trace: Option<PathBuf>,
        /// Number of images
        #[arg(long, default_value_t = IMAGES)]
        images: u32,
        /// Damage one byte in so many, in both directions
        #[arg(long)]
        damage: Option<u32>,
    },
    /// Count the instructions of a step, by function
    Count {
        #[command(flatten)]
        machine: Machine,
        /// Device program, int8 (.crnn)
        program: PathBuf,
    },
    /// Count the instructions of a step, by operation of the program
    Operations {
        #[command(flatten)]
        machine: Machine,
        /// Device program, int8 (.crnn)
        program: PathBuf,
    },
    /// Compute random programs, and compare every operation with the portable kernels and all of them with the host
    Conformance {
        #[command(flatten)]
        machine: Machine,
        /// Seed of the first program
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Seeds
        #[arg(long, default_value_t = 1000)]
        programs: u64,
        /// In f32
        #[arg(long)]
        real: bool,
    },
    /// The same for the processors that are no boards, AArch64 and WebAssembly; with CONVRNN_THOROUGH=1 thousands of programs
    Simd,
    /// Check in QEMU: line, tick, stack gauge, the network's bits; panics, a heap and too large a network are refused
    Check,
}

#[derive(clap::Args)]
pub struct Machine {
    /// Machine: a folder in `firmware-examples`
    #[arg(long, default_value = BOARD.name, value_parser = clap::builder::PossibleValuesParser::new(Board::NAMES))]
    example: String,
}

impl Machine {
    fn board(&self) -> Board {
        // Only the names of boards are let through.
        Board::named(&self.example).unwrap_or(BOARD)
    }
}

#[derive(clap::Args)]
pub struct Choice {
    /// Program: a file of `src/bin` in the example's folder
    #[arg(default_value = "echo")]
    program: String,
    #[command(flatten)]
    machine: Machine,
    /// The device program (.crnn) that the firmware `stream` includes
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
}

impl Choice {
    fn release(&self) -> Result<PathBuf> {
        let board = self.machine.board();
        Firmware { board, program: &self.program, network: self.network.as_deref() }.release()
    }
}

pub fn run(task: &FirmwareTask) -> Result<()> {
    match task {
        FirmwareTask::Build(choice) => {
            let image = choice.release()?;
            println!("{}", image.display());
            println!("{}", Image::read(&image)?.size()?);
            Ok(())
        }
        FirmwareTask::Run { choice, port } => {
            let image = choice.release()?;
            let port = port.map_or_else(qemu::free_port, Ok)?;
            eprintln!("the serial line is at 127.0.0.1:{port}; QEMU starts the program when something connects");
            crate::process::run(&mut qemu::command(choice.machine.board(), &image, port))
        }
        FirmwareTask::Stream { machine, program, trace, images, damage } => {
            crate::process::run_on_stderr(&mut crate::checkout::build_all())?;
            print!("{}", run_stream(machine.board(), program, trace.as_deref(), *images, *damage)?);
            Ok(())
        }
        FirmwareTask::Count { machine, program } => {
            crate::process::run_on_stderr(&mut crate::checkout::build_all())?;
            print!("{}", count::run(machine.board(), program)?);
            Ok(())
        }
        FirmwareTask::Operations { machine, program } => {
            crate::process::run_on_stderr(&mut crate::checkout::build_all())?;
            print!("{}", operations::table(&operations::measure(machine.board(), program)?));
            Ok(())
        }
        FirmwareTask::Conformance { machine, first, programs, real } => {
            crate::process::run_on_stderr(&mut crate::checkout::build_all())?;
            let random = Random { first: *first, count: *programs, is_real: *real };
            let collection = Collection::random(machine.board().packed_for, random)?;
            println!("{}", collection.run(machine.board(), &conformance::image(machine.board())?)?);
            Ok(())
        }
        FirmwareTask::Simd => {
            crate::process::run_on_stderr(&mut crate::checkout::build_all())?;
            simd::check()
        }
        FirmwareTask::Check => check(),
    }
}

/// What is missing to build and run firmware, if anything.
pub fn missing() -> Option<&'static str> {
    if Toolchain::find(BOARD).is_none() {
        Some("a compiler for the Cortex-M4")
    } else if crate::process::find("qemu-system-arm").is_none() {
        Some("qemu-system-arm")
    } else {
        None
    }
}

/// Streams images of a trace through a program on the Cortex-M4 in QEMU, with the `convrnn-export` of the last build at
/// the other end; returns its text. With `damage`, one byte in so many is damaged on the line.
pub fn stream(program: &Path, trace: &Path, images: u32, damage: Option<u32>) -> Result<String> {
    run_stream(BOARD, program, Some(trace), images, damage)
}

fn run_stream(board: Board, program: &Path, trace: Option<&Path>, images: u32, damage: Option<u32>) -> Result<String> {
    let image = Stream::build(board, program)?;
    let stream = Stream { board, program, trace, images, damage };
    stream.run(&image)
}

/// The tests of the firmware that need no network.
pub fn check() -> Result<()> {
    check_refusals()?;
    let echo = named("echo").release()?;
    say(&Image::read(&echo)?.size()?);
    Image::read(&echo)?.refuse_forbidden()?;
    say(&echo::check(&echo)?);
    check_stream()?;
    conformance::check()?;
    simd::check()?;
    vectors::check()?;
    two_cores::check()
}

/// What must not come into firmware does not, and the checks that say so can fail.
fn check_refusals() -> Result<()> {
    for (program, symbol) in WRONG {
        named(program).refused(symbol)?;
        let image = Image::read(&named(program).debug()?)?;
        let found = image.forbidden()?;
        ensure!(!found.is_empty(), "the check of the image finds nothing wrong in {program}");
        say(&format!(
            "{program}: the release build is refused ({symbol}); in the debug image {} functions are found, such as {}",
            found.len(),
            found[0]
        ));
    }
    Ok(())
}

/// The network on the Cortex-M4 gives the host's bits, on a good line and on a damaged one.
fn check_stream() -> Result<()> {
    let program = stream::untrained_program(BOARD)?;
    named("stream").refused("set CONVRNN_PROGRAM")?;
    for (network, reason) in [
        (stream::oversized_program(BOARD)?, "the program does not fit: its working memory is larger than the arena"),
        (
            stream::damaged(&program)?,
            "is no device program for this version of convrnn-runtime: the program is damaged",
        ),
        (
            stream::forged(&program)?,
            "is no device program for this version of convrnn-runtime: operation 0: a field holds a value this version",
        ),
    ] {
        Firmware { network: Some(&network), ..named("stream") }.refused(reason)?;
    }
    say(
        "a network that needs more than the part's 192 KB is refused while compiling, and so are a damaged and a forged one",
    );

    let image = Stream::build(BOARD, &program)?;
    say(&Image::read(&image)?.size()?);
    say("no panic and no heap in the image");
    for (images, damage) in [(IMAGES, None), (DAMAGED_IMAGES, Some(DAMAGE))] {
        let stream = Stream { board: BOARD, program: &program, trace: None, images, damage };
        let line = damage.map_or("a good line".into(), |damage| format!("a line that damages one byte in {damage}"));
        say(&format!("{images} images of random pixels over {line}:"));
        let answer = stream.run(&image)?;
        for summary in answer.lines().filter(|line| !line.starts_with("image ")) {
            println!("    {summary}");
        }
    }
    say(stream::camera(BOARD, &program, &image)?.trim_end());

    let odd = stream::odd_program(BOARD)?;
    let stream = Stream { board: BOARD, program: &odd, trace: None, images: ODD_IMAGES, damage: None };
    stream.run(&Stream::build(BOARD, &odd)?)?;
    say("a network of sizes that fit no kernel well gives the host's bits");
    Ok(())
}

fn named(program: &str) -> Firmware<'_> {
    Firmware { board: BOARD, program, network: None }
}

fn say(text: &str) {
    println!("firmware: {text}");
}
