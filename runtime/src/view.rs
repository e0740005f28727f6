//! Reading tensors between steps.

use crate::task::elements;
use convrnn_format::{BufferRecord, Element};

/// A tensor in the arena.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Shape, element type and scale.
    pub buffer: BufferRecord,
    /// Elements in height, width, channel order, little endian.
    pub bytes: &'a [u8],
}

impl Tensor<'_> {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.buffer.elements()
    }

    /// The integer at an index in height, width, channel order; none for f32 or past the end.
    pub fn integer(&self, index: usize) -> Option<i32> {
        match Element::from_byte(self.buffer.element)? {
            Element::F32 => None,
            Element::I8 => elements::<i8>(self.bytes).get(index).map(|&value| value.into()),
            Element::I16 => elements::<i16>(self.bytes).get(index).map(|&value| value.into()),
            Element::I32 => elements::<i32>(self.bytes).get(index).copied(),
        }
    }

    /// The real value at an index: `scale * (integer - zero point)` for integers.
    pub fn real(&self, index: usize) -> Option<f32> {
        match self.integer(index) {
            Some(integer) => Some(self.buffer.scale * integer.wrapping_sub(self.buffer.zero_point) as f32),
            None => elements::<f32>(self.bytes).get(index).copied(),
        }
    }

    /// The real values in height, width, channel order.
    pub fn reals(&self) -> impl Iterator<Item = f32> {
        (0..self.elements()).filter_map(|index| self.real(index))
    }

    /// Index of an element given by channel, row and column.
    pub fn index(&self, channel: usize, row: usize, column: usize) -> usize {
        let (width, channels) = (self.buffer.width as usize, self.buffer.channels as usize);
        row.wrapping_mul(width).wrapping_add(column).wrapping_mul(channels).wrapping_add(channel)
    }
}

/// The class scores as computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Logits<'a> {
    /// Of an f32 program.
    Real(&'a [f32]),
    /// Of an int8 program; real value = scale * integer.
    Integer {
        /// One score a class.
        values: &'a [i16],
        /// Real value of one integer step.
        scale: f32,
    },
}

impl Logits<'_> {
    /// Number of classes.
    pub fn len(&self) -> usize {
        match self {
            Logits::Real(values) => values.len(),
            Logits::Integer { values, .. } => values.len(),
        }
    }

    /// Whether there are no classes, which no verified program has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The real score of a class.
    pub fn real(&self, class: usize) -> Option<f32> {
        match self {
            Logits::Real(values) => values.get(class).copied(),
            Logits::Integer { values, scale } => values.get(class).map(|&value| f32::from(value) * scale),
        }
    }

    /// The class with the highest score; the first of several.
    pub fn class(&self) -> usize {
        let mut best = (0, f32::NEG_INFINITY);
        for class in 0..self.len() {
            match self.real(class) {
                Some(score) if score > best.1 => best = (class, score),
                Some(_) | None => {}
            }
        }
        best.0
    }
}

/// A caller's slice of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// Elements needed.
    pub expected: usize,
    /// Elements given.
    pub found: usize,
}

impl core::fmt::Display for LengthError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "the slice has {} elements, expected {}", self.found, self.expected)
    }
}

impl core::error::Error for LengthError {}
