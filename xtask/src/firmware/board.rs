//! The machines that firmware is built for and run on.

/// A machine of QEMU with the folder of its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Folder in `firmware-examples`, and QEMU's name of the machine.
    pub name: &'static str,
    /// The compiler's name of the processor's kind.
    pub target: &'static str,
    /// The processor, as people call it.
    pub processor: &'static str,
    /// What programs are packed for, as `convrnn-export program --target` says it.
    pub packed_for: &'static str,
    /// Where the memory begins that programs can be loaded into from outside, if the machine has such.
    pub external: Option<usize>,
}

impl Board {
    /// Cortex-M4 with a floating-point unit.
    pub const CORTEX_M4: Self = Self {
        name: "mps2-an386",
        target: "thumbv7em-none-eabihf",
        processor: "Cortex-M4",
        packed_for: "cortex-m4",
        external: Some(0x2100_0000),
    };

    /// Cortex-M7 with a floating-point unit: the Cortex-M4's programs and kernels.
    pub const CORTEX_M7: Self = Self { name: "mps2-an500", processor: "Cortex-M7", ..Self::CORTEX_M4 };

    /// Cortex-M55 with the M-profile vector extension.
    pub const CORTEX_M55: Self = Self {
        name: "mps3-an547",
        target: "thumbv8m.main-none-eabihf",
        processor: "Cortex-M55",
        packed_for: "cortex-m55",
        external: Some(0x7000_0000),
    };

    /// Two Cortex-M33 without floating point.
    pub const TWO_CORTEX_M33: Self = Self {
        name: "mps2-an521",
        target: "thumbv8m.main-none-eabi",
        processor: "two Cortex-M33",
        packed_for: "portable",
        external: None,
    };

    /// All of them; the first is the one that set-up, demo and most checks use.
    pub const ALL: [Self; 4] = [Self::CORTEX_M4, Self::CORTEX_M7, Self::CORTEX_M55, Self::TWO_CORTEX_M33];

    /// The names, for the command line.
    pub const NAMES: [&str; 4] =
        [Self::CORTEX_M4.name, Self::CORTEX_M7.name, Self::CORTEX_M55.name, Self::TWO_CORTEX_M33.name];

    /// The machine of an example, by the name of its folder.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|board| board.name == name)
    }
}
