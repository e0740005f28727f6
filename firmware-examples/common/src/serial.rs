//! The line to the host: bytes arrive by interrupt into a queue, so none is lost while a step computes.

use core::{
    cell::RefCell,
    sync::atomic::{AtomicU32, Ordering},
};

use critical_section::Mutex;
use heapless::Deque;

use crate::registers;

/// Bytes that can wait. When the queue is full its interrupt is off until [`receive`] has made room; a host that keeps
/// sending then finds the line's own flow control, or loses bytes, which [`overruns`] counts.
pub const QUEUE_BYTES: usize = 2048;

static QUEUE: Mutex<RefCell<Deque<u8, QUEUE_BYTES>>> = Mutex::new(RefCell::new(Deque::new()));
static OVERRUNS: AtomicU32 = AtomicU32::new(0);

/// Switches the line on.
pub fn start() {
    // 115200 baud at 25 MHz; QEMU's line has no baud rate.
    registers::uart_enable(217);
    registers::uart_receive_interrupt(true);
    registers::unmask_uart_receive();
}

/// Moves waiting bytes into `buffer` and returns how many.
pub fn receive(buffer: &mut [u8]) -> usize {
    critical_section::with(|token| {
        let Ok(mut queue) = QUEUE.borrow(token).try_borrow_mut() else {
            return 0;
        };
        let mut count = 0;
        for slot in buffer.iter_mut() {
            let Some(byte) = queue.pop_front() else { break };
            *slot = byte;
            count += 1;
        }
        // A byte that came while its interrupt was off will never raise it, and holds up all that follow.
        fill(&mut queue);
        count
    })
}

/// Sends all bytes, waiting for the transmitter.
pub fn send(bytes: &[u8]) {
    for &byte in bytes {
        while !registers::uart_send(byte) {}
    }
}

/// How often bytes arrived faster than they were taken.
pub fn overruns() -> u32 {
    OVERRUNS.load(Ordering::Relaxed)
}

/// Takes bytes off the UART; the receive interrupt calls it.
pub(crate) fn take_waiting() {
    critical_section::with(|token| {
        if let Ok(mut queue) = QUEUE.borrow(token).try_borrow_mut() {
            registers::uart_acknowledge_receive();
            fill(&mut queue);
        }
    });
}

/// Takes bytes off the UART as long as there is room, and has the next one announced if there still is.
fn fill(queue: &mut Deque<u8, QUEUE_BYTES>) {
    if registers::uart_overrun() {
        OVERRUNS.fetch_add(1, Ordering::Relaxed);
    }
    let mut has_room = !queue.is_full();
    registers::uart_receive_interrupt(has_room);
    while has_room {
        let Some(byte) = registers::uart_take() else {
            return;
        };
        // Cannot fail: there is room.
        let _ = queue.push_back(byte);
        has_room = !queue.is_full();
    }
    registers::uart_receive_interrupt(false);
}
