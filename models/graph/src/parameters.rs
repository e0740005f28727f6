//! Values of the trained tensors.

use crate::graph::{ParameterId, StepGraph};
use serde::{Deserialize, Serialize};

/// How a tensor starts. Fan-in is `in channels / groups * kernel area`, fan-out
/// `out channels * kernel area`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initializer {
    /// All zero.
    Zeros,
    /// One value everywhere.
    Constant {
        /// The value.
        value: f64,
    },
    /// Uniform in ±sqrt(6 / (fan-in + fan-out)) (Glorot & Bengio 2010).
    XavierUniform,
    /// Normal, variance `scale / fan-in`, truncated at two standard deviations.
    VarianceScaling {
        /// Numerator of the variance; 2 is He et al. 2015.
        scale: f64,
    },
    /// Normal, variance `2 / fan-out` (He et al. 2015, the form that torchvision's ResNets start from).
    HeFanOut,
    /// Normal.
    Normal {
        /// Standard deviation.
        deviation: f64,
    },
}

impl Initializer {
    /// Whether its numbers are finite, and no variance or deviation is negative.
    pub fn is_valid(&self) -> bool {
        match *self {
            Initializer::Zeros | Initializer::XavierUniform | Initializer::HeFanOut => true,
            Initializer::Constant { value } => value.is_finite(),
            Initializer::VarianceScaling { scale: size } | Initializer::Normal { deviation: size } => {
                size.is_finite() && size >= 0.0
            }
        }
    }
}

/// What a tensor is for. Weight decay has a coefficient for each group but the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterGroup {
    /// Weights outside of cells: feedforward, residual and feedback convolutions.
    Weight,
    /// Biases outside of cells.
    Bias,
    /// Weights within cells.
    CellWeight,
    /// Biases within cells.
    CellBias,
    /// Scale and shift of normalisations.
    Normalization,
    /// Running means and variances: measured while training, moved by no gradient, not counted among the trained values.
    Statistics,
}

impl ParameterGroup {
    /// Every group.
    pub const ALL: [ParameterGroup; 6] = [
        ParameterGroup::Weight,
        ParameterGroup::Bias,
        ParameterGroup::CellWeight,
        ParameterGroup::CellBias,
        ParameterGroup::Normalization,
        ParameterGroup::Statistics,
    ];

    /// Whether gradients move the tensor.
    pub fn is_trained(self) -> bool {
        self != ParameterGroup::Statistics
    }
}

/// One tensor of values for each parameter of a graph, in the graph's order, row major.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<T> {
    /// Values by parameter.
    pub values: Vec<Vec<T>>,
}

/// Values that do not fit a graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParametersError {
    #[error("parameter {name} is missing; the weights belong to another architecture")]
    Missing { name: String },
    #[error("parameter {name} has shape {found:?}, expected {expected:?}; the weights belong to another architecture")]
    Shape { name: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("parameter {name} is in the file but not in the architecture")]
    Unknown { name: String },
    #[error("parameter {name} holds {value} at index {index}; training diverged or the file is damaged")]
    NotFinite { name: String, index: usize, value: f64 },
    #[error("parameter {name} has element type {found}, expected F32")]
    ElementType { name: String, found: String },
}

impl<T: Copy> Parameters<T> {
    /// Values of one parameter.
    pub fn get(&self, id: ParameterId) -> &[T] {
        &self.values[id.0]
    }

    /// Converts every value.
    pub fn map<U>(&self, convert: impl Fn(T) -> U) -> Parameters<U> {
        Parameters { values: self.values.iter().map(|tensor| tensor.iter().map(|&x| convert(x)).collect()).collect() }
    }
}

impl Parameters<f32> {
    /// The same values in f64, for the reference interpreter.
    pub fn to_f64(&self) -> Parameters<f64> {
        self.map(f64::from)
    }

    /// Verifies that every tensor has the size its parameter declares and only finite values.
    pub fn check(&self, graph: &StepGraph) -> Result<(), ParametersError> {
        for (parameter, values) in graph.parameters.iter().zip(&self.values) {
            if values.len() != parameter.elements() {
                return Err(ParametersError::Shape {
                    name: parameter.name.clone(),
                    found: vec![values.len()],
                    expected: parameter.shape.clone(),
                });
            }
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let value = f64::from(values[index]);
                return Err(ParametersError::NotFinite { name: parameter.name.clone(), index, value });
            }
        }
        match graph.parameters.get(self.values.len()) {
            Some(parameter) => Err(ParametersError::Missing { name: parameter.name.clone() }),
            None => Ok(()),
        }
    }
}
