//! Whose code takes how much flash.

use anyhow::{Context, Result, bail};

use super::{
    board::Board,
    image::{Function, Image},
    stream::{self, Stream},
};

/// One part of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Code, in bytes.
    pub bytes: u64,
    /// Whether it is code of the runtime.
    pub is_runtime: bool,
}

/// Parts by a piece of the functions' names, the first that fits; the rest is the processor's and the board's.
const OWNERS: [(&str, &str, bool); 9] = [
    ("convrnn_runtime::kernels::convolution", "convolutions", true),
    ("convrnn_runtime::kernels", "other kernels", true),
    ("convrnn_runtime::protocol", "stream protocol", true),
    ("convrnn_format", "loading and verification", true),
    ("convrnn_runtime", "sessions, read-outs, frames", true),
    ("postcard", "stream protocol", true),
    ("cobs", "stream protocol", true),
    ("crc", "checksums", true),
    ("compiler_builtins", "memory copies and 64-bit arithmetic", false),
];
const REST: &str = "board, serial line, tick, start-up";

/// Bytes of the network's program, and the code of the firmware that streams it, by owner.
pub fn measure() -> Result<(u64, Vec<Part>)> {
    let program = stream::untrained_program(Board::CORTEX_M4)?;
    let bytes = std::fs::metadata(&program).with_context(|| format!("cannot read {}", program.display()))?.len();
    let image = Image::read(&Stream::build(Board::CORTEX_M4, &program)?)?;
    Ok((bytes, by_owner(&image.functions()?)))
}

/// What the runtime needs in the firmware that streams the demo network, beside program and arena.
pub struct Footprint {
    /// Bytes of its code.
    pub code: u64,
    /// Bytes of stack at most.
    pub stack: u64,
}

/// Builds the firmware for a board, streams an image and looks.
pub fn footprint(board: Board) -> Result<Footprint> {
    let program = stream::untrained_program(board)?;
    let image = Stream::build(board, &program)?;
    let parts = by_owner(&Image::read(&image)?.functions()?);
    let code = parts.iter().filter(|part| part.is_runtime).map(|part| part.bytes).sum();
    let stream = Stream { board, program: &program, trace: None, images: 1, damage: None };
    let answer = stream.run_with(&image, &[])?;
    let line = answer.lines().find_map(|line| line.strip_prefix("stack at most"));
    let words = line.and_then(|line| line.split(" of ").next()).map(str::split_whitespace);
    let words: Vec<&str> = words.context("the host does not say what stack the device needs")?.collect();
    let unit = match words.get(1) {
        Some(&"B") => 1.0,
        Some(&"KiB") => 1024.0,
        unit => bail!("the stack is {unit:?}, expected B or KiB"),
    };
    let stack = words.first().context("no number")?.parse::<f64>().context("the stack is no number")? * unit;
    Ok(Footprint { code, stack: stack.ceil() as u64 })
}

fn by_owner(functions: &[Function]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for function in functions {
        let owner = OWNERS.iter().find(|(piece, _, _)| function.name.contains(piece));
        let (name, is_runtime) = owner.map_or((REST, false), |&(_, name, is_runtime)| (name, is_runtime));
        match parts.iter_mut().find(|part| part.name == name) {
            Some(part) => part.bytes += function.length,
            None => parts.push(Part { name, bytes: function.length, is_runtime }),
        }
    }
    parts.sort_by_key(|part| (!part.is_runtime, std::cmp::Reverse(part.bytes)));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_given_to_their_owners() {
        let function = |name: &str, length| Function { address: 0, length, name: name.into() };
        let parts = by_owner(&[
            function("convrnn_runtime::kernels::pool::max", 100),
            function("convrnn_runtime::kernels::convolution::block::accumulate", 300),
            function("<convrnn_runtime::kernels::convolution::Whole as Arithmetic>::interleaved", 200),
            function("memcpy", 40),
        ]);
        let found: Vec<(&str, u64)> = parts.iter().map(|part| (part.name, part.bytes)).collect();
        assert_eq!(found, [("convolutions", 500), ("other kernels", 100), (REST, 40)]);
    }
}
