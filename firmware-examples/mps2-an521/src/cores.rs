//! The second core, and work for both at once.
//!
//! The second core waits from reset until the first lets it run ([`SecondCore::start`]). Then it waits for work, which
//! is handed to it through one shared word ([`SecondCore::join`]).
#![allow(unsafe_code)]

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use cortex_m::asm::{dsb, sev, wfe};

/// The SSE-200's system control registers at their secure address (Arm 101104, section 3.7).
const SYSTEM_CONTROL: usize = 0x5002_1000;

/// Where the second core finds its vector table when it starts.
const INITIAL_VECTORS_1: usize = SYSTEM_CONTROL + 0x114;

/// A bit for each core, which holds it in reset.
const CPU_WAIT: usize = SYSTEM_CONTROL + 0x118;
const CPU_WAIT_1: u32 = 1 << 1;

/// Reads as the number of the core that reads it.
const CPU_IDENTITY: usize = 0x5001_f000;

/// Bytes of the second core's stack: a convolution's scratch and some.
const STACK_BYTES: usize = 32 * 1024;

/// Room for a stack.
#[repr(C, align(8))]
struct Stack([u8; STACK_BYTES]);

static mut STACK: Stack = Stack([0; STACK_BYTES]);

/// An entry of a vector table that is an address to run at.
type Handler = unsafe extern "C" fn() -> !;

/// The second core's vectors: it takes no interrupts, and a fault ends the run.
#[repr(C, align(128))]
struct Vectors {
    stack: *const Stack,
    reset: Handler,
    faults: [Handler; 14],
}

// SAFETY: it is never written, and the pointer in it is one past a stack that only the second core uses.
unsafe impl Sync for Vectors {}

static VECTORS: Vectors =
    Vectors { stack: (&raw const STACK).wrapping_add(1), reset: second_main, faults: [second_fault; 14] };

/// Work that has been put out: what to call, with what, and whether it has ended.
struct Job {
    run: unsafe fn(*mut ()),
    work: *mut (),
    has_ended: AtomicBool,
}

/// The work for the second core; null when there is none.
static MAILBOX: AtomicPtr<Job> = AtomicPtr::new(ptr::null_mut());

/// The second core, running. There is one, so that nobody puts out work while other work waits.
#[derive(Debug)]
pub struct SecondCore(());

impl SecondCore {
    /// Lets the second core run; none if it was started before.
    pub fn start() -> Option<Self> {
        static IS_STARTED: AtomicBool = AtomicBool::new(false);
        if IS_STARTED.swap(true, Ordering::AcqRel) {
            return None;
        }
        // What the start-up code wrote must have reached the memory before the second core reads it.
        dsb();
        // SAFETY: both are registers of this machine that only this function writes, once; the table that the second
        // core starts from is static and aligned as the register asks, its stack is used by nobody else, and static data
        // is initialised, since this runs after the start-up code.
        unsafe {
            ptr::write_volatile(INITIAL_VECTORS_1 as *mut u32, (&raw const VECTORS) as u32);
            let waiting = ptr::read_volatile(CPU_WAIT as *const u32);
            ptr::write_volatile(CPU_WAIT as *mut u32, waiting & !CPU_WAIT_1);
        }
        Some(Self(()))
    }

    /// Runs `first` here and `second` on the second core, and returns when both have ended.
    pub fn join<Second: FnOnce() + Send>(&mut self, first: impl FnOnce(), second: Second) {
        let mut second = Some(second);
        let job = Job { run: run::<Second>, work: (&raw mut second).cast(), has_ended: AtomicBool::new(false) };
        MAILBOX.store((&raw const job).cast_mut(), Ordering::Release);
        // The event must not come before what it announces: the other core would look, find nothing and sleep on.
        dsb();
        sev();
        first();
        while !job.has_ended.load(Ordering::Acquire) {
            wfe();
        }
    }
}

/// Calls a closure behind an erased pointer.
///
/// # Safety
/// `work` points to an `Option<Work>` that nobody else touches during the call.
unsafe fn run<Work: FnOnce()>(work: *mut ()) {
    // SAFETY: as the caller promises.
    let work = unsafe { &mut *work.cast::<Option<Work>>() };
    if let Some(work) = work.take() {
        work();
    }
}

/// What the second core does.
unsafe extern "C" fn second_main() -> ! {
    loop {
        let job = MAILBOX.swap(ptr::null_mut(), Ordering::Acquire);
        if job.is_null() {
            wfe();
            continue;
        }
        // SAFETY: a job comes from `join`, which keeps it and the closure on its stack, and touches neither but for
        // `has_ended`, until that is set: our last access. The closure may be sent to another core, and `run` is of its
        // type. Taking the job empties the mailbox, so no job runs twice.
        unsafe {
            ((*job).run)((*job).work);
            (*job).has_ended.store(true, Ordering::Release);
        }
        // As in `join`.
        dsb();
        sev();
    }
}

/// A fault of the second core.
unsafe extern "C" fn second_fault() -> ! {
    crate::end(false)
}

/// The number of the core that asks.
pub fn identity() -> u32 {
    // SAFETY: a register of this machine that is always mapped; reading it changes nothing.
    unsafe { ptr::read_volatile(CPU_IDENTITY as *const u32) }
}
