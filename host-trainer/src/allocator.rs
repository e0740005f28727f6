//! How the program keeps memory that is given back.
//!
//! An unrolled run allocates and frees the same sizes thousands of times a second, on every worker. glibc gives such memory
//! back to the system and asks for it again, and workers wait for each other in the kernel meanwhile. So on Linux the program
//! is linked with mimalloc, whose `malloc` also serves libtorch, and mimalloc keeps what is freed for the next step: the
//! program holds the memory of its largest step until it ends.

/// Tells mimalloc to keep freed memory, unless the environment (`MIMALLOC_PURGE_DELAY`, milliseconds) says otherwise. To be
/// called before other threads start.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a C binding")]
pub fn keep_freed_memory() {
    /// Place of `mi_option_purge_delay` in mimalloc's list of options (mimalloc.h), which the binding leaves out.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    const NEVER: core::ffi::c_long = -1;
    // SAFETY: 15 is a valid option of versions 2 and 3; the call is not thread-safe, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, NEVER) };
}

/// Nothing: the system's allocator serves here.
#[cfg(not(target_os = "linux"))]
pub fn keep_freed_memory() {}
