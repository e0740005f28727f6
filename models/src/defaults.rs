//! Values that several tables of an architecture file take where a key is not given.

use convrnn_graph::{Activation, Initializer};

pub fn xavier() -> Initializer {
    Initializer::XavierUniform
}

pub fn elu() -> Activation {
    Activation::Elu
}

pub fn tanh() -> Activation {
    Activation::Tanh
}
