//! From integer sums to outputs.

use crate::task::Task;

/// `saturate(zero + rescale(sum + bias))`
pub(crate) struct Scale<'a> {
    /// One for each output channel.
    pub bias: &'a [i32],
    /// One for each output channel.
    pub multipliers: &'a [i32],
    /// At most 31.
    pub shift: u8,
    pub zero: i32,
}

impl<'a> Scale<'a> {
    /// That of a convolution with so many output channels.
    pub fn new(task: &Task<'a>, outputs: usize) -> Self {
        Self {
            bias: task.constant(task.record.bias, outputs),
            multipliers: task.constant(task.record.multipliers, outputs),
            shift: task.record.first_shift,
            zero: task.target.zero_point,
        }
    }
}
