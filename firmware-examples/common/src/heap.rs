//! There is no heap. Release firmware in which an allocation survives optimisation fails the link, as one with a panic
//! path does; in a debug build the heap is always full.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};

/// Stands where an allocator would, so that no dependency can bring one.
struct None;

#[global_allocator]
static HEAP: None = None;

// SAFETY: null is how an allocator says that there is no memory, and nothing that was never allocated is freed.
unsafe impl GlobalAlloc for None {
    #[cfg(debug_assertions)]
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    #[cfg(not(debug_assertions))]
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        unsafe extern "C" {
            fn convrnn_firmware_has_an_allocation() -> *mut u8;
        }
        // SAFETY: never runs: an image that keeps this call does not link.
        unsafe { convrnn_firmware_has_an_allocation() }
    }

    unsafe fn dealloc(&self, _pointer: *mut u8, _layout: Layout) {}
}
