//! The machine's own registers, interrupts and linker symbols: with the absent heap, the host's files and the external
//! memory the only `unsafe` of this crate.
#![allow(unsafe_code)]

use core::ptr;

use crate::machine::{UART_RECEIVE, UART0};

/// Offsets of UART0's state and control words; its data is at its start (ARM DDI 0479, section 4.3).
const STATE: usize = 0x04;
const CONTROL: usize = 0x08;
const INTERRUPT_CLEAR: usize = 0x0c;
const BAUD_DIVIDER: usize = 0x10;

const STATE_TRANSMIT_FULL: u32 = 1 << 0;
const STATE_RECEIVE_FULL: u32 = 1 << 1;
const STATE_RECEIVE_OVERRUN: u32 = 1 << 3;
const CONTROL_TRANSMIT: u32 = 1 << 0;
const CONTROL_RECEIVE: u32 = 1 << 1;
const CONTROL_RECEIVE_INTERRUPT: u32 = 1 << 3;
const INTERRUPT_RECEIVE: u32 = 1 << 1;

fn read(offset: usize) -> u32 {
    // SAFETY: every caller passes one of the offsets above; UART0 + offset is an aligned, always mapped register of
    // this machine, and reading it has no effect on memory.
    unsafe { ptr::read_volatile((UART0 + offset) as *const u32) }
}

fn write(offset: usize, value: u32) {
    // SAFETY: as in `read`; the UART has no DMA, so no write to its registers changes memory.
    unsafe { ptr::write_volatile((UART0 + offset) as *mut u32, value) }
}

/// Switches the UART on; receiving interrupts are off until [`uart_receive_interrupt`].
pub fn uart_enable(baud_divider: u32) {
    write(BAUD_DIVIDER, baud_divider);
    write(CONTROL, CONTROL_TRANSMIT | CONTROL_RECEIVE);
}

/// Lets a received byte raise an interrupt, or not.
pub fn uart_receive_interrupt(enabled: bool) {
    let interrupt = if enabled { CONTROL_RECEIVE_INTERRUPT } else { 0 };
    write(CONTROL, CONTROL_TRANSMIT | CONTROL_RECEIVE | interrupt);
}

/// Acknowledges the receive interrupt.
pub fn uart_acknowledge_receive() {
    write(INTERRUPT_CLEAR, INTERRUPT_RECEIVE);
}

/// The byte received last, if it has not been taken yet.
pub fn uart_take() -> Option<u8> {
    (read(STATE) & STATE_RECEIVE_FULL != 0).then(|| (read(0) & 0xff) as u8)
}

/// True once after bytes arrived faster than they were taken.
pub fn uart_overrun() -> bool {
    let overrun = read(STATE) & STATE_RECEIVE_OVERRUN != 0;
    if overrun {
        write(STATE, STATE_RECEIVE_OVERRUN);
    }
    overrun
}

/// Sends a byte unless the transmitter is busy; says whether it did.
pub fn uart_send(byte: u8) -> bool {
    let free = read(STATE) & STATE_TRANSMIT_FULL == 0;
    if free {
        write(0, u32::from(byte));
    }
    free
}

/// A mark for the instruction counter of `firmware-examples/instruction-counter`; the processor takes it for a no-op.
#[inline(always)]
pub fn mark() {
    // SAFETY: a reserved hint (Armv7-M reference manual, A5.2.5) does nothing. It may be taken to touch memory, so that
    // the compiler moves no work over it.
    unsafe { core::arch::asm!(".inst.n 0xbfe0", options(nostack, preserves_flags)) }
}

/// UART0's receive interrupt.
#[derive(Clone, Copy)]
pub struct UartReceive;

// SAFETY: this is the number of UART0's receive interrupt on the machine, within the lines that it has.
unsafe impl cortex_m::interrupt::InterruptNumber for UartReceive {
    fn number(self) -> u16 {
        u16::from(UART_RECEIVE)
    }
}

/// Lets UART0's receive interrupt reach the core.
pub fn unmask_uart_receive() {
    // SAFETY: no critical section of this crate relies on the interrupt being masked: they mask all interrupts.
    unsafe { cortex_m::peripheral::NVIC::unmask(UartReceive) }
}

/// Every interrupt without a handler of its own comes here: UART0's, and none else is unmasked.
///
/// # Safety
/// Only the vector table calls it, when the interrupt is active.
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(interrupt: i16) {
    if interrupt == i16::from(UART_RECEIVE) {
        crate::serial::take_waiting();
    }
}

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
    static __sdata: u32;
    static __edata: u32;
    static __sidata: u32;
    static __ebss: u32;
}

/// Lowest and one past the highest address of the stack, as the linker laid it out.
pub fn stack_bounds() -> (usize, usize) {
    (ptr::addr_of!(_stack_end) as usize, ptr::addr_of!(_stack_start) as usize)
}

/// Bytes of static data (initialised and zeroed).
pub fn static_bytes() -> usize {
    (ptr::addr_of!(__ebss) as usize).saturating_sub(ptr::addr_of!(__sdata) as usize)
}

/// Bytes of flash: code, constants and the initial values of static data, which come last.
pub fn flash_bytes() -> usize {
    let initial_values = ptr::addr_of!(__sidata) as usize;
    let length = (ptr::addr_of!(__edata) as usize).saturating_sub(ptr::addr_of!(__sdata) as usize);
    initial_values.saturating_add(length)
}

/// A word of the stack that is not in use, for the gauge.
pub fn unused_stack_word(address: usize) -> Option<u32> {
    let (low, high) = stack_bounds();
    let readable = address >= low && address < high.saturating_sub(4) && address.is_multiple_of(4);
    // SAFETY: the address lies in the linker's stack region, which is RAM and initialised by the start-up code's paint,
    // and is aligned; a volatile read of plain RAM has no effect.
    readable.then(|| unsafe { ptr::read_volatile(address as *const u32) })
}

/// A panic path that survives to the linked image refers to this name, which nothing defines.
#[cfg(not(debug_assertions))]
pub(crate) fn fail_the_link() -> ! {
    unsafe extern "C" {
        fn convrnn_firmware_has_a_panic_path() -> !;
    }
    // SAFETY: never runs: an image that keeps this call does not link.
    unsafe { convrnn_firmware_has_a_panic_path() }
}
