//! A network that takes frames over the serial line, steps every 10 ms and answers the class scores of every step.
//!
//! The program is part of the image: `CONVRNN_PROGRAM` names its file when this is built.
#![no_std]
#![no_main]

use convrnn_runtime::{
    Arena, BuiltIn, Session, Uses, arena_length, assert_fits, include_program,
    protocol::{MESSAGE_OVERHEAD, framed_length},
};
use cortex_m_rt::entry;
use firmware::{
    device::{Device, STAGED_BYTES},
    line::Line,
    machine::{Tailored, tailored},
    memory,
    outbox::Outbox,
    serial, tick,
};

static PROGRAM: BuiltIn = include_program!(env!(
    "CONVRNN_PROGRAM",
    "set CONVRNN_PROGRAM to the full path of an int8 program (.crnn), or use \
     `cargo xtask firmware build stream --network FILE`"
));

/// RAM that is kept for the stack, queues and frames on their way.
const RESERVED_BYTES: usize = 32 * 1024;

// A program that needs more working memory than the part can give stops the build here.
const _: () = assert_fits(PROGRAM.bytes(), memory::RAM_BYTES - RESERVED_BYTES);
const ARENA_BYTES: usize = arena_length(PROGRAM.bytes());

/// The kernels that the program needs; no others come into the image.
const KERNELS: Tailored<USES> = tailored::<USES>(PROGRAM.bytes());
const USES: u64 = Uses::of(PROGRAM.bytes()).bits();

/// Longest framed request: the largest frame in one piece.
const RECEIVE_BYTES: usize = framed_length(MESSAGE_OVERHEAD + STAGED_BYTES);

#[entry]
fn main() -> ! {
    static mut ARENA: Arena<ARENA_BYTES> = Arena::for_program(PROGRAM.bytes());
    static mut RECEIVED: [u8; RECEIVE_BYTES] = [0; RECEIVE_BYTES];
    static mut STAGED: [u8; STAGED_BYTES] = [0; STAGED_BYTES];
    static mut OUTBOX: Outbox = Outbox::new();

    if let Some(mut core) = cortex_m::Peripherals::take() {
        serial::start();
        tick::start(&mut core.SYST);
    }
    let mut line = Line::new(RECEIVED, OUTBOX);
    let session = Session::built_in_with(PROGRAM, ARENA.as_mut_slice(), KERNELS);
    let mut device = session.map(|session| Device::new(session, STAGED));
    loop {
        // A step that was late has used up its next tick: every step begins at the start of a tick.
        let last = tick::now();
        while tick::now() == last {
            line.serve(&mut device);
        }
        if let Ok(device) = &mut device {
            device.step(line.outbox);
        }
    }
}
