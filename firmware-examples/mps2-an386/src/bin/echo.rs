//! Tries the line and the tick: sends back every byte, and on the end-of-transmission byte (4) a report and the end.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use firmware::{end, serial, stack, tick};

const END_OF_TRANSMISSION: u8 = 4;

#[entry]
fn main() -> ! {
    let Some(mut core) = cortex_m::Peripherals::take() else { end(false) };
    serial::start();
    tick::start(&mut core.SYST);
    let mut buffer = [0; 64];
    loop {
        let count = serial::receive(&mut buffer);
        let Some(bytes) = buffer.get(..count) else { end(false) };
        let text = bytes.split(|&byte| byte == END_OF_TRANSMISSION).next().unwrap_or(bytes);
        serial::send(text);
        if text.len() < bytes.len() {
            report();
        }
        if count == 0 {
            cortex_m::asm::wfi();
        }
    }
}

/// Sends the byte 4 and, as little-endian words, the ticks, the peak of the stack in bytes and the bytes lost; ends.
fn report() -> ! {
    let words = [tick::now(), u32::try_from(stack::peak_bytes()).unwrap_or(u32::MAX), serial::overruns()];
    serial::send(&[END_OF_TRANSMISSION]);
    for word in words {
        serial::send(&word.to_le_bytes());
    }
    end(true)
}
