//! Padding in an architecture file.

use convrnn_graph::{Padding, Shape};
use serde::{Deserialize, Serialize};

/// Padding by name, by one number for all sides, or by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PaddingText", into = "PaddingText")]
pub enum LayerPadding {
    /// `ceil(size / stride)` positions; the odd row or column goes to the bottom or right.
    #[default]
    Same,
    /// None.
    Valid,
    /// Explicit; in a file a number for all sides, or `[top, bottom, left, right]`.
    Sides(Padding),
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "padding must be \"same\", \"valid\", a whole number for all sides, or [top, bottom, left, right]"
)]
enum PaddingText {
    Name(PaddingName),
    All(usize),
    Sides([usize; 4]),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PaddingName {
    Same,
    Valid,
}

impl From<PaddingText> for LayerPadding {
    fn from(text: PaddingText) -> Self {
        match text {
            PaddingText::Name(PaddingName::Same) => LayerPadding::Same,
            PaddingText::Name(PaddingName::Valid) => LayerPadding::Valid,
            PaddingText::All(all) => LayerPadding::Sides(Padding { top: all, bottom: all, left: all, right: all }),
            PaddingText::Sides([top, bottom, left, right]) => LayerPadding::Sides(Padding { top, bottom, left, right }),
        }
    }
}

impl From<LayerPadding> for PaddingText {
    fn from(padding: LayerPadding) -> Self {
        match padding {
            LayerPadding::Same => PaddingText::Name(PaddingName::Same),
            LayerPadding::Valid => PaddingText::Name(PaddingName::Valid),
            LayerPadding::Sides(Padding { top, bottom, left, right }) => PaddingText::Sides([top, bottom, left, right]),
        }
    }
}

impl LayerPadding {
    /// The largest number of rows or columns given by hand.
    pub(crate) fn widest(self) -> usize {
        match self {
            LayerPadding::Same | LayerPadding::Valid => 0,
            LayerPadding::Sides(Padding { top, bottom, left, right }) => top.max(bottom).max(left).max(right),
        }
    }

    /// The sides, for a window over a map.
    pub fn resolve(self, map: Shape, kernel: usize, stride: usize) -> Padding {
        match self {
            LayerPadding::Same => {
                Padding::same([map.height, map.width], [kernel, kernel], [stride.max(1), stride.max(1)])
            }
            LayerPadding::Valid => Padding::NONE,
            LayerPadding::Sides(padding) => padding,
        }
    }
}
