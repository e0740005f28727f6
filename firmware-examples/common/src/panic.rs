//! Release firmware has no panic path: one that survives optimisation fails the link. A debug build says where.

use core::panic::PanicInfo;

#[cfg(not(debug_assertions))]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    crate::registers::fail_the_link()
}

#[cfg(debug_assertions)]
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    cortex_m_semihosting::hprintln!("{}", info);
    crate::end(false)
}
