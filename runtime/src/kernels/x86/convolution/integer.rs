//! Integer convolution: from a task to the kernels.

use super::job::Job;
use super::{bytes, words};
use crate::kernels::integer::with_integer;
use crate::kernels::x86::level::{Available, Level};
use crate::task::{Task, elements_mut};

/// From sums to outputs: `saturate(zero + rescale(sum + bias))`.
pub(super) struct Scale<'a> {
    /// One for each output channel.
    pub bias: &'a [i32],
    /// One for each output channel.
    pub multipliers: &'a [i32],
    /// At most 31.
    pub shift: u8,
    pub zero: i32,
}

/// Computes a convolution; false if these kernels cannot, and then nothing is done.
#[allow(unsafe_code)]
pub(super) fn run(task: &mut Task<'_>, level: Available) -> bool {
    let Some(job) = Job::<i8>::new(task, bytes::CHANNEL_TILE) else { return false };
    let scale = Scale {
        bias: task.constant(task.record.bias, job.outputs),
        multipliers: task.constant(task.record.multipliers, job.outputs),
        shift: task.record.first_shift,
        zero: task.target.zero_point,
    };
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
