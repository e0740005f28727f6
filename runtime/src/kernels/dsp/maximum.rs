//! The maximum of a window, a word of channels at a time.

/// Pixels of a window in a map, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// Of one pixel: its channels.
    pub pixel: usize,
    /// From one row of the map to the next.
    pub line: usize,
    /// Rows of the window.
    pub rows: usize,
    /// Columns of the window.
    pub columns: usize,
}

/// Writes the maximum of every channel of a window at the start of `source`, of elements of one byte or two; returns false
/// and does nothing where a pixel has less than a word.
pub(crate) use dsp::maximum;

#[allow(unsafe_code)]
mod dsp {
    use super::Window;
    use core::arch::naked_asm;

    pub(crate) fn maximum(target: &mut [u8], source: &[u8], window: Window, element: usize) -> bool {
        let Window { pixel, line, rows, columns } = window;
        let run = columns.saturating_mul(pixel);
        let end = rows.saturating_sub(1).saturating_mul(line).saturating_add(run);
        if pixel < 4 || pixel > target.len() || rows == 0 || columns == 0 || end > source.len() || run > line {
            return false;
        }
        let job = Job { last: pixel.wrapping_sub(4), rows, columns, gap: line.wrapping_sub(run) };
        // SAFETY: a pixel has at least a word, and so has the target; there are at least one row and column, and the last
        // pixel of the last row lies within the source.
        unsafe {
            match element {
                1 => maximum_of_bytes(target.as_mut_ptr(), source.as_ptr(), pixel, 0x8080_8080, job),
                2 => maximum_of_halves(target.as_mut_ptr(), source.as_ptr(), pixel, 0x8000_8000, job),
                _ => return false,
            }
        }
        true
    }

    #[repr(C)]
    struct Job {
        /// Where the last word of a pixel begins.
        last: usize,
        rows: usize,
        columns: usize,
        /// From the end of a row of the window to the start of the next one.
        gap: usize,
    }

    /// r4 the word in the pixel, r5 the maximum, r6 a word of a pixel at r7, r8 columns and r9 rows that are left, r10
    /// columns, r11 the gap, r12 the last word. The last word of a pixel may lie over the one before.
    macro_rules! maximum {
        ($name:ident, $compare:literal) => {
            /// # Safety
            /// A pixel and the target have at least a word; the job's rows and columns, of which there are some, lie in the
            /// source.
            #[unsafe(naked)]
            unsafe extern "C" fn $name(target: *mut u8, source: *const u8, pixel: usize, lowest: u32, job: Job) {
                // Words are read and written with `ldr` and `str`, which take any address on a processor with the DSP
                // extension (the feature `cortex-m4` promises one).
                naked_asm!(
                    "push {{r4-r11, lr}}",
                    "ldr r12, [sp, #36]",
                    "ldrd r10, r11, [sp, #44]",
                    "mov r4, #0",
                    "1:",
                    "mov r5, r3",
                    "add r7, r1, r4",
                    "ldr r9, [sp, #40]",
                    "2:",
                    "mov r8, r10",
                    "3:",
                    "ldr r6, [r7]",
                    "add r7, r2",
                    $compare,
                    "sel r5, r6, r5",
                    "subs r8, #1",
                    "bne 3b",
                    "add r7, r11",
                    "subs r9, #1",
                    "bne 2b",
                    "str r5, [r0, r4]",
                    "cmp r4, r12",
                    "beq 4f",
                    "add r4, #4",
                    "cmp r4, r12",
                    "it hi",
                    "movhi r4, r12",
                    "b 1b",
                    "4:",
                    "pop {{r4-r11, pc}}",
                )
            }
        };
    }

    maximum!(maximum_of_bytes, "ssub8 lr, r6, r5");
    maximum!(maximum_of_halves, "ssub16 lr, r6, r5");
}
