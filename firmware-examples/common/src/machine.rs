//! What differs between the machines, but for their memory, which their own crates name.

#[cfg(any(feature = "mps2-an386", feature = "mps2-an500"))]
mod numbers {
    /// Computes the operations.
    pub type Kernels = convrnn_runtime::Portable;

    /// The kernels; those of Cortex-M4 and M7 are the portable ones with their instructions in the inner loops.
    pub const KERNELS: Kernels = convrnn_runtime::Portable;

    /// Computes the operations of one program; other kernels are left out of the image.
    pub type Tailored<const USES: u64> = convrnn_runtime::backend::Tailored<USES>;

    /// The kernels for one program.
    pub const fn tailored<const USES: u64>(program: &[u8]) -> Tailored<USES> {
        Tailored::new(program)
    }

    /// Clock of the core, of SysTick and of the UARTs in Hz.
    pub const CORE_HZ: u32 = 25_000_000;

    /// UART0, a CMSDK APB UART.
    pub(crate) const UART0: usize = 0x4000_4000;

    /// Number of UART0's receive interrupt, within the 32 lines that the machine has.
    pub(crate) const UART_RECEIVE: u8 = 0;

    /// Memory that only the machine has and no common part: its pseudo-static RAM, for programs that QEMU loads there.
    pub const EXTERNAL: usize = 0x2100_0000;
}

#[cfg(feature = "mps3-an547")]
mod numbers {
    /// Computes the operations.
    pub type Kernels = convrnn_runtime::Helium;

    /// The kernels.
    pub const KERNELS: Kernels = convrnn_runtime::Helium::new();

    /// Computes the operations of one program, as those of any other.
    pub type Tailored<const USES: u64> = Kernels;

    /// The kernels for one program.
    pub const fn tailored<const USES: u64>(_program: &[u8]) -> Tailored<USES> {
        KERNELS
    }

    /// Clock of the core, of SysTick and of the UARTs in Hz.
    pub const CORE_HZ: u32 = 32_000_000;

    /// UART0, a CMSDK APB UART.
    pub(crate) const UART0: usize = 0x4930_3000;

    /// Number of UART0's receive interrupt, within the 96 lines that the machine has.
    pub(crate) const UART_RECEIVE: u8 = 33;

    /// Memory that only the machine has and no common part: its DDR RAM, for programs that QEMU loads there.
    pub const EXTERNAL: usize = 0x7000_0000;
}

#[cfg(feature = "mps2-an521")]
mod numbers {
    /// Computes the operations.
    pub type Kernels = convrnn_runtime::Portable;

    /// The kernels.
    pub const KERNELS: Kernels = convrnn_runtime::Portable;

    /// Clock of the cores, of SysTick and of the UARTs in Hz.
    pub const CORE_HZ: u32 = 20_000_000;

    /// UART0, a CMSDK APB UART, at its secure address.
    pub(crate) const UART0: usize = 0x5020_0000;

    /// Number of UART0's receive interrupt, within the 124 lines that the machine has.
    pub(crate) const UART_RECEIVE: u8 = 32;
}

pub use numbers::*;
