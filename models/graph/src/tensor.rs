//! A dense f64 tensor for the reference interpreter.

use crate::shape::Shape;

/// Values of one image, `[channels, height, width]`, row major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Shape.
    pub shape: Shape,
    /// Values.
    pub values: Vec<f64>,
}

impl Tensor {
    /// All zero.
    pub fn zeros(shape: Shape) -> Self {
        Self::full(shape, 0.0)
    }

    /// One value everywhere.
    pub fn full(shape: Shape, value: f64) -> Self {
        Self { shape, values: vec![value; shape.elements()] }
    }

    /// Takes values in `[channels, height, width]` order; their number must be that of the shape.
    pub fn new(shape: Shape, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), shape.elements(), "a tensor of shape {shape}");
        Self { shape, values }
    }

    /// One element.
    pub fn at(&self, channel: usize, row: usize, column: usize) -> f64 {
        self.values[(channel * self.shape.height + row) * self.shape.width + column]
    }

    /// Applies a function to every element.
    pub fn map(&self, function: impl Fn(f64) -> f64) -> Self {
        Self { shape: self.shape, values: self.values.iter().map(|&x| function(x)).collect() }
    }

    /// Combines two tensors of one shape element by element.
    pub fn zip(&self, other: &Self, function: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.shape, other.shape, "elementwise operands");
        let values = self.values.iter().zip(&other.values).map(|(&x, &y)| function(x, y)).collect();
        Self { shape: self.shape, values }
    }
}
