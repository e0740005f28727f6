//! Shapes of activations.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of one image's activation: `[channels, height, width]`. A batch is the executor's
/// affair and never appears in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Feature channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// `[channels, height, width]`.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// Number of elements.
    pub const fn elements(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Number of positions in one channel.
    pub const fn positions(&self) -> usize {
        self.height * self.width
    }

    /// The same map with another number of channels.
    pub const fn with_channels(&self, channels: usize) -> Self {
        Self { channels, height: self.height, width: self.width }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}x{}", self.channels, self.height, self.width)
    }
}
