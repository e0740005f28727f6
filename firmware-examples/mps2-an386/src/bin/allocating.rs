//! Asks the heap for memory, without any panic path: the link of its release build must fail.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use cortex_m_rt::entry;
use firmware::{end, serial, tick};

#[entry]
fn main() -> ! {
    let mut bytes: Vec<u8> = Vec::new();
    let length = tick::now() as usize;
    if bytes.try_reserve_exact(length.saturating_add(1)).is_ok() {
        bytes.extend(core::iter::once(7));
        serial::send(&bytes);
    }
    end(true)
}
