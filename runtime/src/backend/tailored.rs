//! The portable kernels that one program needs, and no others.

use super::Backend;
use crate::kernels;
use crate::task::Task;
use crate::uses::Uses;
use convrnn_format::{LoadError, LoadErrorKind, OperationKind, Prelude, Program};

/// [`super::Portable`] without the kernels that one program does not need, for firmware whose image that program is part
/// of: the compiler leaves them out, and of sessions the code for bands, shared windows, skipping and late layers.
///
/// ```
/// use convrnn_runtime::{Session, Uses, backend::Tailored};
///
/// # const fn of(program: &'static [u8]) -> Tailored<{ Uses::ALL.bits() }> {
/// // `const KERNELS: Tailored<{ Uses::of(PROGRAM.bytes()).bits() }> = Tailored::new(PROGRAM.bytes());`
/// Tailored::new(program)
/// # }
/// ```
///
/// Loading any other program fails with [`LoadErrorKind::Backend`] and that program's checksum, whatever kernels it needs.
/// A program that was made to have the same checksum loads; operations whose kernels are missing then leave their outputs
/// as they are, and bands, skipping and late layers are computed as if they were none.
#[derive(Clone, Copy, Debug)]
pub struct Tailored<const USES: u64> {
    checksum: u32,
}

impl<const USES: u64> Tailored<USES> {
    /// For one program, whose [`Uses`] are among `USES`. For constant evaluation: bytes that are no program, and one that
    /// needs more, stop the build.
    ///
    /// # Panics
    ///
    /// Where that is found while running.
    pub const fn new(program: &[u8]) -> Self {
        assert!(Uses::of(program).bits() & !USES == 0, "the program needs kernels that the backend is built without");
        Self { checksum: Prelude::at(program, 0).crc }
    }

    const fn has(kind: OperationKind) -> bool {
        Uses::from_bits(USES).has_kind(kind)
    }
}

impl<const USES: u64> Backend for Tailored<USES> {
    const USES: Uses = Uses::from_bits(USES);
    const HAS_CACHES: bool = false;

    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        let checksum = program.prelude().crc;
        if checksum != self.checksum {
            return Err(LoadError::new(LoadErrorKind::Backend, checksum));
        }
        kernels::supports(program)
    }

    fn run(&mut self, task: &mut Task<'_>) {
        match task.kind {
            OperationKind::Convolution if Self::has(OperationKind::Convolution) => {
                kernels::convolution::run_with::<USES>(task);
            }
            OperationKind::Add if Self::has(OperationKind::Add) => kernels::elementwise::add(task),
            OperationKind::Multiply if Self::has(OperationKind::Multiply) => kernels::elementwise::multiply(task),
            OperationKind::Affine if Self::has(OperationKind::Affine) => kernels::activation::affine(task),
            OperationKind::Activation if Self::has(OperationKind::Activation) => kernels::activation::run(task),
            OperationKind::Lookup if Self::has(OperationKind::Lookup) => kernels::lookup::run_with::<USES>(task),
            OperationKind::Rescale if Self::has(OperationKind::Rescale) => kernels::rescale::run_with::<USES>(task),
            OperationKind::MaxPool if Self::has(OperationKind::MaxPool) => kernels::pool::max_with::<USES>(task),
            OperationKind::GlobalAverage if Self::has(OperationKind::GlobalAverage) => kernels::pool::average(task),
            OperationKind::Resize if Self::has(OperationKind::Resize) => kernels::resize::run_with::<USES>(task),
            OperationKind::GatedSum if Self::has(OperationKind::GatedSum) => kernels::gated_sum::run_with::<USES>(task),
            // Not in the program.
            OperationKind::Convolution
            | OperationKind::Add
            | OperationKind::Multiply
            | OperationKind::Affine
            | OperationKind::Activation
            | OperationKind::Lookup
            | OperationKind::Rescale
            | OperationKind::MaxPool
            | OperationKind::GlobalAverage
            | OperationKind::Resize
            | OperationKind::GatedSum => {}
        }
    }
}
