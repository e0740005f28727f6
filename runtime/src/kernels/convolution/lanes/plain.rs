//! Copies rows of windows value by value.

use super::{Source, WINDOWS, Words};

/// The caller found that everything reaches.
pub(super) fn rows(
    source: &Source,
    slots: usize,
    rows: usize,
    starts: [usize; WINDOWS],
    halves: &[i16],
    windows: &mut [Words],
) {
    let all = slots.wrapping_mul(source.line);
    let windows = windows.get_mut(source.word..).unwrap_or(&mut []);
    for (lane, mut start) in starts.into_iter().enumerate() {
        for row in 0..rows {
            let values = halves.get(start..start.wrapping_add(source.length)).unwrap_or(&[]);
            for (index, &value) in values.iter().enumerate() {
                let element = row.wrapping_mul(source.length).wrapping_add(index);
                let Some(word) = windows.get_mut(element / 2).and_then(|words| words.get_mut(lane)) else { return };
                let value = u32::from(value as u16);
                *word = if element % 2 == 0 { *word & !0xffff | value } else { *word & 0xffff | value << 16 };
            }
            start = start.wrapping_add(source.line);
            if start >= source.half.wrapping_add(all) {
                start = start.wrapping_sub(all);
            }
        }
    }
}
