//! Whose code takes how much flash.

use std::path::Path;

use addr2line::Loader;
use anyhow::{Context, Result, anyhow, bail};

use super::{
    board::Board,
    image::Image,
    stream::{self, Stream},
};
use crate::checkout;

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

/// Who owns code: a part and whether it is code of the runtime.
type Owner = (&'static str, bool);

const CONVOLUTIONS: Owner = ("convolutions", true);
const KERNELS: Owner = ("other kernels", true);
const PROTOCOL: Owner = ("stream protocol", true);
const LOADING: Owner = ("reading of the program", true);
const SESSIONS: Owner = ("sessions, read-outs, frames", true);
const COPIES: Owner = ("memory copies and 64-bit arithmetic", false);
const REST: Owner = ("board, serial line, tick, start-up", false);

/// Owners by the folder of the source, in the checkout; the first that fits.
const FOLDERS: [(&str, Owner); 7] = [
    ("runtime/src/kernels/convolution", CONVOLUTIONS),
    ("runtime/src/kernels/helium/convolution", CONVOLUTIONS),
    ("runtime/src/kernels", KERNELS),
    ("runtime/src/protocol", PROTOCOL),
    ("runtime/format", LOADING),
    ("runtime/src", SESSIONS),
    ("firmware-examples", REST),
];

/// Owners by a piece of the function's name, of what has no source in the checkout: assembly, and libraries.
const NAMES: [(&str, Owner); 13] = [
    ("convrnn_runtime::kernels::convolution", CONVOLUTIONS),
    ("convrnn_runtime::kernels::helium::convolution", CONVOLUTIONS),
    ("convrnn_runtime::kernels", KERNELS),
    ("convrnn_runtime", SESSIONS),
    ("convrnn_format", LOADING),
    ("postcard", PROTOCOL),
    ("serde_core", PROTOCOL),
    ("crc::", PROTOCOL),
    ("compiler_builtins", COPIES),
    ("memc", COPIES),
    ("memset", COPIES),
    ("memmove", COPIES),
    ("__aeabi", COPIES),
];

/// Bytes of the network's program, and the code of the firmware that streams it, by owner.
pub fn measure() -> Result<(u64, Vec<Part>)> {
    let program = stream::untrained_program(Board::CORTEX_M4)?;
    let bytes = std::fs::metadata(&program).with_context(|| format!("cannot read {}", program.display()))?.len();
    let image = Stream::build(Board::CORTEX_M4, &program)?;
    let mut parts = by_owner(&image)?;
    let data = Image::read(&image)?.section_length(".rodata")?;
    let beside = data.checked_sub(bytes).context("the program is not among the image's read-only data")?;
    parts.push(Part {
        name: "read-only data beside the program, the table of the CRC above all",
        bytes: beside,
        is_runtime: false,
    });
    Ok((bytes, parts))
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
    let parts = by_owner(&image)?;
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

/// The code of an image by owner. What was inlined belongs to whose source it is: each instruction is that of the
/// innermost function of this checkout in which it lies.
fn by_owner(image: &Path) -> Result<Vec<Part>> {
    let fail = |error| anyhow!("cannot read the debug information of {}: {error}", image.display());
    let sources = Loader::new(image).map_err(|error| fail(error.to_string()))?;
    let mut parts = Parts::default();
    for function in Image::read(image)?.functions()? {
        let end = function.address + function.length;
        for address in (function.address..end).step_by(INSTRUCTION_BYTES as usize) {
            let mut frames = sources.find_frames(address).map_err(|error| fail(error.to_string()))?;
            let mut owner = None;
            while let (None, Some(frame)) = (owner, frames.next().map_err(|error| fail(error.to_string()))?) {
                owner = frame.location.and_then(|location| location.file).and_then(|file| of_source(Path::new(file)));
            }
            parts.add(owner.unwrap_or_else(|| of_name(&function.name)), INSTRUCTION_BYTES.min(end - address));
        }
    }
    let mut parts = parts.0;
    if !parts.iter().any(|part| part.name == SESSIONS.0) {
        bail!("{} has no debug information of the runtime: its release profile must keep it", image.display());
    }
    parts.sort_by_key(|part| (!part.is_runtime, std::cmp::Reverse(part.bytes)));
    Ok(parts)
}

/// Shortest instruction.
const INSTRUCTION_BYTES: u64 = 2;

/// The owner of a source file of this checkout.
fn of_source(file: &Path) -> Option<Owner> {
    let file = file.strip_prefix(checkout::root()).ok()?;
    FOLDERS.iter().find(|(folder, _)| file.starts_with(folder)).map(|&(_, owner)| owner)
}

fn of_name(name: &str) -> Owner {
    NAMES.iter().find(|(piece, _)| name.contains(piece)).map_or(REST, |&(_, owner)| owner)
}

#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn add(&mut self, (name, is_runtime): Owner, bytes: u64) {
        match self.0.iter_mut().find(|part| part.name == name) {
            Some(part) => part.bytes += bytes,
            None => self.0.push(Part { name, bytes, is_runtime }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_functions_have_owners() {
        let source = |file: &str| of_source(&checkout::root().join(file));
        assert_eq!(source("runtime/src/kernels/convolution/mod.rs"), Some(CONVOLUTIONS));
        assert_eq!(source("runtime/src/kernels/pool.rs"), Some(KERNELS));
        assert_eq!(source("runtime/src/session.rs"), Some(SESSIONS));
        assert_eq!(source("runtime/format/src/program.rs"), Some(LOADING));
        assert_eq!(source("firmware-examples/mps2-an386/../common/programs/stream.rs"), Some(REST));
        assert_eq!(of_source(Path::new("/rustc/0/library/core/src/option.rs")), None);
        assert_eq!(of_name("convrnn_runtime::kernels::convolution::widen::turns::widen_turns"), CONVOLUTIONS);
        assert_eq!(of_name("<postcard::ser::serializer::Serializer<F>>::serialize_field"), PROTOCOL);
        assert_eq!(of_name("SysTick"), REST);
    }
}
