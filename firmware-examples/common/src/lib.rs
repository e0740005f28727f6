//! What every program shares, whatever the machine: the registers, the serial line, the tick, the stack gauge, the panic
//! handler; and what the stream is made of: the network's device and its outbox.
//!
//! A feature names the machine ([`machine`]); the programs themselves are in `programs/`, and the machine's crate gives
//! them its memory.
#![no_std]

pub mod device;
#[cfg(not(feature = "mps2-an521"))]
pub mod external;
mod heap;
pub mod host_file;
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

/// Says something with two numbers over semihosting, without the formatting of `core`, which can panic.
pub fn say(text: &str, first: u32, second: u32) {
    let Ok(mut host) = cortex_m_semihosting::hio::hstdout() else { return };
    // Nobody is there to be told of an error.
    let _ = host.write_all(text.as_bytes());
    for number in [first, second] {
        let digits: [u8; 10] = core::array::from_fn(|index| {
            let power = 10_u32.wrapping_pow(9_u32.wrapping_sub(index as u32)).max(1);
            b'0'.wrapping_add(((number / power) % 10) as u8)
        });
        let zeros = digits.iter().take(9).take_while(|&&digit| digit == b'0').count();
        let _ = host.write_all(b" ");
        let _ = host.write_all(digits.get(zeros..).unwrap_or(&[]));
    }
    let _ = host.write_all(b"\n");
}
