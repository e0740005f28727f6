//! What CMSIS-NN's kernels cost, as counted once; it is not built here.
//!
//! Commit 99f736a63036613032f9b70de36b493bcd7802d4 (`v7.0.0-43-g99f736a6`) of <https://github.com/ARM-software/CMSIS-NN>, with
//! arm-none-eabi-gcc 12.2.1 and `-O3`, in QEMU 7.2.22, with the instruction counter of `firmware-examples` and marks around
//! the call. Each figure is the smaller one of two builds, with `CMSIS_NN_USE_REQUANTIZE_INLINE_ASSEMBLY` and with
//! `CMSIS_NN_USE_SINGLE_ROUNDING`. Cortex-M4: `-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16` on mps2-an386; Cortex-M55:
//! `-mcpu=cortex-m55 -mfloat-abi=hard` on mps3-an547. Weights in flash, one right shift a channel, input offset 5.

use crate::firmware::Board;

/// Instructions.
pub struct Counts {
    /// `arm_convolve_wrapper_s8`, in the order of the shapes in `kernels.rs`.
    pub convolutions: [u64; 9],
    /// `arm_depthwise_conv_wrapper_s8` of 32x16x16, 3x3 and 7x7.
    pub depthwise: [u64; 2],
    /// `arm_elementwise_add_s16` of 8192 elements.
    pub add: u64,
    /// `arm_elementwise_mul_s16` of 8192 elements.
    pub multiply: u64,
    /// `arm_nn_activation_s16` of 8192 elements: sigmoid, tanh.
    pub activation: [u64; 2],
    /// `arm_max_pool_s8`, 2x2 of 32x16x16.
    pub max_pool: u64,
    /// `arm_avgpool_s8`, all of 32x16x16.
    pub average: u64,
    /// A loop over the library's inline functions: i16 to i8, 8192 elements.
    pub requantise: u64,
}

impl Counts {
    /// On a machine's processor.
    pub const fn of(board: Board) -> &'static Self {
        match board.target.as_bytes() {
            b"thumbv7em-none-eabihf" => &CORTEX_M4,
            _ => &CORTEX_M55,
        }
    }

    /// A gate update put together from its parts, 8192 elements: two sigmoids, two products, a sum, a tanh.
    pub const fn gate_update(&self) -> u64 {
        2 * self.activation[0] + 2 * self.multiply + self.add + self.activation[1]
    }
}

static CORTEX_M4: Counts = Counts {
    convolutions: [4_487_755, 4_046_377, 5_381_960, 4_127_267, 3_972_871, 672_118, 870_978, 616_688, 1_612_156],
    depthwise: [581_429, 3_426_515],
    add: 413_755,
    multiply: 192_560,
    activation: [204_830, 191_383],
    max_pool: 79_583,
    average: 53_306,
    requantise: 163_850,
};

static CORTEX_M55: Counts = Counts {
    convolutions: [594_907, 1_007_819, 910_759, 484_363, 440_947, 160_611, 183_745, 96_668, 208_107],
    depthwise: [190_027, 700_395],
    add: 61_512,
    multiply: 40_997,
    activation: [204_834, 177_599],
    max_pool: 15_978,
    average: 8_518,
    requantise: 34_836,
};
