//! Tables as two gathers: the value at every input integer, and the slope there.

use super::arithmetic::{is_recorded, straight_through};
use convrnn_graph::quantize::{Element, Lookup};
use tch::{Device, Kind, TchError, Tensor};

/// A table over all integers of its input.
pub struct Table {
    /// `y - zero point` of the output by `x - low`.
    values: Tensor,
    /// Slope by `x - low`.
    slopes: Tensor,
    /// What makes an index of `x - zero point`.
    offset: i64,
}

impl Table {
    /// `zero_points` are those of the input and of the output.
    pub fn new(lookup: &Lookup, zero_points: (i32, i32), device: Device) -> Result<Self, TchError> {
        // Slopes of i16 are taken over two entries of the coarsest table, so that they are those of the function.
        let (element, reach) = match lookup {
            Lookup::Direct(_) => (Element::I8, 1),
            Lookup::Interpolated(_) | Lookup::Fine(_) => (Element::I16, 64),
        };
        let (low, high) = element.range();
        let values: Vec<f32> = (low..=high).map(|x| (lookup.apply(x) - zero_points.1) as f32).collect();
        let last = values.len() - 1;
        let slope = |index: usize| {
            let (from, to) = (index.saturating_sub(reach), (index + reach).min(last));
            (values[to] - values[from]) / (to - from) as f32
        };
        let slopes: Vec<f32> = (0..=last).map(slope).collect();
        let place = |values: &[f32]| Tensor::f_from_slice(values)?.f_to_device(device);
        Ok(Self { values: place(&values)?, slopes: place(&slopes)?, offset: i64::from(zero_points.0) - i64::from(low) })
    }

    /// `y - zero point` of `x - zero point`.
    pub fn apply(&self, input: &Tensor) -> Result<Tensor, TchError> {
        let places = input.detach().f_to_kind(Kind::Int64)?.f_add_scalar(self.offset)?;
        let exact = self.values.f_take(&places)?;
        let smooth = || input.f_mul(&self.slopes.f_take(&places)?);
        straight_through(exact, smooth, is_recorded(&[input]))
    }
}
