//! Operation records.

use crate::buffer::Element;
use crate::{byte_enumeration, record};

record! {
    /// One operation. Fields that a kind does not use are zero, or [`crate::NONE`] for constants.
    OperationRecord, stride 72 {
        /// [`OperationKind`].
        kind: u8 = 0,
        /// [`Function`], [`TableKind`] or [`Resampling`], by kind; gated sum: bit k is set where operand k
        /// has a [`TableKind::Fine`] table; convolution: 1 where the next operation is a sibling, see [`crate::siblings`].
        variant: u8 = 1,
        /// Index of the layer in the architecture.
        layer: u16 = 2,
        /// First operand in the operands section.
        first_operand: u32 = 4,
        /// Number of operands.
        operand_count: u16 = 8,
        /// Buffer written.
        output: u16 = 10,
        /// Convolution: packing of its weights.
        packing: u16 = 12,
        /// Convolution: channel groups.
        groups: u16 = 14,
        /// Window height.
        kernel_height: u16 = 16,
        /// Window width.
        kernel_width: u16 = 18,
        /// Stride down.
        stride_height: u16 = 20,
        /// Stride to the right.
        stride_width: u16 = 22,
        /// Padding above.
        padding_top: u16 = 24,
        /// Padding below.
        padding_bottom: u16 = 26,
        /// Padding to the left.
        padding_left: u16 = 28,
        /// Padding to the right.
        padding_right: u16 = 30,
        /// Convolution: one f32 or i32 an output channel.
        bias: u32 = 32,
        /// Integer convolution: one i32 an output channel.
        multipliers: u32 = 36,
        /// Lookup: i16 entries. Gated sum: those of the interpolated table of the sum. Resize: [`crate::ResizeEntry`]s, one a row, then one a column.
        table: u32 = 40,
        /// Multiplier of the (first) rescale, or the bits of an affine factor.
        first: u32 = 44,
        /// Multiplier of the second rescale, or the bits of an affine offset.
        second: u32 = 48,
        /// Left shift of the convolution's or the (first) rescale.
        first_shift: u8 = 52,
        /// Left shift of the second rescale.
        second_shift: u8 = 53,
        /// Length of the name.
        name_length: u16 = 54,
        /// Start of the name in the strings section.
        name: u32 = 56,
        /// Rows of the output that a band adds, see [`crate::bands`]; 0 where the output is computed at once.
        band_rows: u16 = 60,
        /// Rows that the first band adds beside these.
        band_lead: u8 = 62,
        /// 1 for the last operation of a group that is computed in bands, else 0.
        ends_bands: u8 = 63,
        /// Multiply-accumulates, padding counted as if it were data.
        multiply_accumulates: u64 = 64,
    }
}

byte_enumeration! {
    /// What an operation computes. `z` is the zero point of the operand named; the integer
    /// arithmetic wraps at 32 bits (a program from the exporter never gets there).
    OperationKind {
        /// `y[o] = bias[o] + sum of w * x` over the channel-wise concatenation of the operands;
        /// integer: `saturate(z_out + rescale[o](bias[o] + sum of w * (x - z)))`.
        Convolution = 1,
        /// `a + b`; integer: `saturate(z_out + first(a - z_a) + second(b - z_b))`.
        Add = 2,
        /// `a * b`; integer: `saturate(z_out + first((a - z_a) * (b - z_b)))`.
        Multiply = 3,
        /// Real only: `first * x + second`.
        Affine = 4,
        /// Real only: a [`Function`] of every element.
        Activation = 5,
        /// Integer only: `saturate(table(x))`, see [`TableKind`].
        Lookup = 6,
        /// Integer only: `saturate(z_out + first(x - z))`.
        Rescale = 7,
        /// Maximum over the window's positions inside the map.
        MaxPool = 8,
        /// Mean over positions; integer: `saturate(z_out + first(sum of (x - z)))`.
        GlobalAverage = 9,
        /// Separable interpolation by a table of positions and weights; integer:
        /// `(sum of four weights product * x + 8192) >> 14` with weights in 1/128.
        Resize = 10,
        /// Integer only: with `u = x - z`, or the table of `x` where the operand has one,
        /// `s = first(u0 * u1) + second(u2 * u3)`, the second product where there are four operands;
        /// `saturate(table(saturate16(s)))`, or without a table `saturate(z_out + s)`. An operand that
        /// nobody reads later may lie where the output does.
        GatedSum = 11,
    }
}

impl OperationKind {
    /// A name for reports.
    pub const fn name(self) -> &'static str {
        match self {
            OperationKind::Convolution => "convolution",
            OperationKind::Add => "add",
            OperationKind::Multiply => "multiply",
            OperationKind::Affine => "affine",
            OperationKind::Activation => "activation",
            OperationKind::Lookup => "lookup",
            OperationKind::Rescale => "rescale",
            OperationKind::MaxPool => "max-pool",
            OperationKind::GlobalAverage => "global-average",
            OperationKind::Resize => "resize",
            OperationKind::GatedSum => "gated-sum",
        }
    }
}

byte_enumeration! {
    /// Functions of an activation.
    Function {
        /// `max(x, 0)`
        Relu = 0,
        /// `x` for `x > 0`, else `exp(x) - 1`
        Elu = 1,
        /// `1 / (1 + exp(-x))`
        Sigmoid = 2,
        /// `tanh(x)`
        Tanh = 3,
    }
}

byte_enumeration! {
    /// How a table is read.
    TableKind {
        /// i8 operand, 256 entries: `table[x + 128]`.
        Direct = 0,
        /// i16 operand, 513 entries: `u = x + 32768, i = u >> 7, f = u & 127`,
        /// `table[i] + (((table[i + 1] - table[i]) * f + 64) >> 7)`.
        Interpolated = 1,
        /// i16 operand, 2048 entries: `table[(x + 32768) >> 5]`.
        Fine = 2,
    }
}

impl TableKind {
    /// The table of an operand of a gated sum: its element type, and whether its bit is set.
    pub const fn of_operand(element: Element, is_fine: bool) -> Option<Self> {
        match (element, is_fine) {
            (Element::I8, false) => Some(TableKind::Direct),
            (Element::I16, false) => Some(TableKind::Interpolated),
            (Element::I16, true) => Some(TableKind::Fine),
            (Element::I8, true) | (Element::I32 | Element::F32, _) => None,
        }
    }

    /// The element type of its operand.
    pub const fn element(self) -> Element {
        match self {
            TableKind::Direct => Element::I8,
            TableKind::Interpolated | TableKind::Fine => Element::I16,
        }
    }

    /// Number of i16 entries.
    pub const fn entries(self) -> usize {
        match self {
            TableKind::Direct => 256,
            TableKind::Interpolated => 513,
            TableKind::Fine => 2048,
        }
    }
}

byte_enumeration! {
    /// How a resize samples; for reports, since the positions are in its table.
    Resampling {
        /// Bilinear, corners aligned.
        BilinearAlignedCorners = 0,
        /// Bilinear, half-pixel centres.
        BilinearHalfPixel = 1,
        /// Nearest.
        Nearest = 2,
    }
}
