//! The peak of the stack, from the paint that the start-up code puts on it.

use crate::registers;

/// The start-up code's paint.
const PAINT: u32 = 0xcccc_cccc;

/// Bytes of the stack that have been used at any time, to the word.
pub fn peak_bytes() -> usize {
    let (low, high) = registers::stack_bounds();
    let mut address = low;
    while registers::unused_stack_word(address) == Some(PAINT) {
        address += 4;
    }
    high.saturating_sub(address)
}

/// Bytes that the stack could grow to.
pub fn available_bytes() -> usize {
    let (low, high) = registers::stack_bounds();
    high.saturating_sub(low)
}
