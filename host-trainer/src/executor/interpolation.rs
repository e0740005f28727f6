//! Spatial resize as a product with the weights of [`convrnn_graph::ResizeMode::sample`].
//!
//! A map resized is `rows * map * columns`. Small maps take both products as one, with the Kronecker product of the two
//! matrices: one large product over all maps of the batch costs less than many small ones. Larger maps take one after the
//! other, each also over all maps at once.

use convrnn_graph::quantize::resize_sample;
use convrnn_graph::{Resize, Shape};
use tch::{Device, Kind, TchError, Tensor};

/// Elements of the largest Kronecker product that is used; beyond it two products cost less.
const LARGEST_WHOLE: usize = 1 << 16;

/// The weights of one resize.
pub struct Interpolation {
    weights: Weights,
    /// Height and width of the result.
    size: [i64; 2],
}

enum Weights {
    /// `[input height * input width, output height * output width]`.
    Whole(Tensor),
    /// `[input height, output height]` and `[input width, output width]`.
    RowsAndColumns(Tensor, Tensor),
}

impl Interpolation {
    /// Weights for maps of `input`'s height and width.
    pub fn new(resize: &Resize, input: Shape, kind: Kind, device: Device) -> Result<Self, TchError> {
        Self::of(resize, input, (kind, device), |target, from, to| resize.mode.sample(target, from, to))
    }

    /// The weights of the quantised resize along each axis, whole numbers of 128ths, in f64.
    pub fn in_integers(resize: &Resize, input: Shape, device: Device) -> Result<Self, TchError> {
        Self::of(resize, input, (Kind::Double, device), |target, from, to| {
            let (first, second, weight) = resize_sample(resize.mode, target, from, to);
            (first, second, f64::from(weight) / 128.0)
        })?
        .times(128.0)
    }

    /// Both axes' weights times a factor.
    fn times(self, factor: f64) -> Result<Self, TchError> {
        let weights = match self.weights {
            Weights::Whole(whole) => Weights::Whole(whole.f_mul_scalar(factor * factor)?),
            Weights::RowsAndColumns(rows, columns) => {
                Weights::RowsAndColumns(rows.f_mul_scalar(factor)?, columns.f_mul_scalar(factor)?)
            }
        };
        Ok(Self { weights, ..self })
    }

    fn of(
        resize: &Resize,
        input: Shape,
        (kind, device): (Kind, Device),
        sample: impl Fn(usize, usize, usize) -> (usize, usize, f64),
    ) -> Result<Self, TchError> {
        let rows = matrix(&sample, input.height, resize.height)?;
        let columns = matrix(&sample, input.width, resize.width)?;
        let place = |tensor: Tensor| tensor.f_to_kind(kind)?.f_to_device(device)?.f_contiguous();
        let weights = if input.height * input.width * resize.height * resize.width <= LARGEST_WHOLE {
            Weights::Whole(place(rows.f_kron(&columns)?)?)
        } else {
            Weights::RowsAndColumns(place(rows)?, place(columns)?)
        };
        Ok(Self { weights, size: [resize.height as i64, resize.width as i64] })
    }

    /// `[batch, channels, input height, input width]` to the output's height and width.
    pub fn apply(&self, maps: &Tensor) -> Result<Tensor, TchError> {
        let (batch, channels, height, width) = maps.size4()?;
        let [to_height, to_width] = self.size;
        match &self.weights {
            Weights::Whole(whole) => maps
                .f_reshape([batch * channels, height * width])?
                .f_mm(whole)?
                .f_view([batch, channels, to_height, to_width]),
            Weights::RowsAndColumns(rows, columns) => maps
                .f_reshape([batch * channels * height, width])?
                .f_mm(columns)?
                .f_view([batch * channels, height, to_width])?
                .f_transpose(1, 2)?
                .f_reshape([batch * channels * to_width, height])?
                .f_mm(rows)?
                .f_view([batch, channels, to_width, to_height])?
                .f_transpose(2, 3)?
                .f_contiguous(),
        }
    }
}

/// `[input, output]`: column t holds the weights of the source positions for output position t.
fn matrix(
    sample: &impl Fn(usize, usize, usize) -> (usize, usize, f64),
    input: usize,
    output: usize,
) -> Result<Tensor, TchError> {
    let mut weights = vec![0.0; input * output];
    for target in 0..output {
        let (first, second, weight) = sample(target, input, output);
        weights[first * output + target] += 1.0 - weight;
        weights[second * output + target] += weight;
    }
    Tensor::f_from_slice(&weights)?.f_view([input as i64, output as i64])
}

#[cfg(test)]
mod tests {
    use super::*;
    use convrnn_graph::ResizeMode;

    /// Every element against the definition, on either side of the size at which the products part.
    #[test]
    fn a_resize_takes_each_position_from_where_the_definition_says() {
        for mode in [ResizeMode::BilinearAlignedCorners, ResizeMode::BilinearHalfPixel, ResizeMode::Nearest] {
            for (from, to) in [([4, 3], [8, 5]), ([7, 7], [3, 4]), ([20, 17], [31, 9]), ([1, 1], [6, 2])] {
                let resize = Resize { mode, height: to[0], width: to[1] };
                let shape = Shape { channels: 3, height: from[0], width: from[1] };
                let maps = Tensor::randn([2, 3, from[0] as i64, from[1] as i64], (Kind::Double, Device::Cpu));
                let interpolation = Interpolation::new(&resize, shape, Kind::Double, Device::Cpu).unwrap();
                let result = interpolation.apply(&maps).unwrap();
                assert_eq!(result.size(), [2, 3, to[0] as i64, to[1] as i64]);
                for (row, column) in (0..to[0]).flat_map(|row| (0..to[1]).map(move |column| (row, column))) {
                    let (top, bottom, down) = mode.sample(row, from[0], to[0]);
                    let (left, right, along) = mode.sample(column, from[1], to[1]);
                    let at = |y: usize, x: usize| maps.double_value(&[1, 2, y as i64, x as i64]);
                    let across = |y| at(y, left) * (1.0 - along) + at(y, right) * along;
                    let expected = across(top) * (1.0 - down) + across(bottom) * down;
                    let found = result.double_value(&[1, 2, row as i64, column as i64]);
                    assert!((found - expected).abs() < 1e-12, "{mode:?} {from:?} {to:?}: {found}, not {expected}");
                }
            }
        }
    }
}
