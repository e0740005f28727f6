//! Dot products of windows with rows of weights: four windows by two output channels.
#![allow(unsafe_code)]

use super::window::Windows;
use super::{BLOCK, CHUNK, CHUNKS, LANES};
use core::mem::{MaybeUninit, offset_of};

/// Sums of a block of output channels, each for all windows; one more, since outputs are summed in pairs. Not cleared: what
/// is read has been written.
pub(super) struct Sums(MaybeUninit<[[i32; LANES]; BLOCK + 1]>);

impl Sums {
    pub fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// The sums of the first output.
    pub fn as_ptr(&self) -> *const [i32; LANES] {
        self.0.as_ptr().cast()
    }
}

/// What the inner loop is given.
#[repr(C)]
struct Product {
    /// Chunks of the windows, [`LANES`] side by side.
    windows: *const u8,
    /// Row of the first output.
    weights: *const i8,
    /// Bytes from one row to the next.
    row: usize,
    /// Values of the first chunk; [`CHUNK`] unless a row is shorter.
    first: usize,
    /// Whole chunks after it.
    rest: usize,
    /// Values after those.
    tail: usize,
    /// From where the loop leaves the second row of a pair to the row after it.
    advance: isize,
    /// Whether the sums are added to what is there.
    is_added: usize,
    /// Where the sums go, and where they end.
    sums: *mut [i32; LANES],
    end: *mut [i32; LANES],
}

/// For the outputs `0..count`, whose rows of weights begin `step` apart: the dot products of the first `length` weights of
/// each row with all windows from chunk `first` on, added to the sums or instead of them. Nothing where something does not fit.
pub(super) fn add_products(
    sums: &mut Sums,
    windows: &Windows,
    first: usize,
    weights: &[i8],
    step: usize,
    length: usize,
    count: usize,
    is_added: bool,
) {
    let fits = count <= BLOCK
        && length > 0
        && length <= step
        && step
            .checked_mul(count.saturating_sub(1))
            .and_then(|last| last.checked_add(length))
            .is_some_and(|all| all <= weights.len())
        && first.checked_add(length.div_ceil(CHUNK)).is_some_and(|end| end <= CHUNKS);
    if !fits {
        return;
    }
    let whole = length / CHUNK;
    let tail = if whole == 0 { 0 } else { length % CHUNK };
    // The loop leaves a row behind the last whole chunk of it, or behind the first one.
    let advance = step.wrapping_sub(whole.max(1).wrapping_mul(CHUNK));
    let pairs = count & !1;
    let start: *mut [i32; LANES] = sums.0.as_mut_ptr().cast();
    let mut product = Product {
        windows: windows.as_ptr().wrapping_add(first).cast(),
        weights: weights.as_ptr(),
        row: step,
        first: length.min(CHUNK),
        rest: whole.saturating_sub(1),
        tail,
        advance: advance as isize,
        is_added: is_added.into(),
        sums: start,
        end: start.wrapping_add(pairs),
    };
    if pairs > 0 {
        // SAFETY: see `add_pairs`; rows, chunks and sums were found to be there, and `pairs` is even.
        unsafe { add_pairs(&product) }
    }
    if count > pairs {
        // The last output is paired with itself.
        product.weights = weights.as_ptr().wrapping_add(step.wrapping_mul(pairs));
        product.row = 0;
        product.sums = product.end;
        product.end = product.sums.wrapping_add(2);
        // SAFETY: see `add_pairs`; with no distance between the rows, both are the last one.
        unsafe { add_pairs(&product) }
    }
}

/// One chunk of two rows and four windows, 14 instructions for 128 products. The first two arguments say how the rows are
/// loaded, the third how the products are summed.
macro_rules! chunk {
    ($first:literal, $second:literal, $sum:literal) => {
        concat!(
            $first,
            "\n",
            $second,
            "\n",
            "vldrb.u8 q2, [r1], #64\n",
            $sum,
            " r0, q0, q2\n",
            $sum,
            " r8, q1, q2\n",
            "vldrb.u8 q3, [r1, #-48]\n",
            $sum,
            " r2, q0, q3\n",
            $sum,
            " r10, q1, q3\n",
            "vldrb.u8 q2, [r1, #-32]\n",
            $sum,
            " r4, q0, q2\n",
            $sum,
            " r12, q1, q2\n",
            "vldrb.u8 q3, [r1, #-16]\n",
            $sum,
            " r6, q0, q3\n",
            $sum,
            " lr, q1, q3\n",
        )
    };
    () => {
        chunk!("vldrb.u8 q0, [r3], #16", "vldrb.u8 q1, [r5], #16", "vmladava.s8")
    };
}

/// Sums for pairs of outputs, all registers taken: r0, r2, r4, r6 the sums of the first output, r8, r10, r12, lr those of
/// the second (only registers with even numbers can be summed into), r3 and r5 the rows, r1 the windows, r9 the sums in
/// memory, r11 the record, r7 whatever is needed for a moment.
///
/// # Safety
/// `windows` has `first` and `rest` chunks and one for a tail. From `weights` on, as many rows can be read as there are sums
/// from `sums` to `end`, which can be read and written: an even number of at least two. Past its end a row is not read.
#[unsafe(naked)]
unsafe extern "C" fn add_pairs(product: *const Product) {
    helium_asm!(
        "push {{r4-r11, lr}}",
        "mov r11, r0",
        "ldr r9, [r11, #{sums}]",
        "ldr r3, [r11, #{weights}]",
        "ldr r7, [r11, #{row}]",
        "add r5, r3, r7",
        "2:",
        "ldr r1, [r11, #{windows}]",
        "ldr r7, [r11, #{first}]",
        "vctp.8 r7",
        chunk!("vpstt\nvldrbt.u8 q0, [r3], #16", "vldrbt.u8 q1, [r5], #16", "vmladav.s8"),
        "ldr r7, [r11, #{rest}]",
        "subs r7, #4",
        "blt 4f",
        "3:",
        chunk!(),
        chunk!(),
        chunk!(),
        chunk!(),
        "subs r7, #4",
        "bge 3b",
        "4:",
        "adds r7, #4",
        "beq 6f",
        "5:",
        chunk!(),
        "subs r7, #1",
        "bne 5b",
        "6:",
        "ldr r7, [r11, #{tail}]",
        "cbz r7, 7f",
        "vctp.8 r7",
        chunk!("vpstt\nvldrbt.u8 q0, [r3]", "vldrbt.u8 q1, [r5]", "vmladava.s8"),
        "7:",
        "vmov q0[2], q0[0], r0, r4",
        "vmov q0[3], q0[1], r2, r6",
        "vmov q1[2], q1[0], r8, r12",
        "vmov q1[3], q1[1], r10, lr",
        "ldr r7, [r11, #{is_added}]",
        "cbz r7, 8f",
        "vldrw.u32 q2, [r9]",
        "vldrw.u32 q3, [r9, #16]",
        "vadd.i32 q0, q0, q2",
        "vadd.i32 q1, q1, q3",
        "8:",
        "vstrw.32 q0, [r9], #16",
        "vstrw.32 q1, [r9], #16",
        "ldr r7, [r11, #{advance}]",
        "add r3, r5, r7",
        "ldr r7, [r11, #{row}]",
        "add r5, r3, r7",
        "ldr r7, [r11, #{end}]",
        "cmp r9, r7",
        "bne 2b",
        "pop {{r4-r11, pc}}",
        windows = const offset_of!(Product, windows),
        weights = const offset_of!(Product, weights),
        row = const offset_of!(Product, row),
        first = const offset_of!(Product, first),
        rest = const offset_of!(Product, rest),
        tail = const offset_of!(Product, tail),
        advance = const offset_of!(Product, advance),
        is_added = const offset_of!(Product, is_added),
        sums = const offset_of!(Product, sums),
        end = const offset_of!(Product, end),
    )
}

/// The sums of the first `length` weights of rows that begin `step` apart, one for each place in `sums`. Zeros where something
/// does not fit.
pub(super) fn sum_rows(weights: &[i8], step: usize, length: usize, sums: &mut [i32]) {
    let reach = step.checked_mul(sums.len().saturating_sub(1)).and_then(|last| last.checked_add(length));
    if sums.is_empty() || reach.is_none_or(|reach| reach > weights.len()) {
        sums.fill(0);
        return;
    }
    // SAFETY: the rows were found to be there, and so are the sums.
    unsafe { sum_each_row(weights.as_ptr(), step, length, sums.as_mut_ptr(), sums.len()) }
}

/// # Safety
/// From `row` on, `count` rows at a distance of `step` have `length` weights each; as many sums can be written, at least one.
#[unsafe(naked)]
unsafe extern "C" fn sum_each_row(row: *const i8, step: usize, length: usize, sums: *mut i32, count: usize) {
    // A sum grows in r6: only registers with even numbers can be summed into.
    helium_asm!(
        "push {{r4-r8, lr}}",
        "ldr r4, [sp, #24]",
        "lsrs r7, r2, #7",
        "and r2, r2, #127",
        "1:",
        "mov r5, r0",
        "movs r6, #0",
        "wls lr, r7, 3f",
        "2:",
        "vldrb.u8 q0, [r5], #16",
        "vaddva.s8 r6, q0",
        "vldrb.u8 q1, [r5], #16",
        "vaddva.s8 r6, q1",
        "vldrb.u8 q0, [r5], #16",
        "vaddva.s8 r6, q0",
        "vldrb.u8 q1, [r5], #16",
        "vaddva.s8 r6, q1",
        "vldrb.u8 q0, [r5], #16",
        "vaddva.s8 r6, q0",
        "vldrb.u8 q1, [r5], #16",
        "vaddva.s8 r6, q1",
        "vldrb.u8 q0, [r5], #16",
        "vaddva.s8 r6, q0",
        "vldrb.u8 q1, [r5], #16",
        "vaddva.s8 r6, q1",
        "le lr, 2b",
        "3:",
        "wlstp.8 lr, r2, 5f",
        "4:",
        "vldrb.u8 q0, [r5], #16",
        "vaddva.s8 r6, q0",
        "letp lr, 4b",
        "5:",
        "str r6, [r3], #4",
        "add r0, r1",
        "subs r4, #1",
        "bne 1b",
        "pop {{r4-r8, pc}}",
    )
}
