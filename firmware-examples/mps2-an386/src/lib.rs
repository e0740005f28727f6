//! What every program for this machine shares: the registers, the serial line, the tick, the stack gauge, the panic
//! handler; and what the stream is made of: the network's device and its outbox.
//!
//! The machine is QEMU's mps2-an386, a Cortex-M4F at 25 MHz, linked for the memory of a common part ([`memory`]).
#![no_std]

pub mod device;
mod heap;
pub mod line;
pub mod memory;
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
