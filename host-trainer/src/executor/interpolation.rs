//! Spatial resize as two small matrices: `rows * map * columns`.

use convrnn_graph::{Resize, ResizeMode, Shape};
use tch::{Device, Kind, TchError, Tensor};

/// The matrices of one resize, built from [`ResizeMode::sample`].
pub struct Interpolation {
    /// `[output height, input height]`.
    rows: Tensor,
    /// `[input width, output width]`.
    columns: Tensor,
}

impl Interpolation {
    /// Matrices for maps of `input`'s height and width.
    pub fn new(resize: &Resize, input: Shape, kind: Kind, device: Device) -> Result<Self, TchError> {
        let rows = matrix(resize.mode, input.height, resize.height)?;
        let columns = matrix(resize.mode, input.width, resize.width)?.f_tr()?.f_contiguous()?;
        let place = |tensor: Tensor| tensor.f_to_kind(kind)?.f_to_device(device);
        Ok(Self { rows: place(rows)?, columns: place(columns)? })
    }

    /// `[batch, channels, input height, input width]` to the output's height and width.
    pub fn apply(&self, maps: &Tensor) -> Result<Tensor, TchError> {
        self.rows.f_matmul(&maps.f_matmul(&self.columns)?)
    }
}

/// Row t holds the weights of the source positions for output position t.
fn matrix(mode: ResizeMode, input: usize, output: usize) -> Result<Tensor, TchError> {
    let mut weights = vec![0.0; output * input];
    for target in 0..output {
        let (first, second, weight) = mode.sample(target, input, output);
        weights[target * input + first] += 1.0 - weight;
        weights[target * input + second] += weight;
    }
    Tensor::f_from_slice(&weights)?.f_view([output as i64, input as i64])
}
