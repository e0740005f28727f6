//! Random programs on every machine: its kernels give the portable ones' bytes, and those give the host's.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use super::{Board, Firmware, Toolchain, qemu, say};
use crate::{checkout, process};

/// The machines that have kernels of their own.
const BOARDS: [Board; 3] = [Board::CORTEX_M4, Board::CORTEX_M7, Board::CORTEX_M55];

/// Random programs of a check, of integers and in f32.
const INTEGER_PROGRAMS: u64 = 400;
const REAL_PROGRAMS: u64 = 100;

/// How many times as many a thorough check has (`CONVRNN_THOROUGH=1`), as the tests of the host.
const THOROUGH: u64 = 20;

/// Random programs.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    /// Seed of the first; those after it follow.
    pub first: u64,
    /// Seeds; those whose programs are too large are left out.
    pub count: u64,
    /// In f32 instead of integers.
    pub is_real: bool,
}

/// A collection of programs with what the host makes of it.
pub struct Collection {
    path: PathBuf,
    /// A line for each program: index, checksum, what it is; at the end their number and the checksum of all.
    expected: Vec<String>,
}

impl Collection {
    /// Has random programs written, packed for a machine.
    pub fn random(board: Board, random: Random) -> Result<Self> {
        let Random { first, count, is_real } = random;
        let numerics = if is_real { "f32" } else { "int8" };
        let path = file(&format!("conformance-{numerics}-{}", board.packed_for))?;
        let mut command = example();
        command.args([board.packed_for, &first.to_string(), &count.to_string()]).arg(&path);
        if is_real {
            command.arg(numerics);
        }
        Self::write(command, path)
    }

    /// Puts programs together.
    pub fn of(board: Board, programs: &[PathBuf]) -> Result<Self> {
        let path = file(&format!("conformance-networks-{}", board.packed_for))?;
        let mut command = example();
        command.arg("of").arg(&path).args(programs);
        Self::write(command, path)
    }

    fn write(mut command: Command, path: PathBuf) -> Result<Self> {
        let output = process::output(&mut command)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{}` failed: {errors}", process::describe(&command));
        let expected = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        Ok(Self { path, expected })
    }

    /// Runs all programs on a machine; says how many there were and their checksum. Fails at the first program that
    /// gives anything but what it gives the host.
    pub fn run(&self, board: Board, image: &Path) -> Result<String> {
        let ended = process::output(&mut qemu::with_file(board, image, &self.path))?;
        let text = String::from_utf8_lossy(&ended.stdout);
        let mut found = text.lines();
        for expected in &self.expected {
            let wanted: Vec<&str> = expected.splitn(3, ' ').collect();
            let line = found.next().unwrap_or("nothing");
            let label = if wanted.len() == 3 { "program" } else { "all" };
            if line.split(' ').ne([&[label], &wanted[..2]].concat()) {
                let rest: Vec<&str> = std::iter::once(line).chain(found).collect();
                let (processor, rest) = (board.processor, rest.join("; "));
                bail!(
                    "{processor}: {} of {}: found {rest}, expected {label} {expected}",
                    ended.status,
                    self.path.display()
                );
            }
        }
        ensure!(ended.status.success(), "{}: {} after the last program", board.processor, ended.status);
        let Some((programs, checksum)) = self.expected.last().and_then(|last| last.split_once(' ')) else {
            bail!("the host says nothing of {}", self.path.display());
        };
        Ok(format!("{programs} programs, checksum {checksum}"))
    }
}

/// The image that runs collections.
pub fn image(board: Board) -> Result<PathBuf> {
    Firmware { board, program: "conformance", network: None }.release()
}

/// Runs random programs on every machine there is a compiler for. The host's programs are there.
pub fn check() -> Result<()> {
    let is_thorough = std::env::var_os("CONVRNN_THOROUGH").is_some_and(|value| value == "1");
    let factor = if is_thorough { THOROUGH } else { 1 };
    for board in BOARDS {
        if Toolchain::find(board).is_none() {
            say(&format!("left out: {} (no compiler for {}; see `cargo xtask setup`)", board.processor, board.target));
            continue;
        }
        let image = image(board)?;
        for (count, is_real) in [(INTEGER_PROGRAMS, false), (REAL_PROGRAMS, true)] {
            let random = Random { first: 0, count: factor * count, is_real };
            let outcome = Collection::random(board, random)?.run(board, &image)?;
            let numerics = if is_real { "f32" } else { "int8" };
            say(&format!("{}: the host's bits in random {numerics} programs: {outcome}", board.processor));
        }
    }
    Ok(())
}

fn example() -> Command {
    Command::new(checkout::built("examples").join("conformance_programs"))
}

fn file(name: &str) -> Result<PathBuf> {
    let folder = checkout::firmware_target("programs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.join(name))
}
