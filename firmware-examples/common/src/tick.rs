//! The 10 ms tick of a time step.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;

use crate::machine::CORE_HZ;

/// Duration of one time step in milliseconds.
pub const STEP_MILLISECONDS: u32 = 10;

/// Clock cycles of one time step.
pub const STEP_CYCLES: u32 = CORE_HZ / 1000 * STEP_MILLISECONDS;

static TICKS: AtomicU32 = AtomicU32::new(0);

/// Starts the tick.
pub fn start(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(STEP_CYCLES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Ticks since the start; wraps after 497 days.
pub fn now() -> u32 {
    TICKS.load(Ordering::Acquire)
}

/// A point in time, to the clock cycle.
#[derive(Clone, Copy)]
pub struct Moment {
    /// Ticks since the start.
    pub ticks: u32,
    /// Clock cycles since the last tick.
    cycles: u32,
}

impl Moment {
    /// Clock cycles since an earlier moment; wraps after 171 s.
    pub fn cycles_since(self, earlier: Self) -> u32 {
        let ticks = self.ticks.wrapping_sub(earlier.ticks);
        ticks.wrapping_mul(STEP_CYCLES).wrapping_add(self.cycles).wrapping_sub(earlier.cycles)
    }
}

/// The present moment.
pub fn moment() -> Moment {
    loop {
        let ticks = now();
        let cycles = STEP_CYCLES.wrapping_sub(1).wrapping_sub(SYST::get_current());
        // A tick between the two readings would make them a pair of different ticks.
        if now() == ticks {
            return Moment { ticks, cycles };
        }
    }
}

/// Sleeps until the tick count differs from `seen`, and returns the new one.
pub fn wait_after(seen: u32) -> u32 {
    loop {
        let ticks = now();
        if ticks != seen {
            return ticks;
        }
        cortex_m::asm::wfi();
    }
}

#[exception]
fn SysTick() {
    TICKS.fetch_add(1, Ordering::Release);
}
