//! Writes a collection of device programs for `firmware-examples/conformance`, and says what computing all of them
//! gives: for each program a line with its index, its checksum and what it is, and at the end the number of programs and
//! the checksum of all. The machine's own kernels compute every operation too and are compared.
//!
//! ```text
//! cargo run -p convrnn-export --example conformance_programs -- TARGET FIRST-SEED COUNT FILE [f32]
//! cargo run -p convrnn-export --example conformance_programs -- of FILE PROGRAM.crnn ...
//! cargo run -p convrnn-export --example conformance_programs -- steps PROGRAM.crnn
//! ```
//!
//! The last form writes nothing: it says the checksum of a few steps of one program.

use conformance::{ARENA_BYTES, Failure, PROGRAM_BYTES, Runner, SCRATCH_BYTES, TENSOR_BYTES, collection};
use convrnn_export::program::testing::{OneOperation, network_program};
use convrnn_export::program::{AlignedBytes, Target};
use convrnn_models::files::write_whole;
use convrnn_runtime::{Host, Numerics, Program, Session, arena_length};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

const USAGE: &str = "usage: conformance_programs TARGET FIRST-SEED COUNT FILE [f32]\n   \
                     or: conformance_programs of FILE PROGRAM.crnn ...\n   \
                     or: conformance_programs steps PROGRAM.crnn\n\
                     targets: rows, portable, cortex-m4, cortex-m55, x86-64, aarch64, wasm";

/// A program with what it is.
type Described = (String, AlignedBytes);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (file, programs): (_, Vec<Described>) = match words[..] {
        ["steps", path] => return steps(path),
        ["of", file, ref paths @ ..] => (file, paths.iter().map(|path| read(path)).collect::<Result<_, _>>()?),
        [target, first, count, file] => (file, random(target, first, count, Numerics::Integer)?),
        [target, first, count, file, "f32"] => (file, random(target, first, count, Numerics::Real)?),
        _ => return Err(USAGE.into()),
    };
    let (bytes, text) = collect(&programs)?;
    write_whole(Path::new(file), &bytes)?;
    print!("{text}");
    Ok(())
}

fn read(path: &str) -> Result<Described, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    Ok((path.into(), AlignedBytes::copy_of(&bytes)))
}

/// Says the checksum of a few steps.
fn steps(path: &str) -> Result<(), Box<dyn Error>> {
    let (_, program) = read(path)?;
    Program::new_checked(&program)?;
    let (mut arena, mut frame) = (AlignedBytes::zeroed(arena_length(&program)), AlignedBytes::zeroed(TENSOR_BYTES));
    let mut session = Session::new(&program, &mut arena)?;
    let checksum = conformance::steps::run(&mut session, &mut frame, |session| session.step());
    println!("{}", checksum.ok_or("a frame of this program is larger than firmware shows")?);
    Ok(())
}

/// The programs of so many seeds, without those that are too large.
fn random(target: &str, first: &str, count: &str, numerics: Numerics) -> Result<Vec<Described>, Box<dyn Error>> {
    let target = match target {
        "rows" => Target::Rows,
        "portable" => Target::Portable,
        "cortex-m4" => Target::CortexM4,
        "cortex-m55" => Target::CortexM55,
        "x86-64" => Target::X86_64,
        "aarch64" => Target::Aarch64,
        "wasm" => Target::Wasm,
        _ => return Err(USAGE.into()),
    };
    let (first, count): (u64, u64) = (first.parse()?, count.parse()?);
    let programs = (first..first.saturating_add(count)).map(|seed| one(seed, target, numerics));
    Ok(programs.filter(|(_, program)| fits(program)).collect())
}

/// Four seeds of eight are convolutions, one a network, the others any other operation.
fn one(seed: u64, target: Target, numerics: Numerics) -> Described {
    let of = |operation: OneOperation| (operation.description.clone(), operation.program(target));
    let (description, program) = match (seed % 8, numerics) {
        (0..=3, Numerics::Integer) => of(OneOperation::convolution(seed)),
        (0..=3, Numerics::Real) => of(OneOperation::real_convolution(seed)),
        (7, _) => ("random network".into(), network_program(seed, target, numerics)),
        (_, Numerics::Integer) => of(OneOperation::operation(seed)),
        (_, Numerics::Real) => of(OneOperation::real_operation(seed)),
    };
    (format!("seed {seed}: {description}"), program)
}

/// Whether a program fits the memory of those who run collections.
fn fits(program: &AlignedBytes) -> bool {
    let verified = Program::new_checked(program).expect("the exporter wrote it");
    let mut buffers = (0..verified.buffer_count() as u16).filter_map(|index| verified.buffer(index));
    program.len() <= PROGRAM_BYTES
        && arena_length(program) <= ARENA_BYTES
        && buffers.all(|buffer| buffer.length as usize <= TENSOR_BYTES)
}

/// The collection's bytes, and the lines about it.
fn collect(programs: &[Described]) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    let (mut bytes, mut text) = (Vec::new(), String::new());
    let (mut arena, mut scratch) = (AlignedBytes::zeroed(ARENA_BYTES), AlignedBytes::zeroed(SCRATCH_BYTES));
    let mut runner = Runner::new();
    for (description, program) in programs {
        let length = u32::try_from(program.len())?;
        bytes.extend(collection::header(length));
        bytes.extend(&program[..]);
        bytes.resize(bytes.len() + collection::padded_length(length) - program.len(), 0);
        let index = runner.programs();
        let checksum = runner
            .run(program, &mut arena, &mut scratch, Host::default())
            .map_err(|failure: Failure| format!("{failure:?} in {description}"))?;
        writeln!(text, "{index} {checksum} {description}")?;
    }
    writeln!(text, "{} {}", runner.programs(), runner.checksum())?;
    Ok((bytes, text))
}
