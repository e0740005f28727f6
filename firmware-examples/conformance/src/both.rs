//! Every operation by two backends.

use convrnn_runtime::format::{MAXIMUM_SIBLINGS, OperationRecord, crc32};
use convrnn_runtime::{Backend, LoadError, Numerics, Portable, Program, Progress, Task};

/// How far f32 results of two backends may lie apart, relative to the largest magnitude of the tensor or to one.
pub const TOLERANCE: f32 = 1e-5;

/// Where two backends differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Index of the operation in the program.
    pub operation: u32,
    /// Byte of its output; [`u32::MAX`] where it differs only when it is computed with its siblings.
    pub byte: u32,
}

/// A backend beside the portable one. The portable one's results stay; where the other's differ from them, and how, is
/// kept for the caller, and nothing more is computed twice.
#[derive(Debug)]
pub struct Both<'memory, B> {
    backend: B,
    before: &'memory mut [u8],
    found: &'memory mut [u8],
    difference: Option<Difference>,
    missing: u32,
    checksum: u32,
    /// What the backend made of siblings that it computed at once: index of the operation, checksum of its output.
    siblings: [Option<(u32, u32)>; MAXIMUM_SIBLINGS],
}

impl<'memory, B: Backend> Both<'memory, B> {
    /// A backend with memory for an output as it was before the operation, which may read it, and for what the
    /// backend makes of it.
    pub fn new(backend: B, before: &'memory mut [u8], found: &'memory mut [u8]) -> Self {
        Self { backend, before, found, difference: None, missing: 0, checksum: 0, siblings: [None; MAXIMUM_SIBLINGS] }
    }

    /// The first difference, if there is one.
    pub fn difference(&self) -> Option<Difference> {
        self.difference
    }

    /// Bytes of the largest output for which the memory was too small; zero if it sufficed.
    pub fn missing(&self) -> u32 {
        self.missing
    }

    /// Of all outputs of the portable backend, see [`fold`].
    pub fn checksum(&self) -> u32 {
        self.checksum
    }
}

impl<B: Backend> Backend for Both<'_, B> {
    const HAS_CACHES: bool = B::HAS_CACHES;

    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        self.backend.prepare(program)
    }

    /// Siblings are computed at once by the backend alone, and then one by one like everything else.
    fn run(&mut self, task: &mut Task<'_>) {
        if !task.siblings.is_empty() {
            self.run_siblings(task);
        }
        let siblings = core::mem::take(&mut task.siblings);
        self.run_one(task);
        (task.siblings, task.has_done_siblings) = (siblings, false);
    }
}

impl<B: Backend> Both<'_, B> {
    fn run_siblings(&mut self, task: &mut Task<'_>) {
        task.has_done_siblings = false;
        compute(&mut self.backend, task);
        self.siblings = [None; MAXIMUM_SIBLINGS];
        if !task.has_done_siblings {
            return;
        }
        let first = (&task.record, crc32::checksum(task.output));
        let others = task.siblings.iter().map(|sibling| (&sibling.record, crc32::checksum(sibling.output)));
        for (slot, (record, checksum)) in self.siblings.iter_mut().zip(core::iter::once(first).chain(others)) {
            *slot = Some((index_of(task.program, record), checksum));
        }
    }

    /// Whether the backend made something else of an operation when it computed it with its siblings.
    fn is_another_sibling(&self, index: u32, checksum: u32) -> bool {
        self.siblings.iter().flatten().any(|&(other, found)| other == index && found != checksum)
    }

    fn run_one(&mut self, task: &mut Task<'_>) {
        let length = task.output.len();
        match (self.before.get_mut(..length), self.found.get_mut(..length)) {
            (Some(before), Some(found)) if self.difference.is_none() => {
                copy(task.output, before);
                compute(&mut self.backend, task);
                copy(task.output, found);
                copy(before, task.output);
                Portable.run(task);
                let index = index_of(task.program, &task.record);
                let differing = match task.numerics() {
                    Numerics::Integer => {
                        found.iter().zip(&*task.output).position(|(found, expected)| found != expected)
                    }
                    Numerics::Real => first_apart(found, task.output),
                };
                self.difference = differing.map(|byte| Difference { operation: index, byte: byte as u32 });
                if self.difference.is_none() && self.is_another_sibling(index, crc32::checksum(task.output)) {
                    self.difference = Some(Difference { operation: index, byte: u32::MAX });
                }
            }
            (Some(_), Some(_)) => Portable.run(task),
            (_, _) => {
                self.missing = self.missing.max(length as u32);
                Portable.run(task);
            }
        }
        self.checksum = fold(self.checksum, crc32::checksum(task.output));
    }
}

/// Gives an operation to a backend and waits for it.
fn compute<B: Backend>(backend: &mut B, task: &mut Task<'_>) {
    let mut progress = backend.submit(task);
    while progress == Progress::Pending {
        progress = backend.poll(task);
    }
}

/// The checksum of one thing and the next: the CRC-32/ISO-HDLC of both checksums, little endian.
pub fn fold(first: u32, next: u32) -> u32 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_le_bytes(), next.to_le_bytes());
    crc32::checksum(&[a, b, c, d, e, f, g, h])
}

/// Copies as much as both hold.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// The first byte of the first number that lies further from what is expected than the tolerance.
fn first_apart(found: &[u8], expected: &[u8]) -> Option<usize> {
    let ((found, _), (expected, _)) = (found.as_chunks(), expected.as_chunks());
    let magnitude = expected.iter().fold(1.0_f32, |largest, &x| largest.max(f32::from_le_bytes(x).abs()));
    let limit = TOLERANCE * magnitude;
    let pairs =
        found.iter().zip(expected).map(|(&found, &expected)| (f32::from_le_bytes(found), f32::from_le_bytes(expected)));
    let mut differences = pairs.map(|(found, expected)| (found - expected).abs());
    // A difference that is no number is one too.
    differences
        .position(|difference| difference.is_nan() || difference > limit)
        .map(|index| index.wrapping_mul(size_of::<f32>()))
}

/// The index of an operation in its program: no two write one buffer under one name.
fn index_of(program: &Program<'_>, record: &OperationRecord) -> u32 {
    let is_it = |index: &usize| {
        program
            .operation(*index)
            .is_some_and(|other| (other.name, other.kind, other.output) == (record.name, record.kind, record.output))
    };
    (0..program.operation_count()).find(is_it).map_or(u32::MAX, |index| index as u32)
}
