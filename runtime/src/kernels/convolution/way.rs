//! Which of the ways to convolve takes a convolution, found while running or while compiling.

#[cfg(feature = "cortex-m4")]
use super::channelwise;
use super::{Arithmetic, Extent, Real, Whole, gathered};
use convrnn_format::{Element, Packing, PackingKind};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    /// [`super::gathered`]
    Gathered = 0,
    /// [`super::channelwise`]
    #[cfg(feature = "cortex-m4")]
    Channelwise = 1,
    /// [`Arithmetic::interleaved`]
    Interleaved = 2,
    /// [`super::depthwise`]
    Depthwise = 3,
    /// [`super::general`]
    General = 4,
}

/// What decides how a convolution is computed.
pub(crate) struct Shape {
    pub packing: Packing,
    pub groups: usize,
    pub extent: Extent,
    /// Left shift of the rescale.
    #[cfg(feature = "cortex-m4")]
    pub shift: u8,
    /// [`Element`] of the output.
    pub element: u8,
}

impl Shape {
    /// The fastest way that takes it. Weights and values are those of the output: f32, or integers.
    pub(crate) const fn way(&self) -> Way {
        let packing = &self.packing;
        let is_real = self.element == Element::F32.to_byte();
        let tile = if is_real { Real::TILE } else { Whole::TILE };
        match PackingKind::from_byte(packing.kind) {
            Some(PackingKind::Tiled) if packing.output_tile == tile && packing.channel_tile == 1 => {
                let is_gathered = !is_real && self.groups == 1 && gathered::plan(&self.extent).is_some();
                if is_gathered { Way::Gathered } else { Way::Interleaved }
            }
            Some(PackingKind::Depthwise) => {
                #[cfg(feature = "cortex-m4")]
                if self.element == Element::I8.to_byte() && channelwise::takes(&self.extent, self.shift) {
                    return Way::Channelwise;
                }
                Way::Depthwise
            }
            Some(PackingKind::Tiled) | None => Way::General,
        }
    }
}
