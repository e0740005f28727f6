//! A convolution that these kernels can do, with every length checked.

use crate::kernels::window::Axis;
use crate::task::{Task, elements};
use bytemuck::AnyBitPattern;
use convrnn_format::packing::WeightShape;
use convrnn_format::{MAXIMUM_CONVOLUTION_OPERANDS, MAXIMUM_EXTENT, PackingKind};

/// Output channels side by side in the packing of these kernels.
pub(crate) const OUTPUT_TILE: usize = 16;

/// Input channels of integers that lie together in it.
pub(crate) const CHANNEL_TILE: usize = 4;

/// A convolution of one group with weights `[tile][row][column][inputs / n][16][n]`.
///
/// No extent is above [`MAXIMUM_EXTENT`], so that no product of two of them overflows 32 bits; larger products are lengths of
/// operands, weights and the output, which [`Job::new`] finds not to overflow.
pub(crate) struct Job<'a, V> {
    pub rows: Axis,
    pub columns: Axis,
    /// Rows and columns of the output.
    pub height: usize,
    pub width: usize,
    /// Output channels.
    pub outputs: usize,
    /// Whether any window reaches over an edge of the map.
    pub has_padding: bool,
    operands: [Operand<'a, V>; MAXIMUM_CONVOLUTION_OPERANDS],
    count: usize,
}

/// One operand: its map holds `rows.size * columns.size * channels` values, and there are
/// `tiles * 16 * rows.kernel * columns.kernel * padded` weights.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a, V> {
    pub values: &'a [V],
    pub weights: &'a [V],
    pub channels: usize,
    /// Channels in whole tiles.
    pub padded: usize,
    pub zero_point: i32,
}

impl<'a, V: AnyBitPattern> Job<'a, V> {
    /// The convolution of a task; none if its packing has not this channel tile, if it has groups,
    /// or if any length is not what the shapes say.
    pub fn new(task: &Task<'a>, channel_tile: usize) -> Option<Self> {
        let record = &task.record;
        let packing = task.packing();
        let is_ours = packing.kind == PackingKind::Tiled.to_byte()
            && usize::from(packing.output_tile) == OUTPUT_TILE
            && usize::from(packing.channel_tile) == channel_tile
            && usize::from(packing.element_width) == size_of::<V>()
            && record.groups == 1;
        let first = task.operand(0)?;
        let (rows, columns) = (Axis::rows(&first.buffer, record), Axis::columns(&first.buffer, record));
        let (height, width) = (task.target.height as usize, task.target.width as usize);
        let outputs = task.target.channels as usize;
        let count = usize::from(record.operand_count);
        let extents = [rows.size, rows.kernel, rows.stride, columns.size, columns.kernel, columns.stride];
        let is_sane = |extents: &[usize]| extents.iter().all(|&extent| (1..=MAXIMUM_EXTENT as usize).contains(&extent));
        if !is_ours || !is_sane(&extents) || !is_sane(&[height, width, outputs]) {
            return None;
        }
        let elements_of =
            |rows: usize, columns: usize, channels: usize| rows.checked_mul(columns)?.checked_mul(channels);
        elements_of(height, width, outputs)?;
        let none = Operand { values: &[], weights: &[], channels: 0, padded: 0, zero_point: 0 };
        let mut operands = [none; MAXIMUM_CONVOLUTION_OPERANDS];
        for (index, slot) in operands.get_mut(..count)?.iter_mut().enumerate() {
            let operand = task.operand(index)?;
            let channels = operand.buffer.channels as usize;
            if !is_sane(&[channels]) {
                return None;
            }
            let shape =
                WeightShape { groups: 1, outputs, inputs: channels, height: rows.kernel, width: columns.kernel };
            let length = packing.length(shape)?;
            let values: &[V] = elements(operand.bytes);
            let weights: &[V] = task.constant(operand.weights, length);
            if values.len() != elements_of(rows.size, columns.size, channels)? || weights.len() != length {
                return None;
            }
            let padded = channels.next_multiple_of(channel_tile);
            *slot = Operand { values, weights, channels, padded, zero_point: operand.buffer.zero_point };
        }
        let is_over =
            |axis: &Axis, extent: usize| axis.before > 0 || (extent - 1) * axis.stride + axis.kernel > axis.size;
        let has_padding = is_over(&rows, height) || is_over(&columns, width);
        (count > 0).then_some(Self { rows, columns, height, width, outputs, has_padding, operands, count })
    }

    /// The operands, at least one.
    pub fn operands(&self) -> &[Operand<'a, V>] {
        self.operands.get(..self.count).unwrap_or(&[])
    }
}
