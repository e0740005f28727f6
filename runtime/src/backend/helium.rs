//! Cortex-M55: kernels with the instructions of Arm's M-profile vector extension, by name.

use super::Backend;
use crate::kernels::{self, helium};
use crate::task::Task;
use convrnn_format::{LoadError, Program};

/// The Helium backend. It needs a processor with the integer half of the M-profile vector extension, and the
/// coprocessors 10 and 11 switched on, as start-up code for hard floating point does. The bits are those of
/// [`super::Portable`]; what a kernel is not made for, the portable one computes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Helium {
    /// Whether the interpolated tables of the program have no steps that the loops cannot say.
    steps_fit: bool,
}

impl Helium {
    /// A backend for one program.
    pub const fn new() -> Self {
        Self { steps_fit: false }
    }
}

impl Backend for Helium {
    const HAS_CACHES: bool = false;

    fn prepare(&mut self, program: &Program<'_>) -> Result<(), LoadError> {
        self.steps_fit = helium::lookup::all_steps_fit(program);
        kernels::supports(program)
    }

    fn gated_sum(&mut self, task: &mut Task<'_>) {
        if !helium::gated_sum::run(task, self.steps_fit) {
            kernels::gated_sum::run(task);
        }
    }

    fn convolution(&mut self, task: &mut Task<'_>) {
        if !helium::convolution::run(task) {
            kernels::convolution::run(task);
        }
    }

    fn add(&mut self, task: &mut Task<'_>) {
        if !helium::elementwise::add(task) {
            kernels::elementwise::add(task);
        }
    }

    fn multiply(&mut self, task: &mut Task<'_>) {
        if !helium::elementwise::multiply(task) {
            kernels::elementwise::multiply(task);
        }
    }

    fn lookup(&mut self, task: &mut Task<'_>) {
        if !helium::lookup::run(task, self.steps_fit) {
            kernels::lookup::run(task);
        }
    }

    fn rescale(&mut self, task: &mut Task<'_>) {
        if !helium::elementwise::rescale(task) {
            kernels::rescale::run(task);
        }
    }

    fn max_pool(&mut self, task: &mut Task<'_>) {
        if !helium::pool::max(task) {
            kernels::pool::max(task);
        }
    }

    fn global_average(&mut self, task: &mut Task<'_>) {
        if !helium::pool::average(task) {
            kernels::pool::average(task);
        }
    }

    fn resize(&mut self, task: &mut Task<'_>) {
        if !helium::resize::run(task) {
            kernels::resize::run(task);
        }
    }
}
