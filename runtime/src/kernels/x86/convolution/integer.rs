//! Integer convolution: from a task to the kernels.

use super::{bytes, words};
use crate::kernels::integer::with_integer;
use crate::kernels::vectors::convolution::job::{CHANNEL_TILE, Job};
use crate::kernels::vectors::convolution::scale::Scale;
use crate::kernels::x86::level::{Available, Level};
use crate::task::{Task, elements_mut};

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
#[allow(unsafe_code)]
pub(super) fn run(task: &mut Task<'_>, level: Available) -> bool {
    let Some(job) = Job::<i8>::new(task, CHANNEL_TILE) else { return false };
    let scale = Scale::new(task, job.outputs);
    let mut done = false;
    with_integer!(task.target.element, Y => {
        let output = elements_mut::<Y>(task.output);
        if output.len() == job.height * job.width * job.outputs {
            done = match level.get() {
                Level::Portable => false,
                // SAFETY: the level is available, and the length of the output has been checked.
                Level::Avx2 => unsafe { words::run(&job, &scale, output) },
                // SAFETY: likewise.
                Level::Avx512Vnni => unsafe { bytes::run(&job, &scale, output) },
            };
        }
    });
    done
}
