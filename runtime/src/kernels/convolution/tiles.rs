//! The inner loop over windows: four positions by two output channels at a time, from bias or sums to outputs or sums.
//!
//! On processors with the DSP extension (feature `cortex-m4`: Cortex-M4, M7, M33 and later) the
//! 16-bit multipliers are named by hand, since the compiler does not find them for 8-bit weights;
//! elsewhere the same sums are plain Rust.

/// Positions computed at once.
pub(super) const WINDOWS: usize = 4;

/// Output channels computed at once.
pub(super) const TILE: usize = 2;

/// One word of each window. A word holds two 16-bit values, the first in the low half.
///
/// Side by side, so that one load brings the words of two windows, and all loads follow one another.
pub(super) type Words = [u32; WINDOWS];

/// Sums of two output channels at each window: those of the first window, those of the second, and so on.
pub(super) type TileSums = [i32; WINDOWS * TILE];

/// What is summed.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    /// Words of the windows.
    pub windows: &'a [Words],
    /// Weights, `[tile][value][output]`.
    pub weights: &'a [i8],
    /// Values of a window. An odd last one stands beside one that is not used.
    pub values: usize,
}

/// How sums become outputs: `saturate(zero + R(sum))`.
pub(super) struct Outputs<'a> {
    /// One an output channel.
    pub multipliers: &'a [i32],
    /// Left shift of the rescale.
    pub shift: u8,
    /// Zero point.
    pub zero: i32,
    /// Whether outputs are i16, else i8.
    pub is_wide: bool,
    /// The outputs of the first window from the first channel on, then all that follows.
    pub bytes: &'a mut [u8],
    /// Bytes from one window's outputs to the next one's.
    pub distance: usize,
}

/// All output channels of one operand, for windows of it.
pub(super) struct Whole<'a> {
    /// `[tile][value][output]`
    pub weights: &'a [i8],
    /// Values of a window.
    pub values: usize,
    /// Pairs of output channels.
    pub tiles: usize,
    /// One an output channel.
    pub bias: &'a [i32],
    /// One an output channel.
    pub multipliers: &'a [i32],
    /// Left shift of the rescale.
    pub shift: u8,
    /// Zero point of the outputs.
    pub zero: i32,
    /// Whether outputs are i16, else i8.
    pub is_wide: bool,
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
pub(super) use dsp::accumulate;

#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
impl Whole<'_> {
    /// Outputs of four windows: [`accumulate`] from the bias to outputs.
    pub fn run(&self, windows: &[Words], bytes: &mut [u8]) {
        let size = if self.is_wide { 2 } else { 1 };
        let Self { multipliers, shift, zero, is_wide, .. } = *self;
        let distance = self.tiles.wrapping_mul(TILE).wrapping_mul(size);
        let factors = Factors { windows, weights: self.weights, values: self.values };
        let outputs = Outputs { multipliers, shift, zero, is_wide, bytes, distance };
        accumulate(factors, self.tiles, Some(self.bias), &mut [], Some(outputs));
    }
}

/// Sums `tiles` tiles from the bias on, or from `sums` where there is none; what comes out goes to `outputs`, or to `sums`
/// where there are none.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
pub(super) fn accumulate(
    factors: Factors<'_>,
    tiles: usize,
    bias: Option<&[i32]>,
    sums: &mut [TileSums],
    mut outputs: Option<Outputs<'_>>,
) {
    let length = factors.values.wrapping_mul(TILE).max(1);
    for tile in 0..tiles {
        let first = tile.wrapping_mul(TILE);
        let weights = factors.weights.get(tile.wrapping_mul(length)..).unwrap_or(&[]);
        let weights = weights.get(..length).unwrap_or(&[]);
        let start = match bias {
            Some(bias) => {
                let value = |index: usize| bias.get(first.wrapping_add(index)).copied().unwrap_or(0);
                core::array::from_fn(|index| value(index % TILE))
            }
            None => sums.get(tile).copied().unwrap_or_default(),
        };
        let found = plain::tile(factors.windows, weights, start);
        match &mut outputs {
            Some(outputs) => plain::finish(outputs, first, &found),
            None => {
                if let Some(sums) = sums.get_mut(tile) {
                    *sums = found;
                }
            }
        }
    }
}

#[cfg(not(all(feature = "cortex-m4", target_arch = "arm")))]
mod plain {
    use super::{Outputs, TILE, TileSums, Words};
    use crate::kernels::integer::{Integer, rescale};
    use crate::task::elements_mut;

    pub fn tile(windows: &[Words], weights: &[i8], mut sums: TileSums) -> TileSums {
        for (words, weights) in windows.iter().zip(weights.chunks(2 * TILE)) {
            let (weights, _) = weights.as_chunks::<TILE>();
            let (tiles, _) = sums.as_chunks_mut::<TILE>();
            for ([left, right], &word) in tiles.iter_mut().zip(words) {
                let values = [word as i16, (word >> 16) as i16];
                for (&value, &[left_weight, right_weight]) in values.iter().zip(weights) {
                    *left = left.wrapping_add(i32::from(value).wrapping_mul(i32::from(left_weight)));
                    *right = right.wrapping_add(i32::from(value).wrapping_mul(i32::from(right_weight)));
                }
            }
        }
        sums
    }

    pub fn finish(outputs: &mut Outputs<'_>, first: usize, sums: &TileSums) {
        for (index, &sum) in sums.iter().enumerate() {
            let channel = first.wrapping_add(index % TILE);
            let Some(&multiplier) = outputs.multipliers.get(channel) else { return };
            let value = outputs.zero.wrapping_add(rescale(sum, multiplier, outputs.shift));
            let start = (index / TILE).wrapping_mul(outputs.distance);
            let bytes = outputs.bytes.get_mut(start..).unwrap_or(&mut []);
            if outputs.is_wide {
                if let Some(y) = elements_mut::<i16>(bytes).get_mut(channel) {
                    *y = i16::saturate(value);
                }
            } else if let Some(y) = elements_mut::<i8>(bytes).get_mut(channel) {
                *y = i8::saturate(value);
            }
        }
    }
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
#[allow(unsafe_code)]
mod dsp {
    use super::{Factors, Outputs, TILE, TileSums, WINDOWS, Whole, Words};
    use core::arch::naked_asm;
    use core::ptr;

    /// Where tiles start and end; each pointer moves on with every tile.
    #[repr(C)]
    struct Job {
        /// Null: from `sums_before` on.
        bias: *const i32,
        sums_before: *const TileSums,
        sums_after: *mut TileSums,
        /// Null: to `sums_after`.
        multipliers: *const i32,
        zero: i32,
        output: *mut u8,
        distance: usize,
        shift: u32,
        is_wide: u32,
        /// Room for the loop's.
        room: u32,
    }

    /// Sums `tiles` tiles from the bias on, or from `sums` where there is none; what comes out goes to `outputs`, or to
    /// `sums` where there are none. Nothing where any of them does not reach.
    pub fn accumulate(
        factors: Factors<'_>,
        tiles: usize,
        bias: Option<&[i32]>,
        sums: &mut [TileSums],
        outputs: Option<Outputs<'_>>,
    ) {
        let Factors { windows, weights, values } = factors;
        let channels = tiles.saturating_mul(TILE);
        let needs_sums = bias.is_none() || outputs.is_none();
        let fits = tiles > 0
            && windows.len() >= values.div_ceil(2)
            && weights.len() >= channels.saturating_mul(values)
            && bias.is_none_or(|bias| bias.len() >= channels)
            && (!needs_sums || sums.len() >= tiles);
        if !fits {
            return;
        }
        let sums = sums.as_mut_ptr();
        let mut job = Job {
            bias: bias.map_or(ptr::null(), <[i32]>::as_ptr),
            sums_before: sums,
            sums_after: sums,
            multipliers: ptr::null(),
            zero: 0,
            output: ptr::null_mut(),
            distance: 0,
            shift: 0,
            is_wide: 0,
            room: 0,
        };
        if let Some(outputs) = outputs {
            let row = channels.saturating_mul(if outputs.is_wide { 2 } else { 1 });
            let end = outputs.distance.saturating_mul(WINDOWS - 1).saturating_add(row);
            if outputs.multipliers.len() < channels || outputs.bytes.len() < end {
                return;
            }
            job.multipliers = outputs.multipliers.as_ptr();
            job.zero = outputs.zero;
            job.output = outputs.bytes.as_mut_ptr();
            job.distance = outputs.distance;
            job.shift = outputs.shift.into();
            job.is_wide = outputs.is_wide.into();
        }
        // SAFETY: there is at least one tile; for each of them there are weights of `values` values and two channels, two
        // biases or a tile of sums to start from, and two multipliers and places for two outputs of each window, or a tile
        // of sums to write to; the windows have so many values.
        unsafe { accumulate_tiles(windows.as_ptr().cast(), weights.as_ptr(), values, tiles, job) }
    }

    impl Whole<'_> {
        /// Outputs of four windows: [`accumulate`] from the bias to outputs. Nothing where anything does not reach.
        #[inline(always)]
        pub fn run(&self, windows: &[Words], bytes: &mut [u8]) {
            let channels = self.tiles.wrapping_mul(TILE);
            let distance = channels.wrapping_mul(if self.is_wide { 2 } else { 1 });
            let (weights, end) = (channels.checked_mul(self.values), distance.checked_mul(WINDOWS));
            let fits = self.tiles > 0
                && weights.is_some_and(|length| length <= self.weights.len())
                && end.is_some_and(|length| length <= bytes.len())
                && self.values.div_ceil(2) <= windows.len()
                && channels <= self.bias.len()
                && channels <= self.multipliers.len();
            if !fits {
                return;
            }
            let job = Job {
                bias: self.bias.as_ptr(),
                sums_before: ptr::null(),
                sums_after: ptr::null_mut(),
                multipliers: self.multipliers.as_ptr(),
                zero: self.zero,
                output: bytes.as_mut_ptr(),
                distance,
                shift: self.shift.into(),
                is_wide: self.is_wide.into(),
                room: 0,
            };
            // SAFETY: as in `accumulate`, from the bias to outputs; sums are not used.
            unsafe { accumulate_tiles(windows.as_ptr().cast(), self.weights.as_ptr(), self.values, self.tiles, job) }
        }
    }

    /// Two values of four windows with the weights of two outputs, 13 instructions for 16 products: one
    /// word of weights is widened into the pairs of the even bytes (first output) and of the odd ones
    /// (second output). With `ldrh`, one value: the weights of the other are zero.
    macro_rules! two_values {
        ($load:literal, $step:literal) => {
            concat!(
                $load,
                " lr, [r1], #",
                $step,
                "
                ldrd r2, r3, [r0], #8
                sxtb16 r12, lr
                sxtb16 lr, lr, ror #8
                smlad r4, r2, r12, r4
                smlad r5, r2, lr, r5
                smlad r6, r3, r12, r6
                smlad r7, r3, lr, r7
                ldrd r2, r3, [r0], #8
                smlad r8, r2, r12, r8
                smlad r9, r2, lr, r9
                smlad r10, r3, r12, r10
                smlad r11, r3, lr, r11
                "
            )
        };
    }

    /// Eight values.
    macro_rules! eight_values {
        () => {
            concat!(two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"), two_values!("ldr", "4"))
        };
    }

    /// Sums in r4 to r11 times their multipliers, with the zero point; then r0 is where the outputs of the first window go,
    /// r2 those of the second, r3 the distance.
    macro_rules! scaled {
        () => {
            "ldr r2, [sp, #68]
            ldr r0, [sp, #92]
            ldm r2!, {{r3, r12}}
            str r2, [sp, #68]
            cbz r0, 15f
            lsl r4, r4, r0
            lsl r5, r5, r0
            lsl r6, r6, r0
            lsl r7, r7, r0
            lsl r8, r8, r0
            lsl r9, r9, r0
            lsl r10, r10, r0
            lsl r11, r11, r0
            15:
            ldr lr, [sp, #72]
            smmlar r4, r4, r3, lr
            smmlar r5, r5, r12, lr
            smmlar r6, r6, r3, lr
            smmlar r7, r7, r12, lr
            smmlar r8, r8, r3, lr
            smmlar r9, r9, r12, lr
            smmlar r10, r10, r3, lr
            smmlar r11, r11, r12, lr
            ldrd r0, r3, [sp, #76]
            add r2, r0, r3"
        };
    }

    /// The loop itself takes all registers there are, which no compiler gives: r0 the words, r1 the weights, r4 to r11 the
    /// sums, r2, r3, r12 and lr what is loaded. On the stack, from its pointer on: where a tile's weights end, where its
    /// loop is entered, the windows, the number of values, the tiles that are left, eight saved registers and the return
    /// address, the job.
    ///
    /// What a tile starts from and ends with is the same for all of them: the job's last two words become the addresses
    /// that the loop's end and the odd value's end go to.
    ///
    /// A turn of the loop has 16 pairs of values. The first turn has those that are left over by whole turns: it is entered
    /// so many pairs before its end. The loop ends when r1 comes to where the pairs end.
    ///
    /// # Safety
    /// `tiles` is at least 1. For `values` values there are words of four windows (for an odd number the upper halves of
    /// the last words are there too, whatever they hold) and, for each tile, weights of two outputs; `words` is a multiple
    /// of four. The job's pointers reach as far as so many tiles use them.
    #[unsafe(naked)]
    unsafe extern "C" fn accumulate_tiles(
        words: *const u32,
        weights: *const i8,
        values: usize,
        tiles: usize,
        job: Job,
    ) {
        // Weights are read with `ldr`, which takes any address on a processor with the DSP extension (the feature
        // `cortex-m4` promises one), and so does `str` for pairs of outputs. All instructions of `two_values` have four
        // bytes. Registers that belong to the caller are restored; the job on the stack belongs to this function.
        naked_asm!(
            "push {{r0, r2, r3, r4-r11, lr}}",
            "sub sp, #8",
            // Where the loop is entered: behind it where there is no pair.
            "adr.w r12, 2f",
            "lsrs r3, r2, #1",
            "rsb r3, r3, #0",
            "and r3, r3, #15",
            "mov r4, #52",
            "mla r12, r3, r4, r12",
            "cmp r2, #2",
            "bhs 1f",
            "adr.w r12, 3f",
            "1:",
            "add r12, r12, #1",
            "str r12, [sp, #4]",
            // Where a tile ends: in sums, in wide or in narrow outputs, behind a shift if there is one.
            "ldr r4, [sp, #68]",
            "ldrd r3, r5, [sp, #84]",
            "str r3, [sp, #92]",
            "adr.w r12, 10f",
            "cbnz r5, 12f",
            "adr.w r12, 8f",
            "12:",
            "cbnz r4, 13f",
            "adr.w r12, 11f",
            "13:",
            "add r12, r12, #1",
            "str r12, [sp, #88]",
            // Where the loop ends: there, or at the odd value.
            "lsls r2, r2, #31",
            "beq 14f",
            "adr.w r12, 7f",
            "add r12, r12, #1",
            "14:",
            "str r12, [sp, #84]",
            // A tile.
            "4:",
            "ldr r2, [sp, #56]",
            "ldr r0, [sp, #8]",
            "cbz r2, 5f",
            "ldm r2!, {{r4, r5}}",
            "str r2, [sp, #56]",
            "mov r6, r4",
            "mov r7, r5",
            "mov r8, r4",
            "mov r9, r5",
            "mov r10, r4",
            "mov r11, r5",
            "b 6f",
            "5:",
            "ldr r2, [sp, #60]",
            "ldm r2!, {{r4-r11}}",
            "str r2, [sp, #60]",
            "6:",
            "ldrd r2, r3, [sp, #8]",
            "ldr r12, [sp, #4]",
            "bic r3, r3, #1",
            "add r3, r1, r3, lsl #1",
            "str r3, [sp]",
            "bx r12",
            "2:",
            eight_values!(),
            eight_values!(),
            eight_values!(),
            eight_values!(),
            "ldr r2, [sp]",
            "cmp r1, r2",
            "bne 2b",
            "3:",
            "ldr pc, [sp, #84]",
            "7:",
            two_values!("ldrh", "2"),
            "ldr pc, [sp, #88]",
            "8:",
            scaled!(),
            "add r12, r0, #2",
            "str r12, [sp, #76]",
            "ssat r4, #8, r4",
            "ssat r5, #8, r5",
            "ssat r6, #8, r6",
            "ssat r7, #8, r7",
            "ssat r8, #8, r8",
            "ssat r9, #8, r9",
            "ssat r10, #8, r10",
            "ssat r11, #8, r11",
            "strb r4, [r0]",
            "strb r5, [r0, #1]",
            "strb r6, [r2]",
            "strb r7, [r2, #1]",
            "add r0, r0, r3, lsl #1",
            "add r2, r2, r3, lsl #1",
            "strb r8, [r0]",
            "strb r9, [r0, #1]",
            "strb r10, [r2]",
            "strb r11, [r2, #1]",
            "9:",
            "ldr r2, [sp, #16]",
            "subs r2, #1",
            "str r2, [sp, #16]",
            "bne 4b",
            "add sp, #20",
            "pop {{r4-r11, pc}}",
            "10:",
            scaled!(),
            "add r12, r0, #4",
            "str r12, [sp, #76]",
            "ssat r4, #16, r4",
            "ssat r5, #16, r5",
            "ssat r6, #16, r6",
            "ssat r7, #16, r7",
            "ssat r8, #16, r8",
            "ssat r9, #16, r9",
            "ssat r10, #16, r10",
            "ssat r11, #16, r11",
            "pkhbt r4, r4, r5, lsl #16",
            "pkhbt r6, r6, r7, lsl #16",
            "pkhbt r8, r8, r9, lsl #16",
            "pkhbt r10, r10, r11, lsl #16",
            "str r4, [r0]",
            "str r6, [r2]",
            "str r8, [r0, r3, lsl #1]",
            "str r10, [r2, r3, lsl #1]",
            "b 9b",
            // To sums.
            "11:",
            "ldr r2, [sp, #64]",
            "stm r2!, {{r4-r11}}",
            "str r2, [sp, #64]",
            "b 9b",
        )
    }
}
