//! The inner loop along one run of values.

/// Positions computed at once.
pub(in super::super) const LANES: usize = 4;

/// Output channels computed at once.
pub(in super::super) const TILE: usize = 4;

/// Sums of every output channel at every position.
pub(in super::super) type Sums = [[f32; TILE]; LANES];

#[cfg(all(feature = "cortex-m4", target_arch = "arm", target_abi = "eabihf"))]
pub(super) use fpu::accumulate;

/// `sums[lane][output] += lanes[lane][i] * weights[i][output]` for every `i` in order, as far as all reach.
#[cfg(not(all(feature = "cortex-m4", target_arch = "arm", target_abi = "eabihf")))]
pub(super) fn accumulate(lanes: [&[f32]; LANES], weights: &[f32], sums: &mut Sums) {
    let (weights, _) = weights.as_chunks::<TILE>();
    let [a, b, c, d] = lanes;
    for (weights, (((&a, &b), &c), &d)) in weights.iter().zip(a.iter().zip(b).zip(c).zip(d)) {
        for (sums, value) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
    }
}

#[cfg(all(feature = "cortex-m4", target_arch = "arm", target_abi = "eabihf"))]
#[allow(unsafe_code)]
mod fpu {
    use super::{LANES, Sums, TILE};
    use core::arch::naked_asm;

    #[repr(C)]
    struct Job {
        lanes: [*const f32; LANES],
        weights: *const f32,
        count: usize,
    }

    /// `sums[lane][output] += lanes[lane][i] * weights[i][output]` for every `i` in order, as far as all reach.
    pub fn accumulate(lanes: [&[f32]; LANES], weights: &[f32], sums: &mut Sums) {
        let count = lanes.iter().fold(weights.len() / TILE, |count, lane| count.min(lane.len()));
        let job = Job { lanes: lanes.map(<[f32]>::as_ptr), weights: weights.as_ptr(), count };
        // SAFETY: every lane has at least `count` values, and there are as many weights for each output.
        unsafe { accumulate_run(&job, sums) }
    }

    /// One value of each position in s24 to s27 or s28 to s31, and its four weights, by the sums in s0 to s15.
    macro_rules! products {
        ($a:literal, $b:literal, $c:literal, $d:literal, $w:literal, $x:literal, $y:literal, $z:literal) => {
            concat!(
                "vmla.f32 s0, ",
                $a,
                ", ",
                $w,
                "\nvmla.f32 s1, ",
                $a,
                ", ",
                $x,
                "\n",
                "vmla.f32 s2, ",
                $a,
                ", ",
                $y,
                "\nvmla.f32 s3, ",
                $a,
                ", ",
                $z,
                "\n",
                "vmla.f32 s4, ",
                $b,
                ", ",
                $w,
                "\nvmla.f32 s5, ",
                $b,
                ", ",
                $x,
                "\n",
                "vmla.f32 s6, ",
                $b,
                ", ",
                $y,
                "\nvmla.f32 s7, ",
                $b,
                ", ",
                $z,
                "\n",
                "vmla.f32 s8, ",
                $c,
                ", ",
                $w,
                "\nvmla.f32 s9, ",
                $c,
                ", ",
                $x,
                "\n",
                "vmla.f32 s10, ",
                $c,
                ", ",
                $y,
                "\nvmla.f32 s11, ",
                $c,
                ", ",
                $z,
                "\n",
                "vmla.f32 s12, ",
                $d,
                ", ",
                $w,
                "\nvmla.f32 s13, ",
                $d,
                ", ",
                $x,
                "\n",
                "vmla.f32 s14, ",
                $d,
                ", ",
                $y,
                "\nvmla.f32 s15, ",
                $d,
                ", ",
                $z,
                "\n",
            )
        };
    }

    /// r2 to r5 the lanes, r6 the weights, r7 values that are left; s0 to s15 sums, s16 to s23 weights of two values, s24
    /// to s31 two values of each position. `VMLA` rounds the product and then the sum. 38 instructions and the end of the
    /// loop for 32 products.
    ///
    /// # Safety
    /// Each of the job's lanes has as many values as it says, and there are four weights for each of them.
    #[unsafe(naked)]
    unsafe extern "C" fn accumulate_run(job: *const Job, sums: *mut Sums) {
        naked_asm!(
            // The assembler of the whole crate does not know the target's unit.
            ".fpu fpv4-sp-d16",
            "push {{r4-r7, lr}}",
            "vpush {{s16-s31}}",
            "ldm r0, {{r2-r7}}",
            "vldm r1, {{s0-s15}}",
            "subs r7, #2",
            "blo 3f",
            "2:",
            "vldm r6!, {{s16-s23}}",
            "vldm r2!, {{s24-s25}}",
            "vldm r3!, {{s26-s27}}",
            "vldm r4!, {{s28-s29}}",
            "vldm r5!, {{s30-s31}}",
            products!("s24", "s26", "s28", "s30", "s16", "s17", "s18", "s19"),
            products!("s25", "s27", "s29", "s31", "s20", "s21", "s22", "s23"),
            "subs r7, #2",
            "bhs 2b",
            "3:",
            "lsls r7, r7, #31",
            "beq 4f",
            "vldm r6!, {{s16-s19}}",
            "vldm r2!, {{s24}}",
            "vldm r3!, {{s26}}",
            "vldm r4!, {{s28}}",
            "vldm r5!, {{s30}}",
            products!("s24", "s26", "s28", "s30", "s16", "s17", "s18", "s19"),
            "4:",
            "vstm r1, {{s0-s15}}",
            "vpop {{s16-s31}}",
            "pop {{r4-r7, pc}}",
        )
    }
}
