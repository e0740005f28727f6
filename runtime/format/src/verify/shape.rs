//! Window arithmetic.

use crate::MAXIMUM_EXTENT;
use crate::buffer::BufferRecord;
use crate::operation::OperationRecord;

/// Output height and width of a sliding window, `(size + padding - kernel) / stride + 1` along each
/// axis; the offending extent if the window does not fit.
pub(super) fn windows(input: &BufferRecord, operation: &OperationRecord) -> Result<(u32, u32), u32> {
    let along = |size: u32, before: u16, after: u16, kernel: u16, stride: u16| {
        let (kernel, stride) = (u32::from(kernel), u32::from(stride));
        let padded = size.saturating_add(before.into()).saturating_add(after.into());
        let limits = [kernel, stride, before.into(), after.into()];
        if let Some(&extent) = limits.iter().find(|&&extent| extent > MAXIMUM_EXTENT) {
            return Err(extent);
        }
        if kernel == 0 || padded < kernel {
            return Err(kernel);
        }
        (padded - kernel).checked_div(stride).map(|positions| positions + 1).ok_or(stride)
    };
    let (before, after) = (operation.padding_top, operation.padding_bottom);
    let height = along(input.height, before, after, operation.kernel_height, operation.stride_height)?;
    let (before, after) = (operation.padding_left, operation.padding_right);
    let width = along(input.width, before, after, operation.kernel_width, operation.stride_width)?;
    Ok((height, width))
}
