//! The way around convolutions: residuals of layers and of cells.

use crate::edge::EdgeResize;
use convrnn_graph::builder::ConvolutionSpec;
use convrnn_graph::{GraphBuilder, GraphError, Initializer, Padding, Read, Shape};

/// A convolution around others: what it is to give, and how.
#[derive(Clone, Copy, Debug)]
pub struct Shortcut<'a> {
    /// Name of the convolution.
    pub name: &'a str,
    /// Shape of what the shortcut is added to.
    pub to: Shape,
    /// Product of the strides of the convolutions that it goes around.
    pub stride: usize,
    /// How the weight starts.
    pub initializer: Initializer,
}

impl Shortcut<'_> {
    /// With an input of `n` positions along an axis and a result of `m`:
    ///
    /// - the input itself where the shapes are equal;
    /// - else a 1x1 convolution without bias, of the given stride, where that gives `m = ceil(n / stride)` on both axes, as
    ///   behind "same" padding (He et al. 2016, option B);
    /// - else the input is resized to the map of the result first (bilinear, aligned corners), and the 1x1 convolution has
    ///   stride 1.
    pub fn emit(&self, builder: &mut GraphBuilder, input: Read) -> Result<Read, GraphError> {
        let from = builder.shape(input);
        if from == self.to {
            return Ok(input);
        }
        let is_strided =
            from.height.div_ceil(self.stride) == self.to.height && from.width.div_ceil(self.stride) == self.to.width;
        let (input, stride) = match is_strided {
            true => (input, self.stride),
            false => {
                let resize = EdgeResize::BilinearAlignedCorners;
                (resize.apply(builder, &format!("{}.resize", self.name), input, self.to)?, 1)
            }
        };
        let spec = ConvolutionSpec {
            stride: [stride; 2],
            padding: Some(Padding::NONE),
            initializer: self.initializer,
            ..ConvolutionSpec::new(self.to.channels, 1)
        };
        builder.convolution(self.name, &[input], spec).map(Read::Node)
    }
}
