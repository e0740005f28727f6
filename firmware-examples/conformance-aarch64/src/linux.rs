//! The calls of Linux that are needed, and where a program starts.
#![allow(unsafe_code)]

use core::fmt;

/// Numbers of calls on AArch64.
const READ: usize = 63;
const WRITE: usize = 64;
const EXIT_GROUP: usize = 94;

// Linux starts a program with an aligned stack and no caller.
core::arch::global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x30, xzr", "b {main}", main = sym start);

extern "C" fn start() -> ! {
    super::main()
}

/// A call with three arguments.
///
/// # Safety
/// The arguments are such that the call touches no memory but what the caller gives it for that.
unsafe fn call(number: usize, arguments: [usize; 3]) -> isize {
    let [first, second, third] = arguments;
    let result;
    // SAFETY: Linux keeps all registers but the first; the rest is the caller's promise.
    unsafe {
        core::arch::asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") first as isize => result,
            in("x1") second,
            in("x2") third,
            options(nostack),
        );
    }
    result
}

/// Reads from standard input until the bytes are full or there are no more; gives how many were read.
pub fn read(bytes: &mut [u8]) -> usize {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        // SAFETY: no more is written than the slice holds.
        match unsafe { call(READ, [0, rest.as_mut_ptr() as usize, rest.len()]) } {
            count @ 1.. => done += count as usize,
            _ => break,
        }
    }
    done
}

/// Ends the program.
pub fn exit(status: usize) -> ! {
    loop {
        // SAFETY: it touches no memory, and does not come back.
        unsafe { call(EXIT_GROUP, [status, 0, 0]) };
    }
}

/// Standard output.
pub struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: no more is read than the slice holds.
            match unsafe { call(WRITE, [1, rest.as_ptr() as usize, rest.len()]) } {
                count @ 1.. => rest = rest.get(count as usize..).unwrap_or(&[]),
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}
