//! What every program shares, whatever the machine: the registers, the serial line, the tick, the stack gauge, the panic
//! handler; and what the stream is made of: the network's device and its outbox.
//!
//! A feature names the machine ([`machine`]); the programs themselves are in `programs/`, and the machine's crate gives
//! them its memory.
#![no_std]

pub mod device;
mod heap;
pub mod line;
pub mod machine;
pub mod outbox;
mod panic;
pub mod registers;
pub mod serial;
pub mod stack;
pub mod tick;

use cortex_m_semihosting::debug;

/// Ends QEMU with a good or a bad exit status; on a board without a debugger, stops.
pub fn end(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}
