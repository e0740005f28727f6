//! How the weights of a convolution lie in flash.

use crate::{byte_enumeration, record};

record! {
    /// A packing. Any kernel can find any weight through [`Packing::index`]; kernels made for a
    /// target recognise the packing they like by its tiles.
    Packing, stride 16 {
        /// [`PackingKind`].
        kind: u8 = 0,
        /// Bytes of one weight: 1 or 4.
        element_width: u8 = 1,
        /// Output channels that lie side by side.
        output_tile: u16 = 2,
        /// Input channels that lie side by side within an output tile.
        channel_tile: u16 = 4,
    }
}

byte_enumeration! {
    /// Families of packings.
    PackingKind {
        /// `[group][outputs / output_tile][row][column][inputs / channel_tile][output_tile][channel_tile]`,
        /// filled up with zeros to whole tiles. Tiles of 1 and 1 are plain rows (OHWI).
        Tiled = 0,
        /// `[row][column][channel]`, for convolutions whose groups have one channel in and out.
        Depthwise = 1,
    }
}

/// The sides of one operand's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightShape {
    /// Channel groups.
    pub groups: usize,
    /// Output channels of one group.
    pub outputs: usize,
    /// Input channels of one group.
    pub inputs: usize,
    /// Kernel height.
    pub height: usize,
    /// Kernel width.
    pub width: usize,
}

/// One weight: output and input channel within the group, row and column of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightPosition {
    /// Channel group.
    pub group: usize,
    /// Output channel within the group.
    pub output: usize,
    /// Input channel within the group.
    pub input: usize,
    /// Kernel row.
    pub row: usize,
    /// Kernel column.
    pub column: usize,
}

impl Packing {
    /// Plain rows: `[output][row][column][input]`.
    pub const fn rows(element_width: u8) -> Self {
        Self { kind: PackingKind::Tiled.to_byte(), element_width, output_tile: 1, channel_tile: 1 }
    }

    /// `outputs` output channels interleaved: `[outputs / n][row][column][input][n]`.
    pub const fn interleaved(element_width: u8, outputs: u16) -> Self {
        Self { kind: PackingKind::Tiled.to_byte(), element_width, output_tile: outputs, channel_tile: 1 }
    }

    /// `[row][column][channel]`.
    pub const fn depthwise(element_width: u8) -> Self {
        Self { kind: PackingKind::Depthwise.to_byte(), element_width, output_tile: 1, channel_tile: 1 }
    }

    /// Number of weights that the packed form holds, those that fill up tiles included; none if
    /// that overflows, or if the packing does not fit the shape.
    pub fn length(&self, shape: WeightShape) -> Option<usize> {
        let area = shape.height.checked_mul(shape.width)?;
        let channels = match PackingKind::from_byte(self.kind)? {
            PackingKind::Tiled => {
                let outputs = shape.outputs.checked_next_multiple_of(usize::from(self.output_tile))?;
                let inputs = shape.inputs.checked_next_multiple_of(usize::from(self.channel_tile))?;
                shape.groups.checked_mul(outputs)?.checked_mul(inputs)?
            }
            PackingKind::Depthwise if shape.outputs == 1 && shape.inputs == 1 => shape.groups,
            PackingKind::Depthwise => return None,
        };
        channels.checked_mul(area)
    }

    /// Index of one weight in the packed form, in elements. The packing must fit the shape.
    #[inline]
    pub fn index(&self, shape: WeightShape, at: WeightPosition) -> usize {
        let tap = at.row.wrapping_mul(shape.width).wrapping_add(at.column);
        if self.kind == PackingKind::Depthwise as u8 {
            return tap.wrapping_mul(shape.groups).wrapping_add(at.group);
        }
        let (output_tile, channel_tile) = (self.output_tile.max(1) as usize, self.channel_tile.max(1) as usize);
        let output_tiles = shape.outputs.div_ceil(output_tile);
        let channel_tiles = shape.inputs.div_ceil(channel_tile);
        let area = shape.height.wrapping_mul(shape.width);
        let mut index = at.group.wrapping_mul(output_tiles).wrapping_add(at.output / output_tile);
        index = index.wrapping_mul(area).wrapping_add(tap);
        index = index.wrapping_mul(channel_tiles).wrapping_add(at.input / channel_tile);
        index = index.wrapping_mul(output_tile).wrapping_add(at.output % output_tile);
        index.wrapping_mul(channel_tile).wrapping_add(at.input % channel_tile)
    }
}
