//! Edges beside the arrows from each layer to the next: `[[feedback]]` and `[[skip]]`.

use convrnn_graph::builder::GraphBuilder;
use convrnn_graph::{GraphError, Initializer, Operation, Padding, Pool, Read, Resize, ResizeMode, Shape};
use serde::{Deserialize, Serialize};

/// The output of one layer, one step old, enters another layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Number of the layer whose output is read.
    pub from: usize,
    /// Number of the layer that receives it.
    pub to: usize,
    /// How it enters.
    #[serde(default)]
    pub entry: Entry,
    /// How it is brought to the size of the map that it enters.
    #[serde(default)]
    pub resize: EdgeResize,
    /// How the weights of its 1x1 convolution start; of edges that share one, the first one's.
    #[serde(default = "crate::defaults::xavier")]
    pub initializer: Initializer,
}

/// Which of the two lists an edge is in, and so which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// `from > to`: from a later layer to an earlier one.
    Feedback,
    /// `from + 1 < to`: over at least one layer.
    Skip,
}

impl EdgeKind {
    /// Both.
    pub const ALL: [EdgeKind; 2] = [EdgeKind::Feedback, EdgeKind::Skip];

    /// The name of its list in files, and of its tensors.
    pub fn name(self) -> &'static str {
        match self {
            EdgeKind::Feedback => "feedback",
            EdgeKind::Skip => "skip",
        }
    }

    /// What is wrong with the ends of an edge of this kind.
    pub(crate) fn check(self, from: usize, to: usize) -> Result<(), &'static str> {
        match self {
            EdgeKind::Feedback if from == to => {
                Err("feedback goes from a later layer to an earlier one; a layer's own past is its cell's")
            }
            EdgeKind::Feedback if from + 1 == to => {
                Err("feedback goes from a later layer to an earlier one; exchange from and to")
            }
            EdgeKind::Feedback if from < to => {
                Err("feedback goes from a later layer to an earlier one; exchange from and to, or write it as [[skip]]")
            }
            EdgeKind::Skip if from >= to => Err(
                "a skip goes from an earlier layer to a later one; exchange from and to, or write it as [[feedback]]",
            ),
            EdgeKind::Skip if from + 1 == to => {
                Err("a skip leaves out at least one layer, and each layer reads the one below it anyway; remove it")
            }
            EdgeKind::Feedback | EdgeKind::Skip => Ok(()),
        }
    }
}

/// How an edge enters a layer. All feedback that is added at one place of a layer shares one 1x1 convolution with bias,
/// over its concatenation in the order of the source layers; all skips that are added there share another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// Concatenated with the feedforward input before the convolution (the paper's update rule).
    #[default]
    Concatenate,
    /// Added to the cell's input x.
    CellInput,
    /// Added to the cell's hidden state of the previous step, wherever the cell reads it.
    CellHidden,
    /// Added to the cell's output path: to what the gate of the output multiplies in a reciprocal gated or search cell
    /// (the released median model), to the output itself in other cells.
    CellOutput,
}

impl Entry {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Entry::Concatenate => "concatenate",
            Entry::CellInput => "cell-input",
            Entry::CellHidden => "cell-hidden",
            Entry::CellOutput => "cell-output",
        }
    }
}

/// How the output of another layer is brought to the size of the map that it enters. Where the sizes are equal, nothing is
/// done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeResize {
    /// [`ResizeMode::BilinearAlignedCorners`], as in the released code.
    #[default]
    BilinearAlignedCorners,
    /// [`ResizeMode::BilinearHalfPixel`].
    BilinearHalfPixel,
    /// [`ResizeMode::Nearest`].
    Nearest,
    /// To a smaller map, by the maximum over windows that cover the whole map: on each axis from `n` to `m` positions the
    /// stride is `floor(n / m)` and the window `n - (m - 1) * stride`, without padding.
    MaxPool,
    /// To one position: the mean over all.
    Average,
}

impl EdgeResize {
    /// The operation from a shape to a size; none where there is nothing to do.
    fn operation(self, from: Shape, to: Shape) -> Result<Option<Operation>, String> {
        if (from.height, from.width) == (to.height, to.width) {
            return Ok(None);
        }
        let resize = |mode| Ok(Some(Operation::Resize(Resize { height: to.height, width: to.width, mode })));
        match self {
            EdgeResize::BilinearAlignedCorners => resize(ResizeMode::BilinearAlignedCorners),
            EdgeResize::BilinearHalfPixel => resize(ResizeMode::BilinearHalfPixel),
            EdgeResize::Nearest => resize(ResizeMode::Nearest),
            EdgeResize::MaxPool if from.height < to.height || from.width < to.width => Err(format!(
                "resize = \"max-pool\" cannot bring {}x{} to the larger {}x{}: use \"bilinear-aligned-corners\"",
                from.height, from.width, to.height, to.width
            )),
            EdgeResize::MaxPool => {
                let stride = [from.height / to.height, from.width / to.width];
                let kernel = [from.height - (to.height - 1) * stride[0], from.width - (to.width - 1) * stride[1]];
                Ok(Some(Operation::MaxPool(Pool { kernel, stride, padding: Padding::NONE })))
            }
            EdgeResize::Average if (to.height, to.width) == (1, 1) => Ok(Some(Operation::GlobalAverage)),
            EdgeResize::Average => Err(format!(
                "resize = \"average\" gives one position, and the edge enters a map of {}x{}: use \"max-pool\" or \
                 \"bilinear-aligned-corners\"",
                to.height, to.width
            )),
        }
    }

    /// A value brought to the height and width of a shape.
    pub(crate) fn apply(
        self,
        builder: &mut GraphBuilder,
        name: &str,
        value: Read,
        to: Shape,
    ) -> Result<Read, GraphError> {
        let from = builder.shape(value);
        match self.operation(from, to) {
            Ok(None) => Ok(value),
            Ok(Some(operation)) => builder.node(name, operation, &[value]).map(Read::Node),
            Err(message) => Err(GraphError::Node { node: builder.path(name), message }),
        }
    }
}
