//! Who computes the operations.

mod tailored;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub use crate::kernels::x86::level::Level;
#[cfg(target_arch = "x86_64")]
pub use x86::X86;
#[cfg(any(
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
mod vector128;
#[cfg(any(
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub use vector128::Vector128;

#[cfg(all(feature = "cortex-m55", target_arch = "arm"))]
mod helium;

#[cfg(all(feature = "cortex-m55", target_arch = "arm"))]
pub use helium::Helium;

pub use tailored::Tailored;

use crate::kernels;
use crate::task::Task;
use crate::uses::Uses;
use convrnn_format::{LoadError, OperationKind, Program};

/// Whether an operation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The output is complete.
    Done,
    /// The work goes on; ask again.
    Pending,
}

/// Computes operations. Every method has a portable default, so a backend for a target overrides
/// what it does faster; integer results must be the same to the bit.
///
/// For each operation the session calls [`clean`](Self::clean) on every operand,
/// [`submit`](Self::submit), [`poll`](Self::poll) until it says [`Progress::Done`], and
/// [`invalidate`](Self::invalidate) on the output; the first and the last where
/// [`HAS_CACHES`](Self::HAS_CACHES) is true. From `submit` until `Done` the backend owns the output
/// and shares the operands: the session, which holds the arena exclusively, touches neither, and
/// every `poll` is given the same memory as `submit`. A synchronous backend computes in
/// `submit`; one that feeds an accelerator by DMA starts it there and looks at it in `poll`. Such a
/// backend must stop its accelerator when it is dropped.
pub trait Backend {
    /// What programs use that this backend may be given: a session with it is built without code for anything else, and
    /// would compute other values for a program that uses more. All there is, unless [`Self::prepare`] refuses such programs.
    const USES: Uses = Uses::ALL;

    /// Whether [`clean`](Self::clean) or [`invalidate`](Self::invalidate) do anything: they are not called for a backend
    /// that says no.
    const HAS_CACHES: bool = true;

    /// Looks at a program before it runs for the first time: claims hardware, refuses what it
    /// cannot do.
    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        kernels::supports(program)
    }

    /// Makes what the processor wrote visible to the backend: a cache clean.
    fn clean(&mut self, operand: &[u8]) {
        let _ = operand;
    }

    /// Makes what the backend wrote visible to the processor: a cache invalidation.
    fn invalidate(&mut self, output: &mut [u8]) {
        let _ = output;
    }

    /// Starts an operation, and ends it if the backend is synchronous.
    fn submit(&mut self, task: &mut Task<'_>) -> Progress {
        self.run(task);
        Progress::Done
    }

    /// Asks for an operation that was [`Progress::Pending`].
    fn poll(&mut self, task: &mut Task<'_>) -> Progress {
        let _ = task;
        Progress::Done
    }

    /// Computes an operation with the methods below.
    fn run(&mut self, task: &mut Task<'_>) {
        match task.kind {
            OperationKind::Convolution => self.convolution(task),
            OperationKind::Add => self.add(task),
            OperationKind::Multiply => self.multiply(task),
            OperationKind::Affine => self.affine(task),
            OperationKind::Activation => self.activation(task),
            OperationKind::Lookup => self.lookup(task),
            OperationKind::Rescale => self.rescale(task),
            OperationKind::MaxPool => self.max_pool(task),
            OperationKind::GlobalAverage => self.global_average(task),
            OperationKind::Resize => self.resize(task),
            OperationKind::GatedSum => self.gated_sum(task),
        }
    }

    /// [`OperationKind::Convolution`]
    fn convolution(&mut self, task: &mut Task<'_>) {
        kernels::convolution::run(task);
    }

    /// [`OperationKind::Add`]
    fn add(&mut self, task: &mut Task<'_>) {
        kernels::elementwise::add(task);
    }

    /// [`OperationKind::Multiply`]
    fn multiply(&mut self, task: &mut Task<'_>) {
        kernels::elementwise::multiply(task);
    }

    /// [`OperationKind::Affine`]
    fn affine(&mut self, task: &mut Task<'_>) {
        kernels::activation::affine(task);
    }

    /// [`OperationKind::Activation`]
    fn activation(&mut self, task: &mut Task<'_>) {
        kernels::activation::run(task);
    }

    /// [`OperationKind::Lookup`]
    fn lookup(&mut self, task: &mut Task<'_>) {
        kernels::lookup::run(task);
    }

    /// [`OperationKind::Rescale`]
    fn rescale(&mut self, task: &mut Task<'_>) {
        kernels::rescale::run(task);
    }

    /// [`OperationKind::MaxPool`]
    fn max_pool(&mut self, task: &mut Task<'_>) {
        kernels::pool::max(task);
    }

    /// [`OperationKind::GlobalAverage`]
    fn global_average(&mut self, task: &mut Task<'_>) {
        kernels::pool::average(task);
    }

    /// [`OperationKind::Resize`]
    fn resize(&mut self, task: &mut Task<'_>) {
        kernels::resize::run(task);
    }

    /// [`OperationKind::GatedSum`]. An operand may lie where the output does, see
    /// [`Task::is_in_place`].
    fn gated_sum(&mut self, task: &mut Task<'_>) {
        kernels::gated_sum::run(task);
    }
}

/// Makes a backend of a type by its convolutions and its processor's vectors: for each operation the kernel over these, or
/// else the portable one.
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
macro_rules! vector_backend {
    ($backend:ty, $convolution:path, $self:ident => $machine:expr) => {
        $crate::backend::vector_backend! {
            @operations $backend, $self => $machine;
            convolution = $convolution, kernels::convolution::run;
            add = kernels::vectors::elementwise::add, kernels::elementwise::add;
            multiply = kernels::vectors::elementwise::multiply, kernels::elementwise::multiply;
            affine = kernels::vectors::activation::affine, kernels::activation::affine;
            activation = kernels::vectors::activation::run, kernels::activation::run;
            lookup = kernels::vectors::lookup::run, kernels::lookup::run;
            rescale = kernels::vectors::elementwise::rescale, kernels::rescale::run;
            max_pool = kernels::vectors::pool::max, kernels::pool::max;
            global_average = kernels::vectors::pool::average, kernels::pool::average;
            resize = kernels::vectors::resize::run, kernels::resize::run;
            gated_sum = kernels::vectors::gated_sum::run, kernels::gated_sum::run;
        }
    };
    (@operations $backend:ty, $self:ident => $machine:expr; $($method:ident = $kernel:path, $portable:path;)*) => {
        impl $crate::backend::Backend for $backend {
            const HAS_CACHES: bool = false;

            $(fn $method(&mut $self, task: &mut $crate::task::Task<'_>) {
                if !$kernel(task, $machine) {
                    $portable(task);
                }
            })*
        }
    };
}
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub(crate) use vector_backend;

/// The portable backend: plain Rust on any machine, and the definition of the integer results.
#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

impl Backend for Portable {
    const HAS_CACHES: bool = false;
}

/// The fastest backend for the processor that this is built for.
#[cfg(target_arch = "x86_64")]
pub type Host = X86;

/// The fastest backend for the processor that this is built for.
#[cfg(any(
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub type Host = Vector128;

/// The fastest backend for the processor that this is built for.
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
pub type Host = Portable;
