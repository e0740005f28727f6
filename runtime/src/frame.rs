//! From camera to frame buffer.

use crate::arena::isolate;
use crate::backend::Backend;
use crate::session::Session;
use crate::task::{elements, elements_mut};
use convrnn_format::{NONE, Numerics};
use core::fmt;

/// A frame in height, width, channel order.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// Raw pixels; the program's table holds preprocessing and quantisation at once.
    Bytes(&'a [u8]),
    /// Elements of an int8 program's frame, quantised by the caller.
    Quantized(&'a [i8]),
    /// Elements of an f32 program's frame, preprocessed by the caller.
    Real(&'a [f32]),
}

/// A frame that the program cannot take. The frame on show is then unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Another number of elements than the frame has.
    Length {
        /// Elements of the program's frame.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// Quantised elements for an f32 program, or the other way round.
    Numerics,
    /// Raw pixels, but the program has no table for them.
    NoTable,
}

impl fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Length { expected, found } => {
                write!(formatter, "the frame has {found} elements, expected {expected}")
            }
            FrameError::Numerics => formatter.write_str("the frame's elements are not those of the program's numerics"),
            FrameError::NoTable => formatter.write_str("the program has no table for raw pixels: pass elements"),
        }
    }
}

impl core::error::Error for FrameError {}

impl<B: Backend> Session<'_, '_, B> {
    /// Puts a frame on show, from the next step on, until another one or the blank is presented.
    pub fn present(&mut self, frame: Frame<'_>) -> Result<(), FrameError> {
        let (prelude, numerics) = (*self.program.prelude(), self.numerics());
        let Some(buffer) = self.program.buffer(prelude.frame_buffer) else { return Ok(()) };
        let expected = buffer.elements();
        let found = match frame {
            Frame::Bytes(pixels) => pixels.len(),
            Frame::Quantized(values) => values.len(),
            Frame::Real(values) => values.len(),
        };
        if found != expected {
            return Err(FrameError::Length { expected, found });
        }
        let Some((target, _)) = isolate(self.arena, &buffer) else { return Ok(()) };
        let channels = buffer.channels as usize;
        match (frame, numerics) {
            (Frame::Bytes(pixels), numerics) => {
                if prelude.frame_table == NONE {
                    return Err(FrameError::NoTable);
                }
                match numerics {
                    Numerics::Integer => {
                        let table = self.program.constant(prelude.frame_table, channels.wrapping_mul(256));
                        translate::<i8>(pixels, elements(table.unwrap_or(&[])), channels, elements_mut(target));
                    }
                    Numerics::Real => {
                        let table = self.program.constant(prelude.frame_table, channels.wrapping_mul(1024));
                        translate::<f32>(pixels, elements(table.unwrap_or(&[])), channels, elements_mut(target));
                    }
                }
            }
            (Frame::Quantized(values), Numerics::Integer) => copy(values, elements_mut(target)),
            (Frame::Real(values), Numerics::Real) => copy(values, elements_mut(target)),
            (Frame::Quantized(_), Numerics::Real) | (Frame::Real(_), Numerics::Integer) => {
                return Err(FrameError::Numerics);
            }
        }
        self.frame_is_new();
        Ok(())
    }

    /// Puts the blank on show: the mean gray, or what the architecture says.
    pub fn present_blank(&mut self) {
        let (prelude, numerics) = (*self.program.prelude(), self.numerics());
        let Some(buffer) = self.program.buffer(prelude.frame_buffer) else { return };
        let Some((target, _)) = isolate(self.arena, &buffer) else { return };
        match numerics {
            Numerics::Integer => target.fill(prelude.blank as u8),
            Numerics::Real => elements_mut::<f32>(target).fill(f32::from_bits(prelude.blank)),
        }
        self.frame_is_new();
    }
}

/// `target[i] = table[channel * 256 + pixel]`
fn translate<T: Copy>(pixels: &[u8], table: &[T], channels: usize, target: &mut [T]) {
    for channel in 0..channels {
        let start = channel.wrapping_mul(256);
        let Some(entries) = table.get(start..).and_then(|table| table.first_chunk::<256>()) else { return };
        let pixels = pixels.iter().skip(channel).step_by(channels.max(1));
        for (target, &pixel) in target.iter_mut().skip(channel).step_by(channels.max(1)).zip(pixels) {
            *target = entries[usize::from(pixel)];
        }
    }
}

fn copy<T: Copy>(source: &[T], target: &mut [T]) {
    for (target, source) in target.iter_mut().zip(source) {
        *target = *source;
    }
}
